"""What the tests of a lying server share: the world that it lies in, and the plays of its lies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from server.commands.read import command as read_command
from server.key_slots import RECOMMENDED
from tests.clinic_rig import PASSPHRASE, Clinic, noticing, send, serving
from tests.end_to_end.hostile import Answered, Asked, Forward, Hostile, Play, hostile
from voice.adapters.identity import device_keys

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class World:
    """An honest server, a hostile one before it, two clinicians, and devices with records."""

    server: Hostile
    clinic: Clinic
    other: Clinic
    first: Path
    second: Path


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """The whole world, below `folder`."""
    with serving(folder / "server.db") as url, hostile(url) as server:
        clinic = Clinic(folder, server.url, cost=RECOMMENDED)
        # Clinics share the database by sharing its folder; the second's key file is beside.
        (folder / "other").mkdir()
        (folder / "other" / "server.db").symlink_to(folder / "server.db")
        other = Clinic(folder / "other", server.url, cost=RECOMMENDED)
        first, second = clinic.device("first"), clinic.device("second")
        assert send(first, *(noticing(days, "he", "yelled") for days in range(4))) == 4
        assert send(second, noticing(5)) == 1
        assert send(other.device("theirs"), noticing(2, "not", "yours")) == 1
        yield World(server, clinic, other, first, second)


def at(method: str, path: str, change: Callable[[Answered], Answered]) -> Play:
    """A play that changes the answers of one call alone."""

    def play(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked)
        return change(answer) if (asked.method, asked.path.split("?")[0]) == (method, path) else answer

    return play


def changing(method: str, path: str, **fields: object) -> Play:
    """A play that changes fields of one call's answers."""
    return at(method, path, lambda answer: answer.changed(**fields))


def always(answer: Answered | None) -> Play:
    return lambda _asked, _forward: answer


def reading(world: World, key_file: Path, passphrase: str = PASSPHRASE) -> list[str]:
    said = world.clinic.folder / "passphrase"
    said.write_text(passphrase + "\n")
    return ["--server", world.server.url, "--key-file", str(key_file), "--passphrase-file", str(said)]


def run_read(world: World, desk: Path, *more: str) -> Result:
    """The reader's command with a memory of its own, in `desk`."""
    key_file = desk / "okafor.key.json"
    if not key_file.exists():
        key_file.write_bytes(world.clinic.key_file.read_bytes())
    return CliRunner().invoke(read_command, [*reading(world, key_file), *more])


def read(world: World, desk: Path) -> dict[str, Any]:
    shown = run_read(world, desk, "--json")
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert isinstance(document, dict)
    return document


def kinds(document: dict[str, Any]) -> set[str]:
    return {flag["kind"] for flag in document["flags"]}


def of(document: dict[str, Any], home: Path) -> list[int]:
    """The sequence numbers that are shown of a device."""
    name = device_keys(home).id.hex()
    return sorted(one["sequence"] for one in document["records"] if one["device"] == name)


def listing(change: Callable[[Rows], Rows]) -> Play:
    """A play on the list of records."""
    return at("GET", "/v1/records", lambda a: a.changed(records=change(a.document["records"])))
