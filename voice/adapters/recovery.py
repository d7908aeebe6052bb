"""Opening the outbox, also when it is found damaged: nothing is deleted, what is readable goes on.

The new database is complete, rows and all, before the damaged one is moved; a crash between any two steps is
finished at the next opening.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from voice.adapters.high_water import HighWater
from voice.adapters.private_file import sync_folder
from voice.adapters.store import (
    HIGH_WATER_NAME,
    NAME,
    PAGE_BYTES,
    SCHEMA,
    DamagedError,
    Recovery,
    SqliteStore,
    explain,
    insert,
    open_database,
)
from voice.outbox import Row

PROBES: Final = 10_000
"""How many sequence numbers below the last one are tried when the damaged database cannot list its rows."""

_FRESH: Final = "outbox.fresh.sqlite"
_SALVAGE: Final = "outbox.salvage.sqlite"
_TEMPLATE: Final = "outbox.template.sqlite"

MOST_PADDED_BYTES: Final = 256 * 1024 * 1024
"""A header that claims more than this is itself damaged."""


def open_store(home: Path, *, factory: type[sqlite3.Connection] = sqlite3.Connection) -> SqliteStore:
    """Open `<home>/outbox.sqlite`, making it when it is not there. The caller closes it.

    A damaged database is renamed to `outbox.damaged-N.sqlite`, its readable rows go on in a new one, and the
    next sequence number is above any seen; `recovery` on the store then says so. Raises StorageError when the
    folder cannot be written, the disk is full, another process holds the outbox, or it is of a newer version.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        last = HighWater(home / HIGH_WATER_NAME)
        try:
            return _open(home, last, factory)
        except BaseException:
            last.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise explain(home, error) from error


def _open(home: Path, last: HighWater, factory: type[sqlite3.Connection]) -> SqliteStore:
    kept = _finish_swap(home)
    made_anew = []

    def go_on(database: sqlite3.Connection) -> None:
        made_anew.append(True)
        database.execute("UPDATE mark SET last_sequence = ?", (last.value,))

    try:
        database = open_database(home / NAME, factory, go_on)
    except DamagedError:
        rows = _salvage(home, last.value)
        _build(home, rows, max(last.value, max((row.sequence for row in rows), default=0)))
        kept = _finish_swap(home)
        database = open_database(home / NAME, factory)
    store = SqliteStore(home, database, last)
    try:
        _go_on_counting(store, database, last, lost=bool(made_anew) and last.value > 0, kept=kept)
    except BaseException:
        database.close()
        raise
    return store


def _go_on_counting(
    store: SqliteStore, database: sqlite3.Connection, last: HighWater, *, lost: bool, kept: Path | None
) -> None:
    sync_folder(store.home)
    # One ahead is a save or a deletion that was cut short, and its number is free. More than that, and the
    # database is older than what this device has used: those numbers may have left it.
    if last.value > store.last_sequence() + 1:
        database.execute("UPDATE mark SET last_sequence = ?", (last.value,))
        lost = True
    else:
        last.write(store.last_sequence())
    if kept is not None or lost:
        store.recovery = Recovery(kept, store.counts()[0], store.last_sequence())
    store.keep_reserve()


def _salvage(home: Path, last_sequence: int) -> list[Row]:
    """The rows that can still be read whole, from a copy: reading would change the damaged file."""
    return max(
        (_salvage_as(home, last_sequence, mend) for mend in (_pad, _renew_first_page)),
        key=len,
    )


def _salvage_as(home: Path, last_sequence: int, mend: Callable[[Path], None]) -> list[Row]:
    copy = home / _SALVAGE
    try:
        for suffix in ("", "-wal"):
            source = home / (NAME + suffix)
            if source.exists():
                shutil.copyfile(source, home / (_SALVAGE + suffix))
                (home / (_SALVAGE + suffix)).chmod(0o600)
        mend(copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as database:
            return _readable(database, last_sequence)
    except sqlite3.Error:
        return []
    finally:
        for suffix in ("", "-wal", "-shm"):
            (home / (_SALVAGE + suffix)).unlink(missing_ok=True)


def _pad(copy: Path) -> None:
    """SQLite reads nothing of a file shorter than its header says; zeros for the rest spoil only the rest."""
    head = copy.read_bytes()[:32]
    pages = int.from_bytes(head[28:32], "big")
    if len(head) == 32 and copy.stat().st_size < pages * PAGE_BYTES <= MOST_PADDED_BYTES:
        os.truncate(copy, pages * PAGE_BYTES)


def _renew_first_page(copy: Path) -> None:
    """The first page holds only the header and the tables' names, which are the same in every outbox."""
    template = copy.with_name(_TEMPLATE)
    try:
        open_database(template, sqlite3.Connection).close()
        page = bytearray(template.read_bytes()[:PAGE_BYTES])
    finally:
        template.unlink(missing_ok=True)
    page[28:32] = (-(-copy.stat().st_size // PAGE_BYTES)).to_bytes(4, "big")
    with copy.open("r+b") as handle:
        handle.write(page)


def _readable(database: sqlite3.Connection, last_sequence: int) -> list[Row]:
    end = max(last_sequence, PROBES)
    rows = []
    for sequence in range(max(1, end - PROBES), end + 1):
        try:
            found = database.execute(
                "SELECT record_id, sealed, sha256, set_aside FROM record WHERE sequence = ?", (sequence,)
            ).fetchone()
        except sqlite3.Error:
            continue
        if found is None:
            continue
        record_id, sealed, digest, set_aside = found
        if not isinstance(sealed, bytes) or hashlib.sha256(sealed).digest() != digest:
            continue
        # What is not known is taken to have left: "delete that" may then not undo it.
        rows.append(Row(sequence, bytes(record_id), sealed, True, set_aside))
    return rows


def _build(home: Path, rows: list[Row], last_sequence: int) -> None:
    path = home / _FRESH
    for suffix in ("", "-wal", "-shm"):
        (home / (_FRESH + suffix)).unlink(missing_ok=True)

    def fill(database: sqlite3.Connection) -> None:
        for row in rows:
            insert(database, row)
        database.execute("UPDATE mark SET last_sequence = ?", (last_sequence,))

    # Closing writes the log back into the database, which is then one file that can be renamed.
    open_database(path, sqlite3.Connection, fill).close()
    sync_folder(home)


def _finish_swap(home: Path) -> Path | None:
    """Put a complete new database in the damaged one's place; where the damaged one went, if it was there."""
    fresh = home / _FRESH
    if not fresh.exists():
        return None
    if not _complete(fresh):
        for suffix in ("", "-wal", "-shm"):
            (home / (_FRESH + suffix)).unlink(missing_ok=True)
        return None
    kept = _free_name(home)
    # The log first: beside the new database it would be replayed into it.
    for suffix in ("-shm", "-wal", ""):
        old = home / (NAME + suffix)
        if old.exists():
            old.rename(home / (kept.name + suffix))
    sync_folder(home)
    fresh.rename(home / NAME)
    sync_folder(home)
    return kept


def _complete(path: Path) -> bool:
    if path.with_name(path.name + "-wal").exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as database:
            return bool(database.execute("PRAGMA user_version").fetchone() == (SCHEMA,))
    except sqlite3.Error:
        return False


def _free_name(home: Path) -> Path:
    number = 1
    while (home / f"outbox.damaged-{number}.sqlite").exists():
        number += 1
    return home / f"outbox.damaged-{number}.sqlite"
