"""The outbox on disk: SQLite, one connection, every call one transaction that is on disk when it returns.

The file is locked for as long as it is open: a second process is told so instead of sharing it. Only sealed
bytes ever come here.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from voice.adapters.high_water import HighWater
from voice.errors import StorageError
from voice.outbox import Row

NAME: Final = "outbox.sqlite"
HIGH_WATER_NAME: Final = "outbox.last"
SCHEMA: Final = 1
"""`user_version` of the database."""

PAGE_BYTES: Final = 4_096

RESERVE_NAME: Final = "outbox.reserve"
RESERVE_BYTES: Final = 256 * 1024
"""Given up on a full disk, so that what was saved can be delivered: removing a row writes a log first."""

_PRAGMAS: Final = (
    f"page_size={PAGE_BYTES}",
    "locking_mode=EXCLUSIVE",
    "journal_mode=WAL",
    "synchronous=FULL",
    "temp_store=MEMORY",
    "secure_delete=ON",
    # Every few records, not every 4 MB: the log stays small, and the database is whole by itself.
    "wal_autocheckpoint=8",
)
_TABLES: Final = (
    "CREATE TABLE record (sequence INTEGER PRIMARY KEY, record_id BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL,"
    " sha256 BLOB NOT NULL, offered INTEGER NOT NULL, set_aside TEXT)",
    "CREATE TABLE mark (id INTEGER PRIMARY KEY CHECK (id = 1), last_sequence INTEGER NOT NULL)",
    "INSERT INTO mark VALUES (1, 0)",
)
_COLUMNS: Final = "sequence, record_id, sealed, offered, set_aside, sha256"


@dataclass(frozen=True)
class Recovery:
    """What opening found damaged. `kept` is where the damaged database now lies, None if it was gone."""

    kept: Path | None
    salvaged: int
    last_sequence: int

    def __str__(self) -> str:
        """For the person who looks after the device; says nothing about any record."""
        saved = "1 record was" if self.salvaged == 1 else f"{self.salvaged} records were"
        aside = f" The damaged file is kept as {self.kept}." if self.kept else ""
        return f"The outbox was damaged. {saved} saved from it; what is missing shows at the reader.{aside}"


class InUseError(StorageError):
    """Another process has the outbox open: as a rule the device that is listening."""


class DamagedError(Exception):
    """The database cannot be read as one."""


class SqliteStore:
    """A `voice.outbox.Store`, used under the outbox's lock; `recovery` says what opening mended."""

    def __init__(self, home: Path, connection: sqlite3.Connection, last: HighWater) -> None:
        self.home = home
        self.recovery: Recovery | None = None
        self._database = connection
        self._last = last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the files back. Nothing is pending: every call had committed."""
        self._database.close()
        self._last.close()

    def last_sequence(self) -> int:
        with _explained(self.home):
            (last,) = self._database.execute("SELECT last_sequence FROM mark").fetchone()
            return int(last)

    def row(self, sequence: int) -> Row | None:
        return self._one("WHERE sequence = ?", sequence)

    def first_waiting(self) -> Row | None:
        return self._one("WHERE set_aside IS NULL ORDER BY sequence LIMIT 1")

    def rows(self) -> Sequence[Row]:
        with _explained(self.home):
            found = self._database.execute(f"SELECT {_COLUMNS} FROM record ORDER BY sequence")  # noqa: S608
            return [_row(values) for values in found]

    def waiting(self) -> Sequence[int]:
        with _explained(self.home):
            found = self._database.execute(
                "SELECT sequence FROM record WHERE set_aside IS NULL ORDER BY sequence"
            )
            return [int(sequence) for (sequence,) in found]

    def counts(self) -> tuple[int, int]:
        with _explained(self.home):
            waiting, aside = self._database.execute(
                "SELECT count(*) FILTER (WHERE set_aside IS NULL), count(set_aside) FROM record"
            ).fetchone()
            return int(waiting), int(aside)

    def add(self, row: Row) -> None:
        with _explained(self.home):
            # First here: were the database lost after the commit, this number must not be used again.
            self._last.write(row.sequence)
            with self._transaction():
                insert(self._database, row)
                self._database.execute("UPDATE mark SET last_sequence = ?", (row.sequence,))

    def mark_offered(self, sequence: int, offered: bool) -> None:
        self._change("UPDATE record SET offered = ? WHERE sequence = ?", int(offered), sequence)

    def set_aside(self, sequence: int, reason: str | None) -> None:
        self._change("UPDATE record SET set_aside = ? WHERE sequence = ?", reason, sequence)

    def remove(self, sequence: int) -> None:
        self._change("DELETE FROM record WHERE sequence = ?", sequence)

    def take_back(self, sequence: int) -> None:
        with _explained(self.home):
            with self._transaction():
                self._database.execute("DELETE FROM record WHERE sequence = ?", (sequence,))
                self._database.execute("UPDATE mark SET last_sequence = ?", (sequence - 1,))
            self._last.write(sequence - 1)

    def replace(self, row: Row) -> None:
        with _explained(self.home), self._transaction():
            self._database.execute("DELETE FROM record WHERE sequence = ? AND offered = 0", (row.sequence,))
            insert(self._database, row)

    def _one(self, where: str, *values: object) -> Row | None:
        with _explained(self.home):
            found = self._database.execute(f"SELECT {_COLUMNS} FROM record {where}", values).fetchone()  # noqa: S608
            return None if found is None else _row(found)

    def _change(self, statement: str, *values: object) -> None:
        with _explained(self.home):
            try:
                with self._transaction():
                    self._database.execute(statement, values)
            except sqlite3.OperationalError as error:
                if not is_full(error) or not self._give_up_reserve():
                    raise
                with self._transaction():
                    self._database.execute(statement, values)

    def keep_reserve(self) -> None:
        """Set space aside while there is some. A disk too full for it is no error: saving will say so."""
        path = self.home / RESERVE_NAME
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            if os.fstat(handle).st_size != RESERVE_BYTES:
                os.pwrite(handle, bytes(RESERVE_BYTES), 0)
                os.fsync(handle)
        except OSError:
            path.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def _give_up_reserve(self) -> bool:
        path = self.home / RESERVE_NAME
        if not path.exists():
            return False
        path.unlink()
        # The log could not be written back for want of space; now it can, and begins again.
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # After a full disk SQLite may have rolled back by itself; a second ROLLBACK would be an error.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


def open_database(
    path: Path, factory: type[sqlite3.Connection], prepare: Callable[[sqlite3.Connection], None] | None = None
) -> sqlite3.Connection:
    """Open and check one database, making it when it is new; `prepare` joins the transaction that makes it.

    Raises DamagedError when it cannot be read as an outbox, StorageError when it is of a newer version, and
    sqlite3.Error for everything else (locked, full, not writable).
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(
        path, timeout=0.2, isolation_level=None, check_same_thread=False, factory=factory
    )
    try:
        for pragma in _PRAGMAS:
            database.execute(f"PRAGMA {pragma}").fetchall()
        # Takes the lock that is then kept, so that whatever follows is ours alone to judge.
        database.execute("BEGIN EXCLUSIVE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise StorageError(
                f"The outbox at {path} was written by a newer Onebreath.",
                "Update Onebreath; the records in it are kept.",
            )
        if version == 0:
            for statement in _TABLES:
                database.execute(statement)
            if prepare is not None:
                prepare(database)
            database.execute(f"PRAGMA user_version = {SCHEMA}")
        database.execute("COMMIT")
        answers = [answer for (answer,) in database.execute("PRAGMA quick_check").fetchall()]
        if answers != ["ok"] or database.execute("SELECT count(*) FROM mark").fetchone() != (1,):
            raise DamagedError(str(answers[0]))
        database.execute(f"SELECT {_COLUMNS} FROM record LIMIT 1").fetchall()  # noqa: S608
    except sqlite3.DatabaseError as error:
        database.close()
        if is_damage(error):
            raise DamagedError(str(error)) from None
        raise
    except BaseException:
        database.close()
        raise
    return database


def insert(database: sqlite3.Connection, row: Row) -> None:
    """Put one row into the record table, with the hash that salvage checks it by."""
    digest = hashlib.sha256(row.sealed).digest()
    database.execute(
        "INSERT INTO record (sequence, record_id, sealed, sha256, offered, set_aside)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (row.sequence, row.record_id, row.sealed, digest, int(row.offered), row.set_aside),
    )


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is at fault, not the disk, the lock or the permissions."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return False
    return code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


def is_full(error: sqlite3.Error | OSError) -> bool:
    """Whether the disk, or this user's share of it, is used up."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _row(values: tuple[Any, ...]) -> Row:
    sequence, record_id, sealed, offered, set_aside, _ = values
    return Row(sequence, record_id, sealed, bool(offered), set_aside)


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    """Say what SQLite or the disk refused in words that lead somewhere."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(home, error) from error


def explain(home: Path, error: sqlite3.Error | OSError) -> StorageError:
    """The error for a person; its cause stays chained."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if is_full(error):
        return StorageError(
            f"The disk under {home} is full: the record could not be kept.",
            "Free some space; everything saved before is still there.",
        )
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return InUseError(
            f"The outbox in {home} is in use by another Onebreath process.",
            "Stop that one first (for example `systemctl stop onebreath`).",
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StorageError(
            f"The outbox in {home} is damaged ({error}).",
            "Start Onebreath again: it keeps the damaged file and carries over what is readable.",
        )
    return StorageError(
        f"The outbox in {home} could not be read or written ({error}).",
        "Check that the folder is there, belongs to this user and is writable.",
    )
