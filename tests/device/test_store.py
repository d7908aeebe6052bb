"""The store on a real disk: modes, locks, a full disk, and databases found damaged."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.device.outbox_rig import NOTICING, ExactServer, Network, record_ids, seal
from voice.adapters.high_water import HighWater
from voice.adapters.recovery import _build, open_store
from voice.adapters.store import SqliteStore
from voice.errors import StorageError
from voice.outbox import Outbox, Row


def outbox_of(store: SqliteStore) -> Outbox:
    return Outbox(store, seal, lambda: os.urandom(16), hold_s=0.0)


def filled(home: Path, records: int = 8, *, part: int = 3_000) -> list[bytes]:
    """An outbox with records of a few pages each; returns their ids."""
    with open_store(home) as store:
        ids = [os.urandom(16) for _ in range(records)]
        for sequence, record_id in enumerate(ids, start=1):
            store.add(Row(sequence, record_id, seal(NOTICING, record_id, sequence) + b"|" + os.urandom(part)))
    return ids


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_store(home) as store:
        outbox_of(store).save(NOTICING)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"outbox.sqlite", "outbox.sqlite-wal", "outbox.last", "outbox.reserve"} == set(modes)


def test_what_is_durable_is_what_was_asked_for(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        ask = store._database.execute
        assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ask("PRAGMA synchronous").fetchone() == (2,)
        assert ask("PRAGMA user_version").fetchone() == (1,)
        assert ask("PRAGMA temp_store").fetchone() == (2,)


def test_a_second_process_is_told_that_the_outbox_is_in_use(tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(StorageError, match="in use by another"):
        open_store(tmp_path)
    open_store(tmp_path).close()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "outbox.sqlite") as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    before = (tmp_path / "outbox.sqlite").read_bytes()
    with pytest.raises(StorageError, match="newer Onebreath"):
        open_store(tmp_path)
    assert (tmp_path / "outbox.sqlite").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        open_store(tmp_path / "file" / "home")
    assert caught.value.remedy


def test_a_database_that_may_grow_no_more_refuses_the_save_and_keeps_the_rest(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        outbox = outbox_of(store)
        saved = [outbox.save(NOTICING) for _ in range(3)]
        store._database.execute("PRAGMA max_page_count = 1").fetchall()
        big = Row(4, bytes(16), bytes(50_000))
        with pytest.raises(StorageError, match="full"):
            store.add(big)
        assert [row.record_id for row in outbox.pending()] == saved
        store._database.execute("PRAGMA max_page_count = 100000").fetchall()
        outbox.save(NOTICING)
        assert [row.sequence for row in outbox.pending()] == [1, 2, 3, 4]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 768 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=768k", "onebreath-test", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk; the page-count test above covers the refusal")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_refuses_the_save_and_still_delivers_what_was_saved(small_disk: Path) -> None:
    home = small_disk / "home"
    server = ExactServer()
    saved = []
    ids = record_ids()
    with open_store(home) as store:
        outbox = Outbox(store, lambda n, r, s: seal(n, r, s) + bytes(2_000), ids, hold_s=0.0)

        def fill() -> None:
            for _ in range(1_000):
                saved.append(outbox.save(NOTICING))

        with pytest.raises(StorageError, match="full") as caught:
            fill()
        assert "Free some space" in caught.value.remedy
        assert len(saved) > 10
    with open_store(home) as store:
        outbox = Outbox(store, lambda n, r, s: seal(n, r, s) + bytes(2_000), ids, hold_s=0.0)
        assert store.recovery is None
        assert [row.record_id for row in outbox.pending()] == saved
        result = outbox.flush(Network(server), 0.0)
        assert (result.delivered, result.waiting) == (len(saved), 0)
        outbox.save(NOTICING)
        outbox.flush(Network(server), 0.0)
    assert server.sequences() == list(range(1, len(saved) + 2))


def spoil_header(path: Path) -> None:
    with path.open("r+b") as handle:
        handle.write(os.urandom(100))


def spoil_middle(path: Path) -> None:
    with path.open("r+b") as handle:
        handle.seek(path.stat().st_size // 2)
        handle.write(os.urandom(4_096))


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("spoil", [spoil_header, spoil_middle, cut_short, empty, remove])
def test_a_damaged_database_is_kept_and_the_numbers_go_on(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    ids = filled(tmp_path)
    spoil(tmp_path / "outbox.sqlite")
    left = (tmp_path / "outbox.sqlite").read_bytes() if (tmp_path / "outbox.sqlite").exists() else b""
    with open_store(tmp_path) as store:
        assert store.recovery is not None
        if left:
            assert store.recovery.kept == tmp_path / "outbox.damaged-1.sqlite"
            assert store.recovery.kept.read_bytes() == left
        salvaged = store.rows()
        assert store.recovery.salvaged == len(salvaged)
        assert {row.record_id for row in salvaged} <= set(ids)
        assert all(row.offered for row in salvaged)
        if spoil in (spoil_header, spoil_middle, cut_short):
            assert len(salvaged) == 8 if spoil is spoil_header else len(salvaged) > 2
        outbox = outbox_of(store)
        assert not outbox.delete_last()
        outbox.save(NOTICING)
        assert store.last_sequence() == 9
    with open_store(tmp_path) as store:
        assert store.recovery is None
        assert len(store.rows()) == len(salvaged) + 1


def test_rows_only_in_the_log_are_carried_over_too(tmp_path: Path) -> None:
    """A process killed before the log was written back into the database."""
    home = tmp_path / "home"
    with open_store(home) as store:
        outbox = outbox_of(store)
        ids = [outbox.save(NOTICING) for _ in range(3)]
        copy = tmp_path / "copy"
        copy.mkdir()
        for path in home.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
    with open_store(copy) as store:
        assert [row.record_id for row in store.rows()] == ids


def test_a_database_from_before_does_not_use_its_numbers_again(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    old = (tmp_path / "outbox.sqlite").read_bytes()
    with open_store(tmp_path) as store:
        outbox = outbox_of(store)
        for _ in range(5):
            outbox.save(NOTICING)
        outbox.flush(Network(ExactServer()), 0.0)
    (tmp_path / "outbox.sqlite").write_bytes(old)
    with open_store(tmp_path) as store:
        assert store.recovery is not None
        assert store.last_sequence() == 8


@pytest.mark.parametrize("moved", [[], ["outbox.sqlite-wal"], ["outbox.sqlite-wal", "outbox.sqlite"]])
def test_a_crash_while_mending_is_finished_at_the_next_start(tmp_path: Path, moved: list[str]) -> None:
    ids = filled(tmp_path, 4)
    with open_store(tmp_path) as store:
        rows = list(store.rows())
    (tmp_path / "outbox.sqlite-wal").write_bytes(b"the damaged log")
    spoil_header(tmp_path / "outbox.sqlite")
    _build(tmp_path, rows, 4)
    for name in moved:
        (tmp_path / name).rename(tmp_path / name.replace("outbox.sqlite", "outbox.damaged-1.sqlite"))
    with open_store(tmp_path) as store:
        assert [row.record_id for row in store.rows()] == ids
        assert store.recovery is not None
    assert (tmp_path / "outbox.damaged-1.sqlite-wal").read_bytes() == b"the damaged log"
    assert (tmp_path / "outbox.damaged-1.sqlite").exists()


def test_a_crash_while_building_the_new_database_starts_over(tmp_path: Path) -> None:
    ids = filled(tmp_path, 4)
    (tmp_path / "outbox.fresh.sqlite").write_bytes(b"half a database")
    with open_store(tmp_path) as store:
        assert [row.record_id for row in store.rows()] == ids


def test_a_second_damage_is_kept_beside_the_first(tmp_path: Path) -> None:
    for number in (1, 2):
        filled(tmp_path / str(number), 2)
        spoil_header(tmp_path / str(number) / "outbox.sqlite")
    home = tmp_path / "1"
    open_store(home).close()
    (home / "outbox.sqlite").write_bytes((tmp_path / "2" / "outbox.sqlite").read_bytes())
    open_store(home).close()
    assert {"outbox.damaged-1.sqlite", "outbox.damaged-2.sqlite"} <= {path.name for path in home.iterdir()}


@pytest.mark.parametrize("spoilt", [0, 1])
def test_the_second_place_survives_one_spoilt_slot(tmp_path: Path, spoilt: int) -> None:
    path = tmp_path / "outbox.last"
    last = HighWater(path)
    for value in range(1, 8):
        last.write(value)
    last.close()
    with path.open("r+b") as handle:
        handle.seek(spoilt * 16 + 6)
        handle.write(b"\xff\xff")
    again = HighWater(path)
    assert again.value in (6, 7)
    again.write(20)
    again.close()
    final = HighWater(path)
    assert final.value == 20
    final.close()
