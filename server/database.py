"""Opens the database: durable, checked, and migrated to this version's schema."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, SQLAlchemyError

from server.errors import ServerError

BUSY_TIMEOUT_MS = 30_000
_WRITE = "onebreath_write"


class Database:
    """One engine. `read` and `write` are transactions; a write takes its lock at the start."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite's own wait for a second writer sleeps and polls; within one process a lock is fair and quick.
        self._writer: Any = threading.Lock() if engine.dialect.name == "sqlite" else _Free()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block ends, or has not happened."""
        with self._writer, self.engine.execution_options(**{_WRITE: True}).begin() as connection:
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Create, check and migrate the database at an SQLAlchemy URL.

    Raises ServerError with cause and remedy: damaged, not writable, of a newer version, not reachable.
    """
    try:
        parsed = make_url(url)
        path = _sqlite_path(parsed)
        engine = create_engine(parsed, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ServerError(
            "The database URL is not one this server can use.",
            "Give the path of an SQLite file, or a URL such as sqlite:////var/lib/onebreath/onebreath.db.",
        ) from error
    if path is not None:
        _prepare_file(path)
        _make_durable(engine)
    database = Database(engine)
    try:
        if path is not None:
            _check(database, path)
        migrate(database)
    except CommandError as error:
        database.close()
        raise ServerError(
            f"The database was made by another version of Onebreath ({error}).",
            "Install that version again, or restore a backup made with this one. Nothing was changed.",
        ) from error
    except SQLAlchemyError as error:
        database.close()
        raise _unusable(path, error) from error
    except ServerError:
        database.close()
        raise
    return database


def migrate(database: Database) -> None:
    """Bring the schema to this version, in one transaction."""
    with database.write() as connection:
        command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> Config:
    """Alembic on an open connection; its scripts are found inside the installed package."""
    config = Config()
    config.set_main_option("script_location", "server:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


class _Free:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def _sqlite_path(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise ServerError(
            "The database would be lost when the server stops.", "Give the path of a file, not memory."
        )
    return Path(url.database)


def _prepare_file(path: Path) -> None:
    """The folder and the file, readable by this account alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ServerError(
            f"The database {path} cannot be written: {error.strerror}.",
            "Check the path, its owner and the free space, or give another with --database.",
        ) from error


def _make_durable(engine: Engine) -> None:
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)


def _check(database: Database, path: Path) -> None:
    with database.read() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise _damaged(path)


def _unusable(path: Path | None, error: SQLAlchemyError) -> ServerError:
    reason = str(error.orig) if isinstance(error, DatabaseError) else type(error).__name__
    if path is not None and ("malformed" in reason or "not a database" in reason or "corrupt" in reason):
        return _damaged(path)
    return ServerError(
        f"The database cannot be used: {reason}.",
        "Check that it can be reached, that this account may write to it, and that its disk is not full.",
    )


def _damaged(path: Path) -> ServerError:
    return ServerError(
        f"The database {path} is damaged.",
        "Nothing was changed. Stop the server, keep a copy of the file, its -wal and its -shm, and restore "
        f"the latest backup, or recover what can be read with: sqlite3 {path} .recover",
    )
