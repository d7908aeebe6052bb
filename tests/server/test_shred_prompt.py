"""What `onebreath keys shred` says before it asks: which devices may still hold what would be lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.commands.clinician import command as clinician
from tests.clinic_rig import serving
from tests.server.test_keys_commands import Desk
from voice.adapters.identity import device_keys

DAY_S = 86_400


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with serving(tmp_path / "server.db") as url:
        yield Desk(tmp_path, url, "Dr Okafor")


def prompted(desk: Desk) -> list[str]:
    """The sentences about devices; nothing is destroyed."""
    stopped = desk.do("shred", "1", typed="2\n")
    assert stopped.exit_code == 1
    assert "Records that were sealed under epoch 1 can then be opened by nobody." in stopped.output
    return [line for line in stopped.output.splitlines() if line.startswith("Device ")]


def test_devices_that_may_hold_lines_are_named(desk: Desk) -> None:
    name = device_keys(desk.device("home")).id.hex()
    desk.done("rotate")
    named = ["label", name[:8], "Ada L.", *desk.keys, "--server", desk.url]
    assert CliRunner().invoke(clinician, named).exit_code == 0

    def told(seen: int | None, depth: int | None, state: str = "active") -> list[str]:
        with closing(sqlite3.connect(desk.folder / "server.db")) as database, database:
            values = (seen, depth, state)
            database.execute("UPDATE devices SET last_seen_at = ?, outbox_depth = ?, state = ?", values)
        return prompted(desk)

    with closing(sqlite3.connect(desk.folder / "server.db")) as database:
        (stated,) = database.execute("SELECT max(created_at) FROM reading_keys WHERE epoch = 2").fetchone()
    who, rest = f"Device {name} (Ada L.)", "may be sealed to this key."
    since = stated + DAY_S
    assert told(since, 0) == []
    for depth in (None, 3):
        [sentence] = told(since, depth)
        assert sentence.startswith(f"{who} last called on 20")
        assert sentence.endswith(f"; what it still holds {rest}")
    assert told(None, 0) == [f"{who} never called; what it holds {rest}"]
    assert told(DAY_S, 0, "paused") == [f"{who} last called on 1970-01-02; what it still holds {rest}"]
    assert told(None, None, "revoked") == []
