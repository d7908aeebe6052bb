"""What the outbox's tests share: a server that is exact, a network that is not, and a store that dies."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voice.adapters.high_water import HighWater
from voice.adapters.recovery import open_store
from voice.adapters.store import SqliteStore
from voice.noticing import Noticing
from voice.outbox import DeviceState, Outbox, Receipt, Refused, UnreachableError

AT = datetime(2026, 3, 2, 23, 5, tzinfo=UTC)
NOTICING = Noticing("the foreman", AT)


class Died(BaseException):
    """The process is gone: nothing may catch this."""


class Fuse:
    """Counts the steps of the code under test, and kills it at the one that was chosen."""

    def __init__(self, kill_at: int | None = None, die: Callable[[], None] | None = None) -> None:
        self.steps = 0
        self.kill_at = kill_at
        self._die = die

    def step(self) -> None:
        self.steps += 1
        if self.kill_at is not None and self.steps >= self.kill_at:
            if self._die is not None:
                self._die()
            raise Died


def mortal(fuse: Fuse) -> type[sqlite3.Connection]:
    """A connection that may die before and after every statement, and leaves a transaction as it stands."""

    class Mortal(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if sql == "ROLLBACK" and fuse.kill_at is not None and fuse.steps >= fuse.kill_at:
                raise Died  # a dead process does not tidy up
            fuse.step()
            cursor = super().execute(sql, parameters)
            fuse.step()
            return cursor

    return Mortal


class MortalHighWater(HighWater):
    """The second place of the sequence number, with the same fuse."""

    fuse = Fuse()

    def write(self, value: int) -> None:
        self.fuse.step()
        super().write(value)
        self.fuse.step()


class ExactServer:
    """One row per record: the same bytes again get the first receipt, other bytes a conflict."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.log: list[str] = []

    def put(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
        known = self.records.get(record_id)
        if known is not None and known != sealed:
            self.log.append(f"conflict {sequence_of(sealed)}")
            return Refused(409, "conflict", "other bytes are kept under this id")
        self.log.append(f"{'again' if known else 'new'} {sequence_of(sealed)}")
        self.records.setdefault(record_id, sealed)
        return Receipt(record_id, hashlib.sha256(sealed).digest(), "2026-03-02T23:06:00Z")

    def sequences(self) -> list[int]:
        """In order of first arrival."""
        return [sequence_of(sealed) for sealed in self.records.values()]


class Network:
    """An uplink to an ExactServer; `faults` says what goes wrong with each send, then nothing does."""

    def __init__(self, server: ExactServer, faults: Iterable[str] = (), fuse: Fuse | None = None) -> None:
        self._server = server
        self._faults = iter(faults)
        self._fuse = fuse or Fuse()
        self.state = DeviceState.ACTIVE
        self.sent: list[bytes] = []
        self._last: Receipt | Refused | None = None

    def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
        fault = next(self._faults, "")
        self._fuse.step()
        if fault == "refused":
            raise UnreachableError("connection refused", before_any_byte=True)
        self.sent.append(sealed)
        if fault == "lost request":
            raise UnreachableError("timed out", before_any_byte=False)
        if self.state is not DeviceState.ACTIVE:
            return Refused(403, self.state.value, "the clinician said so")
        if fault.isdigit():
            return Refused(int(fault), "no", "said the server")
        answer = self._server.put(record_id, sealed)
        if fault == "sent twice":
            answer = self._server.put(record_id, sealed)
        self._fuse.step()
        if fault == "lost answer":
            raise UnreachableError("connection reset", before_any_byte=False)
        if fault == "old answer" and self._last is not None:
            return self._last
        if fault == "wrong hash":
            return Receipt(record_id, bytes(32), "2026-03-02T23:06:00Z")
        self._last = answer
        return answer

    def device_state(self) -> DeviceState:
        return self.state


def seal(noticing: Noticing, record_id: bytes, sequence: int) -> bytes:
    """Marker bytes in place of the sealed record."""
    return b"%d|%s|%s" % (sequence, record_id.hex().encode(), noticing.part.encode())


def sequence_of(sealed: bytes) -> int:
    return int(sealed.split(b"|")[0])


def record_ids() -> Callable[[], bytes]:
    numbers = itertools.count(1)
    return lambda: next(numbers).to_bytes(16, "big")


class Rig:
    """A device's outbox that can be killed and started again, with its server."""

    def __init__(self, folder: Path, *, hold_s: float = 0.0) -> None:
        self._folder = folder
        self._generation = 0
        self._hold_s = hold_s
        self.server = ExactServer()
        self.home = folder / "home-0"
        self.fuse = Fuse()
        self._ids = record_ids()
        self.store: SqliteStore
        self.outbox: Outbox
        self.start()

    def start(self) -> None:
        """Start the process (again), with a fuse that is not lit."""
        self.fuse = Fuse()
        self.store = open_store(self.home, factory=mortal(self.fuse))
        second_place = self.store._last  # the rig replaces a part; the store under test stays whole
        MortalHighWater.fuse = self.fuse
        second_place.__class__ = MortalHighWater
        self.outbox = Outbox(self.store, seal, self._ids, hold_s=self._hold_s)

    def crash(self) -> None:
        """Kill the process as it stands: the next one finds the files exactly as they are now."""
        self._generation += 1
        after = self._folder / f"home-{self._generation}"
        shutil.copytree(self.home, after)
        self.fuse.kill_at = None
        self.store.close()
        shutil.rmtree(self.home)
        self.home = after
        self.start()

    def network(self, *faults: str) -> Network:
        return Network(self.server, faults, self.fuse)


def fast_folder(fallback: Path) -> Path:
    """Memory-backed where the machine has it: thousands of commits need no real disk to be killed at each."""
    shared = Path("/dev/shm")  # noqa: S108 - only a faster place, and a fresh folder in it
    return shared if os.access(shared, os.W_OK) else fallback
