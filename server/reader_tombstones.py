"""What the server says was deleted, held against what the reader knows itself.

A tombstone is never signed by a device: that a record was deleted, why and when is the server's word. What
can be known without it: that the record existed (the device counted past it, or it was read before), and that
it is the one that was read (its SHA-256). One against which something speaks accounts for nothing here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from server.reader_sequence import MONTHS, Flag, Kind, Memory, Placed

_WHY: Final = {
    "retention": "by the practice's retention policy",
    "erased": "by you, or with your key, when their client was erased",
    "deleted": "by you, or with your key, one by one",
}


@dataclass(frozen=True)
class Stone:
    """One tombstone as the server tells it; nothing of it is verified. A time that is none is None."""

    device_id: bytes
    record_id: bytes
    sequence: int
    digest: bytes
    received_at: datetime | None
    deleted_at: datetime | None
    reason: str


@dataclass(frozen=True)
class Deleted:
    """All tombstones that the server tells of, and its policy in days, or none.

    `broken` counts entries without the right shape; not `whole`: the pages ran in a circle.
    """

    stones: tuple[Stone, ...] = ()
    retention_days: int | None = None
    broken: int = 0
    whole: bool = True


NOTHING_DELETED: Final = Deleted()


@dataclass(frozen=True)
class Account:
    """What is accounted for: for each device the sequence numbers; and what is to be said of it all."""

    numbers: Mapping[bytes, frozenset[int]]
    flags: tuple[Flag, ...]


def account(deleted: Deleted, placed: Mapping[bytes, Sequence[Placed]], memory: Memory) -> Account:
    """Judge every tombstone. `placed`: each trusted device's records that are here."""
    flags, numbers = [], {}
    if deleted.broken:
        flags.append(Flag(Kind.DOUBTFUL, f"Tombstones that cannot be read at all: {deleted.broken}."))
    if not deleted.whole:
        flags.append(Flag(Kind.LIST, "The server's list of deletions runs in a circle; it may not be whole."))
    by_device: dict[bytes, list[Stone]] = {}
    for stone in deleted.stones:
        by_device.setdefault(stone.device_id, []).append(stone)
    for device_id, stones in by_device.items():
        name = device_id.hex()
        if device_id not in placed:
            said = f"The server tells of {_records(len(stones))} deleted, of a device that is not yours."
            flags.append(Flag(Kind.DOUBTFUL, said, name))
            continue
        known = memory.seen.get(device_id, {})
        good, doubts = _sort(stones, placed[device_id], known, deleted.retention_days)
        flags += [
            Flag(Kind.DOUBTFUL, f"{_said(len(found))} {why}", name, min(one.sequence for one in found))
            for why, found in doubts.items()
        ]
        for reason in _WHY:
            theirs = [stone for stone in good if stone.reason == reason]
            if theirs:
                flags.append(Flag(Kind.DELETED, _told(theirs, known, reason), name, theirs[0].sequence))
        numbers[device_id] = frozenset(stone.sequence for stone in good)
    return Account(numbers, tuple(flags))


def _sort(
    stones: Sequence[Stone], here: Sequence[Placed], known: Mapping[int, bytes], days: int | None
) -> tuple[list[Stone], dict[str, list[Stone]]]:
    """Those against which nothing speaks, by sequence; and the others, by what does."""
    places = Counter(stone.sequence for stone in stones)
    ids = Counter(stone.record_id for stone in stones)
    taken = {one.sequence for one in here} | {one.record_id for one in here}
    reached = max((*known, *(one.sequence for one in here)), default=0)
    good, doubts = [], dict[str, list[Stone]]()
    for stone in sorted(stones, key=lambda stone: stone.sequence):
        if places[stone.sequence] > 1 or ids[stone.record_id] > 1:
            why = "It says so twice, of one place or one record."
        elif stone.sequence in taken or stone.record_id in taken:
            why = "It lists a record in the same place, or with the same id, all the same."
        elif known.get(stone.sequence, stone.digest) != stone.digest:
            why = "What you had read in that place was another record."
        else:
            why = _speaks_against(stone, days)
            if not why and stone.sequence > reached:
                why = "Nothing but its word shows that the device ever made them."
        if why:
            doubts.setdefault(why, []).append(stone)
        else:
            good.append(stone)
    return good, doubts


def _speaks_against(stone: Stone, days: int | None) -> str:
    """What speaks against a tombstone by itself, and by the policy; nothing: empty."""
    if stone.reason not in _WHY:
        return "It gives no reason that is known."
    if stone.received_at is None or stone.deleted_at is None:
        return "It gives no time that can be read."
    if stone.deleted_at < stone.received_at:
        return "It deleted them, it says, before it received them."
    if stone.reason == "retention" and days is None:
        return "It gives the practice's retention policy as the reason, and there is none now."
    if stone.reason == "retention" and stone.deleted_at - stone.received_at < timedelta(days=days or 0):
        return f"They were younger than the practice's retention policy says now ({days} days)."
    return ""


def _told(stones: Sequence[Stone], known: Mapping[int, bytes], reason: str) -> str:
    """`12 records of March 2026 were deleted by ..., the server says. You had read 10 of them.`"""
    count = len(stones)
    read = sum(stone.sequence in known for stone in stones)
    had = {0: "none", count: "it" if count == 1 else "all"}.get(read, str(read))
    were = "A record" if count == 1 else f"{count} records"
    verb = "was" if count == 1 else "were"
    you = f"You had read {had} of them." if count > 1 else f"You had {'' if read else 'not '}read it."
    return f"{were} of {_months(stones)} {verb} deleted {_WHY[reason]}, the server says. {you}"


def _months(stones: Iterable[Stone]) -> str:
    """The months of their arrival: `March 2026`, `March to May 2026`, `December 2025 to January 2026`."""
    times = sorted(stone.received_at for stone in stones if stone.received_at is not None)
    first, last = times[0], times[-1]
    end = f"{MONTHS[last.month - 1]} {last.year}"
    if (first.year, first.month) == (last.year, last.month):
        return end
    year = "" if first.year == last.year else f" {first.year}"
    return f"{MONTHS[first.month - 1]}{year} to {end}"


def _said(count: int) -> str:
    return f"The server says that it deleted {_records(count)}."


def _records(count: int) -> str:
    return "a record" if count == 1 else f"{count} records"
