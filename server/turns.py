"""Lets one worker at a time do a chore, among all that share a database, without waiting.

A turn ends with its process: it is a lock that the database server or the operating system holds.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from server.database import Database


@contextmanager
def turn(database: Database, chore: str) -> Iterator[bool]:
    """Whether it is this worker's turn at a chore; the turn lasts for the block."""
    if database.engine.dialect.name == "sqlite":
        with _file_turn(Path(f"{database.engine.url.database}-{chore}.lock")) as mine:
            yield mine
        return
    with database.read() as connection:
        number = int.from_bytes(
            hashlib.sha256(f"onebreath {chore}".encode()).digest()[:8], "big", signed=True
        )
        yield bool(connection.execute(select(func.pg_try_advisory_xact_lock(number))).scalar_one())


@contextmanager
def _file_turn(path: Path) -> Iterator[bool]:
    opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(opened)
