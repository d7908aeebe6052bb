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
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, SQLAlchemyError

from server.errors import ServerError

BUSY_TIMEOUT_MS = 30_000
POOL = 20
MIGRATION_LOCK = 0x1B5E4E
_WRITE = "onebreath_write"


class Database:
    """One engine. `read` and `write` are transactions; a write takes its lock at the start."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # On PostgreSQL each statement would otherwise see a moment of its own.
        once: dict[str, Any] = (
            {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        )
        self._reader = engine.execution_options(**once)
        self._writing = engine.execution_options(**{_WRITE: True})
        # SQLite's own wait for a second writer sleeps and polls; within one process a lock is fair and quick.
        self._writer: Any = threading.Lock() if engine.dialect.name == "sqlite" else _Free()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database."""
        with self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block ends, or has not happened."""
        with self._writer, self._writing.begin() as connection:
            yield connection

    @contextmanager
    def schema_change(self) -> Iterator[Connection]:
        """A writing transaction in which SQLite lets tables be made anew; references are checked at last."""
        if self.engine.dialect.name != "sqlite":
            with self.write() as connection:
                connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                yield connection
            return
        with self._writer, self._writing.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    yield connection
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                        raise _broken_references()
            finally:
                driver.execute("PRAGMA foreign_keys=ON")

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Create, check and migrate the database at an SQLAlchemy URL.

    Raises ServerError with cause and remedy: damaged, not writable, of a newer version, not reachable.
    """
    database = connect(url)
    path = _sqlite_path(database.engine.url)
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


def connect(url: str) -> Database:
    """The database at an SQLAlchemy URL, as it is. Raises ServerError: no such kind, not writable."""
    try:
        parsed = make_url(url)
        path = _sqlite_path(parsed)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        sizes: dict[str, Any] = {}
        if path is None:
            sizes = {"pool_size": POOL, "max_overflow": POOL, "pool_pre_ping": True}
        engine = create_engine(parsed, hide_parameters=True, **sizes)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ServerError(
            "The database URL is not one this server can use.",
            "Give the path of an SQLite file, or a URL such as postgresql://onebreath@localhost/onebreath.",
        ) from error
    if path is not None:
        _prepare_file(path)
        _make_durable(engine)
    return Database(engine)


def migrate(database: Database) -> None:
    """Bring the schema to this version, in one transaction; workers that start together take turns."""
    with database.schema_change() as connection:
        command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection | None) -> Config:
    """Alembic on an open connection, if any; its scripts are found inside the installed package."""
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
        # What is deleted is overwritten with zeros: a shredded key must not be found in a free page.
        cursor.execute("PRAGMA secure_delete=ON")
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
        f"The database cannot be used: {reason.strip()}.",
        "Check that it can be reached, that this account may write to it, and that its disk is not full.",
    )


def _broken_references() -> ServerError:
    return ServerError(
        "The database holds rows that refer to nothing, so it was not changed.",
        "Keep a copy of it and restore the latest backup: onebreath backup restore",
    )


def _damaged(path: Path) -> ServerError:
    return ServerError(
        f"The database {path} is damaged.",
        "Nothing was changed. Stop the server, keep a copy of the file, its -wal and its -shm, and restore "
        f"the latest backup, or recover what can be read with: sqlite3 {path} .recover",
    )
