"""Several calls' writes in one commit: on SQLite a commit waits for the disk, and only one can be under way.

Whoever comes while a commit is under way waits, with all others who do, for the next one, which takes them
all. A lone caller waits for nobody. PostgreSQL does the same by itself, in its log; there each call has its
own transaction, and its own row locks for no longer than it needs them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import Connection

from server.database import Database
from server.errors import RefusedError

T = TypeVar("T")

MOST: Final = 64
"""Calls in one commit."""


class _Call(Generic[T]):
    """One caller's work, until it is committed or has failed."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.turn = threading.Event()
        """Set when it is done, or when this caller is to commit for all who wait."""
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def ends(self, error: BaseException | None = None) -> None:
        """It is committed, or it has failed."""
        self.done, self.error = True, error

    def outcome(self) -> T:
        """The result; raises what the work, or the commit, raised."""
        if self.error is not None:
            raise self.error
        return cast(T, self.result)


class Together:
    """Runs pieces of work in writing transactions, as many as wait in one.

    A piece may refuse (RefusedError) before it has written anything, and must not write before it refuses:
    the others' writes are in the same transaction. When a transaction fails, each of its pieces is tried in
    one of its own, so that what is wrong with one is not wrong with all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._alone = database.engine.dialect.name != "sqlite"
        self._mutex = threading.Lock()
        self._waiting: list[_Call[Any]] = []
        self._leading = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """The work's result, once it is on disk."""
        call = _Call(work)
        if self._alone:
            self._commit([call])
            return call.outcome()
        with self._mutex:
            self._waiting.append(call)
            follows, self._leading = self._leading, True
        if follows:
            call.turn.wait()
        if not call.done:
            self._lead()
        return call.outcome()

    def _lead(self) -> None:
        """Commit for all who wait, then hand over to the first of those who have come since."""
        with self._mutex:
            calls, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._commit(calls)
        finally:
            with self._mutex:
                heir = self._waiting[0] if self._waiting else None
                self._leading = heir is not None
            if heir is not None:
                heir.turn.set()
            for call in calls:
                call.turn.set()

    def _commit(self, calls: list[_Call[Any]]) -> None:
        refused: dict[_Call[Any], RefusedError] = {}
        try:
            with self._database.write() as connection:
                for call in calls:
                    try:
                        call.result = call.work(connection)
                    except RefusedError as error:
                        refused[call] = error
        except BaseException as error:
            if len(calls) == 1:
                calls[0].ends(error)
                return
            for call in calls:
                self._commit([call])
            return
        for call in calls:
            call.ends(refused.get(call))
