"""The device's outbox: seal, commit, retry, acknowledge.

What must not live elsewhere: the order of these steps. A noticing is sealed in memory before anything is
written; "saved" may be spoken only after `save` returns; a record leaves the store only for a receipt that
names its exact bytes; a sequence number that may have left the device is never used again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from voice.noticing import Noticing

Seal = Callable[[Noticing, bytes, int], bytes]
"""Turns (noticing, record id of 16 bytes, sequence number from 1) into the sealed record."""

HOLD_S: Final = 30.0
"""Seconds a record stays on the device before it is first offered, so that "delete that" has its chance."""

MISMATCHES: Final = 5
"""Receipts for other bytes that one record may get in a row before it is set aside."""

FINAL_STATUSES: Final = frozenset({400, 409, 413, 415, 422})
"""Answers that the same bytes would get again: the record is set aside, never sent hot."""


class DeviceState(StrEnum):
    """What the clinician allows this device, as the server last said."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISCHARGED = "discharged"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Row:
    """One sealed record in the store. `offered`: its bytes may have left; `set_aside`: why, or None."""

    sequence: int
    record_id: bytes
    sealed: bytes
    offered: bool = False
    set_aside: str | None = None


@dataclass(frozen=True)
class Receipt:
    """The server's word that these bytes are durable; `sha256` (32 bytes) says which bytes."""

    record_id: bytes
    sha256: bytes
    received_at: str


@dataclass(frozen=True)
class Refused:
    """The server answered, and not with a receipt. `status` is HTTP's, `code` the server's own word."""

    status: int
    code: str
    message: str


class UnreachableError(Exception):
    """No answer. `before_any_byte`: the connection failed before a byte of the request was sent."""

    def __init__(self, cause: str, *, before_any_byte: bool) -> None:
        super().__init__(cause)
        self.before_any_byte = before_any_byte


class Uplink(Protocol):
    """The way to the server."""

    def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
        """Offer one sealed record; raises UnreachableError when no answer came."""
        ...

    def device_state(self) -> DeviceState:
        """Ask what the clinician allows; raises UnreachableError when no answer came."""
        ...


class Store(Protocol):
    """Durable rows. A call is one transaction, on disk when it returns; one that raises changed nothing."""

    def last_sequence(self) -> int:
        """The highest sequence number in use or used; 0 before the first record."""
        ...

    def row(self, sequence: int) -> Row | None:
        """One row."""
        ...

    def first_waiting(self) -> Row | None:
        """The oldest row that is not set aside."""
        ...

    def rows(self) -> Sequence[Row]:
        """All rows, oldest first, set-aside ones included."""
        ...

    def waiting(self) -> Sequence[int]:
        """The sequence numbers of the rows that are not set aside, oldest first."""
        ...

    def counts(self) -> tuple[int, int]:
        """(waiting, set aside)."""
        ...

    def add(self, row: Row) -> None:
        """Insert the row and make its sequence number the last."""
        ...

    def mark_offered(self, sequence: int, offered: bool) -> None:
        """Note that the bytes may leave, or, after a refused connection, that they did not."""
        ...

    def set_aside(self, sequence: int, reason: str | None) -> None:
        """Keep the row out of the way with a reason, or (None) let it wait again."""
        ...

    def remove(self, sequence: int) -> None:
        """Remove an acknowledged row."""
        ...

    def take_back(self, sequence: int) -> None:
        """Remove the last row and free its sequence number."""
        ...

    def replace(self, row: Row) -> None:
        """Put this row in the place of the one with its sequence number, which was never offered."""
        ...


@dataclass(frozen=True)
class Backoff:
    """Waits after failures: `first_s`, doubling to `most_s`; half of each wait is shortened by the jitter."""

    first_s: float = 5.0
    most_s: float = 900.0

    def wait_s(self, failures: int, jitter: float) -> float:
        """Seconds to wait after this many failures in a row (>= 1); `jitter` in [0, 1)."""
        full = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return full * (1.0 - jitter / 2.0)


@dataclass(frozen=True)
class Flushed:
    """What one flush did and what remains.

    `device_state` is None when the server said nothing about it; `reachable` is None when nothing was tried.
    `next_try_at` is when another flush is worth its while, on the clock that `now` came from; None when
    nothing waits, or only what is held. `problem` is the last failure in plain words.
    """

    delivered: int
    waiting: int
    set_aside: int
    device_state: DeviceState | None = None
    reachable: bool | None = None
    next_try_at: float | None = None
    problem: str | None = None


@dataclass
class _Tries:
    """What is remembered between flushes, in memory only: a restart may try again at once."""

    failures: int = 0
    not_before: float | None = None
    first_seen: dict[int, float] = field(default_factory=dict)
    mismatches: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Offer:
    row: Row
    fresh: bool


class Outbox:
    """The durable list of sealed records not yet acknowledged.

    `save`, `delete_last` and `pending` may be called from one thread while `flush` runs in another: the store
    is used under a lock that is never held while the network is waited for.
    """

    def __init__(
        self,
        store: Store,
        seal: Seal,
        new_record_id: Callable[[], bytes],
        *,
        hold_s: float = HOLD_S,
        backoff: Backoff | None = None,
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._store = store
        self._seal = seal
        self._new_record_id = new_record_id
        self._hold_s = hold_s
        self._backoff = backoff or Backoff()
        self._jitter = jitter
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._tries = _Tries()
        self._held: int | None = None
        """The sequence number of a record that is not to be offered yet. In memory only: after a cut of the
        power it is a record like any other."""

    def save(self, noticing: Noticing, *, hold: bool = False) -> bytes:
        """Seal and commit one noticing; returns its record id of 16 bytes once it is on disk.

        `hold`: it is not offered before `let_go`, or the next `save`. Raises StorageError when it could not
        be kept; everything saved before is still there.
        """
        with self._lock:
            sequence = self._store.last_sequence() + 1
            record_id = self._new_record_id()
            sealed = self._seal(noticing, record_id, sequence)
            self._tries.first_seen.pop(sequence, None)
            self._store.add(Row(sequence, record_id, sealed))
            self._held = sequence if hold else None
            return record_id

    def let_go(self, noticing: Noticing | None = None) -> bytes | None:
        """The held record may be offered now; with `noticing`, that is sealed and takes its place first.

        Returns the new record's id; None when nothing took its place, also where nothing was held any more.
        One commit: the record before is there until it is not, and no byte of it has left. Raises
        StorageError when the new one could not be kept; the one before then stays and goes.
        """
        with self._lock:
            held, self._held = self._held, None
            row = None if held is None else self._store.row(held)
            if noticing is None or row is None or row.offered:
                return None
            record_id = self._new_record_id()
            self._store.replace(Row(row.sequence, record_id, self._seal(noticing, record_id, row.sequence)))
            self._tries.first_seen.pop(row.sequence, None)
            return record_id

    def pending(self) -> tuple[Row, ...]:
        """The records that still wait for their receipt, oldest first."""
        with self._lock:
            return tuple(row for row in self._store.rows() if row.set_aside is None)

    def set_aside(self) -> tuple[Row, ...]:
        """The records that the server would not take, each with its reason; kept until they are put back."""
        with self._lock:
            return tuple(row for row in self._store.rows() if row.set_aside is not None)

    def put_back(self) -> int:
        """Let what was set aside wait again, after someone mended the reason; returns how many."""
        with self._lock:
            aside = [row for row in self._store.rows() if row.set_aside is not None]
            for row in aside:
                self._store.set_aside(row.sequence, None)
                self._tries.mismatches.pop(row.sequence, None)
            return len(aside)

    def delete_last(self) -> bool:
        """Remove the last record if no byte of it can have left; False when the clinician has it, or may."""
        with self._lock:
            row = self._store.row(self._store.last_sequence())
            self._held = None
            if row is None or row.offered:
                return False
            self._store.take_back(row.sequence)
            return True

    def unused(self) -> bool:
        """Whether there is no record, here or delivered: the first is still to come."""
        with self._lock:
            return self._store.last_sequence() == 0

    def flush(
        self,
        uplink: Uplink,
        now: float,
        *,
        ignore_hold: bool = False,
        keep_going: Callable[[], bool] = lambda: True,
    ) -> Flushed:
        """Offer what waits, in order, until it is delivered or the server cannot be reached.

        `now` is seconds on any steady clock. A record's hold begins at the first flush that sees it.
        `ignore_hold` offers at once; `keep_going` is asked before each record. Raises StorageError; what
        was not acknowledged is offered again later.
        """
        with self._flushing:
            return self._flush(uplink, now, ignore_hold, keep_going)

    def _flush(
        self, uplink: Uplink, now: float, ignore_hold: bool, keep_going: Callable[[], bool]
    ) -> Flushed:
        delivered = 0
        state: DeviceState | None = None
        reachable: bool | None = None
        problem: str | None = None
        resting = self._tries.not_before is not None and now < self._tries.not_before
        with self._lock:
            for sequence in self._store.waiting():
                self._tries.first_seen.setdefault(sequence, now)
        while not resting and keep_going():
            offer = self._next_offer(now, ignore_hold)
            if offer is None:
                break
            try:
                answer = uplink.send(offer.row.record_id, offer.row.sealed)
            except UnreachableError as failure:
                reachable, problem = False, str(failure)
                self._unreached(offer, failure)
                self._rest(now)
                break
            reachable = True
            if isinstance(answer, Receipt):
                state = DeviceState.ACTIVE
                if self._receive(offer.row, answer):
                    delivered += 1
                    self._tries.failures, self._tries.not_before = 0, None
                    continue
                problem = "the server's receipt was for other bytes"
            else:
                state = _state_of(answer) or state
                problem = f"{answer.code}: {answer.message}"
                if answer.status in FINAL_STATUSES:
                    self._put_aside(offer.row, problem)
                    continue
            self._rest(now)
            break
        with self._lock:
            waiting, aside = self._store.counts()
            next_try_at = self._next_try_at(now, ignore_hold)
        return Flushed(delivered, waiting, aside, state, reachable, next_try_at, problem)

    def _next_offer(self, now: float, ignore_hold: bool) -> _Offer | None:
        """The oldest waiting record whose hold is over, durably marked as offered before a byte is sent."""
        with self._lock:
            row = self._store.first_waiting()
            if row is None or (row.sequence == self._held and not ignore_hold):
                return None
            if not row.offered:
                seen = self._tries.first_seen.setdefault(row.sequence, now)
                if not ignore_hold and now < seen + self._hold_s:
                    return None
                self._store.mark_offered(row.sequence, True)
            return _Offer(row, fresh=not row.offered)

    def _unreached(self, offer: _Offer, failure: UnreachableError) -> None:
        """Only the attempt that marked the record may unmark it: an earlier one may have sent its bytes."""
        if failure.before_any_byte and offer.fresh:
            with self._lock:
                self._store.mark_offered(offer.row.sequence, False)

    def _receive(self, row: Row, receipt: Receipt) -> bool:
        with self._lock:
            if receipt.sha256 == hashlib.sha256(row.sealed).digest() and receipt.record_id == row.record_id:
                self._store.remove(row.sequence)
                self._tries.first_seen.pop(row.sequence, None)
                self._tries.mismatches.pop(row.sequence, None)
                return True
            wrong = self._tries.mismatches.get(row.sequence, 0) + 1
            self._tries.mismatches[row.sequence] = wrong
            if wrong >= MISMATCHES:
                self._store.set_aside(row.sequence, f"{wrong} receipts in a row were for other bytes")
            return False

    def _put_aside(self, row: Row, reason: str) -> None:
        with self._lock:
            self._store.set_aside(row.sequence, reason)

    def _rest(self, now: float) -> None:
        self._tries.failures += 1
        self._tries.not_before = now + self._backoff.wait_s(self._tries.failures, self._jitter())

    def _next_try_at(self, now: float, ignore_hold: bool) -> float | None:
        row = self._store.first_waiting()
        if row is None or (row.sequence == self._held and not ignore_hold):
            return None
        ready = now
        if not row.offered and not ignore_hold:
            ready = self._tries.first_seen.get(row.sequence, now) + self._hold_s
        return max(ready, self._tries.not_before or ready)


def _state_of(answer: Refused) -> DeviceState | None:
    return DeviceState(answer.code) if answer.code in set(DeviceState) else None
