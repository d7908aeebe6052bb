"""Backups: a copy of the database while the server writes, its check, and its way back.

A backup holds what the database holds: ciphertext, public keys and the least metadata. It is a copy of one
moment: every record that was acknowledged before it began is in it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy import inspect as look_at
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import table as named

from server import audit, backup_file, backup_postgres
from server.accounts_schema import Challenge, Session
from server.audit import Act
from server.backup_contents import ContentError, Contents, Row, copied_rows, inspect
from server.backup_file import Manifest, damaged
from server.database import Database, connect, open_database
from server.errors import ServerError
from server.schema import AuditHead

SUFFIX: Final = ".onebreath-backup"
_TELLING: Final = ("practices", "clinicians", "accounts", "records", "audit")
"""A database with a row in one of these is somebody's."""

_BUSY_MS: Final = 2000


@dataclass(frozen=True)
class Restored:
    """What came back, and where the database that was there before is now, if there was one (SQLite)."""

    manifest: Manifest
    set_aside: Path | None


def create(url: str, target: Path, *, now: int) -> tuple[Path, Manifest]:
    """Back the database up to a new file, or into a folder under a name of its own, and check the result.

    Raises ServerError: no such database, no room, already there, pg_dump missing.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    path = target / f"onebreath-{stamp}{SUFFIX}" if target.is_dir() else target
    if path.exists() or path.is_symlink():
        raise ServerError(f"{path} is already there.", "Backups are not overwritten. Give another name.")
    file = _sqlite_file(url)
    if file is not None and not file.is_file():
        raise ServerError("There is no database to back up.", "Give the server's own with --database.")
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=path.parent) as folder:
            copy = Path(folder) / "copy"
            manifest = _copy(url, copy, now)
            backup_file.write(path, manifest, copy)
    except OSError as error:
        raise ServerError(
            f"The backup {path} cannot be written: {error.strerror or 'an error'}.",
            "Check the path, its owner and the free space: twice the database's size is needed for a while.",
        ) from error
    with _extracted(path, beside=path) as (written, copy):
        _verified(path, written, copy)
    return path, manifest


def verify(path: Path) -> Manifest:
    """Check a backup down to each record and audit entry. Raises ServerError."""
    with _extracted(path) as (manifest, copy):
        return _verified(path, manifest, copy)


def restore(path: Path, url: str, *, now: int, force: bool = False) -> Restored:
    """Check a backup, then make the database what it was. Nothing is changed when the check fails.

    The schema is brought up to date, everyone is signed out, and the audit log says what happened. Raises
    ServerError: damaged, not for this kind of database, the database is not empty (unless `force`), in use.
    """
    parsed = make_url(url)
    kind = "sqlite" if parsed.get_backend_name() == "sqlite" else "postgresql"
    with _extracted(path, beside=_sqlite_file(url)) as (manifest, copy):
        if manifest.kind != kind:
            raise ServerError(
                f"This is a backup of {manifest.kind}, and the database is {kind}.",
                "Restore it to a database of its own kind.",
            )
        _verified(path, manifest, copy)
        if not force and not _empty(url):
            raise ServerError(
                "The database that would be replaced is not empty.",
                "Give --database for another place, or --force to replace this one.",
            )
        if kind == "sqlite":
            aside = _replace_file(Path(parsed.database or ""), copy, manifest, now)
        else:
            aside = None
            backup_postgres.restore(parsed, copy)
            database = open_database(url)
            try:
                _account_for(database, manifest, now)
            finally:
                database.close()
    return Restored(manifest, aside)


def _copy(url: str, copy: Path, now: int) -> Manifest:
    if (file := _sqlite_file(url)) is not None:
        _copy_sqlite(file, copy)
        database = connect(f"sqlite:///{copy}")
        try:
            contents, revision = _counted(database)
        finally:
            database.close()
        # One file that needs nothing beside it.
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        kind = "sqlite"
    else:
        contents, revision = _copy_postgres(url, copy)
        kind = "postgresql"
    sha256, size = backup_file.digest_of(copy)
    return Manifest(
        kind=kind,
        made_at=now,
        version=version("onebreath"),
        revision=revision,
        sha256=sha256,
        size=size,
        counts=dict(contents.counts),
        audit_sequence=contents.audit_sequence,
        audit_digest=contents.audit_digest.hex(),
    )


def _copy_sqlite(file: Path, copy: Path) -> None:
    """SQLite's own online copy, in one step: of one moment, and writers go on meanwhile."""
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.execute(f"PRAGMA busy_timeout={_BUSY_MS * 10}")
            source.backup(target, pages=-1)
    except sqlite3.Error as error:
        raise ServerError(
            f"The database {file} cannot be copied: {error}.",
            "Check that it is the server's and not damaged.",
        ) from error


def _copy_postgres(url: str, copy: Path) -> tuple[Contents, str]:
    """The dump and the counts are of the same snapshot."""
    database = connect(url)
    try:
        with database.read() as connection:
            snapshot = str(connection.execute(select(func.pg_export_snapshot())).scalar_one())
            backup_postgres.dump(make_url(url), snapshot, copy)
            return _counts_in(connection)
    except SQLAlchemyError as error:
        raise ServerError(
            "The database cannot be read.",
            "Check its URL, and that the server has been started with it once.",
        ) from error
    finally:
        database.close()


def _counted(database: Database) -> tuple[Contents, str]:
    try:
        with database.read() as connection:
            return _counts_in(connection)
    except SQLAlchemyError as error:
        raise ServerError("This is not the server's database.", "Give it with --database.") from error


def _counts_in(connection: Connection) -> tuple[Contents, str]:
    counts = {
        name: int(connection.execute(select(func.count()).select_from(named(name))).scalar_one())
        for name in look_at(connection).get_table_names()
    }
    head = connection.execute(select(AuditHead.sequence, AuditHead.digest)).one()
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return Contents(counts, head.sequence, bytes(head.digest)), str(revision)


@contextmanager
def _extracted(path: Path, beside: Path | None = None) -> Iterator[tuple[Manifest, Path]]:
    """The database's copy in a folder of its own, gone at the end unless it was moved elsewhere."""
    with ExitStack() as stack:
        try:
            if beside is not None:
                beside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            where = None if beside is None else beside.parent
            made = tempfile.TemporaryDirectory(prefix=".backup-", dir=where)
            copy = Path(stack.enter_context(made)) / "copy"
            manifest = backup_file.extract(path, copy)
        except OSError as error:
            raise ServerError(
                f"The backup {path} cannot be unpacked: {error.strerror or 'an error'}.",
                "Check the free space.",
            ) from error
        yield manifest, copy


def _verified(path: Path, manifest: Manifest, copy: Path) -> Manifest:
    try:
        if manifest.kind == "sqlite":
            found = _look_through_sqlite(copy)
        else:
            with backup_postgres.script(copy, "devices") as lines:
                senders = _senders(copied_rows(lines))
            with backup_postgres.script(copy) as lines:
                found = inspect(copied_rows(lines), senders)
    except ContentError as error:
        raise damaged(path, str(error)) from error
    except (sqlite3.Error, KeyError, TypeError, ValueError) as error:
        raise damaged(path, "its database cannot be read") from error
    said = {name: count for name, count in manifest.counts.items() if count}
    if dict(found.counts) != said:
        raise damaged(path, "it holds other rows than its manifest says")
    if (found.audit_sequence, found.audit_digest.hex()) != (manifest.audit_sequence, manifest.audit_digest):
        raise damaged(path, "its audit log is not the one that its manifest names")
    return manifest


def _look_through_sqlite(copy: Path) -> Contents:
    with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        for check, wanted in (("quick_check", "ok"), ("foreign_key_check", None)):
            found = connection.execute(f"PRAGMA {check}").fetchone()
            if (None if found is None else found[0]) != wanted:
                raise ContentError(f"SQLite's {check} fails")
        senders = _senders(("devices", dict(row)) for row in connection.execute("SELECT * FROM devices"))
        return inspect(_sqlite_rows(connection), senders)


def _sqlite_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite_%'"
    )
    for (name,) in names.fetchall():
        for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name of its own schema
            yield name, dict(row)


def _senders(rows: Iterator[Row]) -> dict[bytes, bytes]:
    return {bytes(row["id"]): bytes(row["signing"]) for table, row in rows if table == "devices"}


def _empty(url: str) -> bool:
    file = _sqlite_file(url)
    if file is not None and (not file.exists() or file.stat().st_size == 0):
        return True
    database = connect(url)
    try:
        with database.read() as connection:
            present = set(look_at(connection).get_table_names())
            tables = [named(name) for name in _TELLING if name in present]
            return not any(
                connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
            )
    except SQLAlchemyError:
        # Whatever it is, it is not nothing.
        return False
    finally:
        database.close()


def _replace_file(file: Path, copy: Path, manifest: Manifest, now: int) -> Path | None:
    """Ready the copy beside the file, then put it in its place; the old file is kept under another name."""
    database = open_database(f"sqlite:///{copy}")
    try:
        _account_for(database, manifest, now)
    finally:
        database.close()
    aside = None
    try:
        if file.exists():
            _release(file)
            aside = file.with_name(f"{file.name}.before-restore-{now}")
            os.link(file, aside)
        copy.replace(file)
        backup_file.sync_folder(file.parent)
    except OSError as error:
        raise ServerError(
            f"The database {file} cannot be put in its place: {error.strerror or 'an error'}.",
            "Check its folder, its owner and the free space. What was there is still there.",
        ) from error
    return aside


def _release(file: Path) -> None:
    """Make the old database one file; refused while a server has it open. A damaged one stays as it is."""
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_MS / 1000)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        raise ServerError(
            f"The database {file} is in use.", "Stop the server first: systemctl stop onebreath-server"
        ) from error
    except sqlite3.DatabaseError:
        for suffix in ("-wal", "-shm"):
            beside = file.with_name(f"{file.name}{suffix}")
            if beside.exists():
                beside.replace(file.with_name(f"{beside.name}.before-restore"))


def _account_for(database: Database, manifest: Manifest, now: int) -> None:
    """Sign everyone out, since what was revoked after the backup is not in it, and write it down."""
    with database.write() as connection:
        connection.execute(delete(Session))
        connection.execute(delete(Challenge))
        subject = f"backup:{manifest.sha256[:32]} made_at:{manifest.made_at}"
        audit.write(connection, Act.RESTORED, now=now, actor=audit.SYSTEM, subject=subject)


def _sqlite_file(url: str) -> Path | None:
    parsed: URL = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    return Path(parsed.database or "")
