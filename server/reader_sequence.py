"""What the sequence of a device's records gives away: gaps, repeats, disorder, and records that are gone.

Each device counts its records from 1 and sends them in order; a server cannot leave one out, put one twice,
or take one back without a trace here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January February March April May June July August September October November December".split()
)


class Kind(StrEnum):
    """What is wrong. The words are part of `--json`'s format."""

    MISSING = "missing"
    VANISHED = "vanished"
    CHANGED = "changed"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    ORDER = "order"
    FORGED = "forged"
    MISFILED = "misfiled"
    UNAPPROVED = "unapproved"
    UNOPENABLE = "unopenable"
    DESTROYED = "destroyed"
    CONTENT = "content"
    FRAME = "frame"
    LIST = "list"
    DELETED = "deleted"
    """Not wrong: what the server says was deleted, where nothing speaks against it."""
    DOUBTFUL = "doubtful"
    """What the server says was deleted, where something does."""
    MARK = "mark"


@dataclass(frozen=True)
class Flag:
    """One thing that is wrong, in plain words. `device` in hex and `sequence` where they are known."""

    kind: Kind
    message: str
    device: str | None = None
    sequence: int | None = None


@dataclass(frozen=True)
class Placed:
    """A verified frame's place. `at` is None when it could not be opened."""

    sequence: int
    record_id: bytes
    digest: bytes
    at: datetime | None


@dataclass(frozen=True)
class Memory:
    """What was read before: for each device, the SHA-256 of the frame at each sequence number."""

    seen: Mapping[bytes, Mapping[int, bytes]] = field(default_factory=dict)
    marks: Mapping[tuple[bytes, bytes], int] = field(default_factory=dict)
    """The greatest version of the clinician's own mark on each record, by device id and record id."""
    reports: Mapping[tuple[bytes, bytes], tuple[int, int]] = field(default_factory=dict)
    """The newest report on each card, by device id and card id: the card's version, the report's number."""

    def knows(self, device_id: bytes, sequence: int, digest: bytes) -> bool:
        """Whether this very frame was read before."""
        return self.seen.get(device_id, {}).get(sequence) == digest

    def after(self, found: Mapping[bytes, Sequence[Placed]]) -> Memory:
        """The memory once `found` has been read too. What was known is never forgotten or replaced."""
        devices = {**{device: {} for device in found}, **self.seen}
        return Memory(
            {
                device: {**{one.sequence: one.digest for one in found.get(device, ())}, **known}
                for device, known in devices.items()
            },
            self.marks,
            self.reports,
        )


def day(at: datetime) -> str:
    """`Tuesday 3 March`, in whatever zone `at` carries."""
    return f"{_DAYS[at.weekday()]} {at.day} {MONTHS[at.month - 1]}"


def check_sequence(device_id: bytes, placed: Sequence[Placed], accounted: Collection[int] = ()) -> list[Flag]:
    """Gaps, two records in one place, and disorder; `placed` is in the server's order.

    `accounted`: sequence numbers of records that were deleted, of which nothing speaks against that.
    """
    name = device_id.hex()
    flags = []
    by_place: dict[int, Placed] = {}
    ids: dict[bytes, int] = {}
    for one in placed:
        if one.sequence in by_place or one.record_id in ids:
            said = "Two records claim the same place. Both are signed by the device, and both are shown."
            flags.append(Flag(Kind.CONFLICT, said, name, one.sequence))
        by_place.setdefault(one.sequence, one)
        ids.setdefault(one.record_id, one.sequence)
    for before, after in pairwise(placed):
        if after.sequence < before.sequence:
            said = f"Records arrived out of order: {after.sequence} after {before.sequence}."
            flags.append(Flag(Kind.ORDER, said, name, after.sequence))
    return [*flags, *_gaps(name, by_place, accounted)]


def _gaps(name: str, by_place: Mapping[int, Placed], accounted: Collection[int]) -> list[Flag]:
    """What nothing accounts for, with the days of the records around it."""
    flags = []
    here = sorted(by_place)
    last, before = 0, None
    for sequence in sorted({*here, *accounted}):
        if sequence > last + 1:
            following = bisect_left(here, sequence)
            after = by_place[here[following]] if following < len(here) else None
            said = f"{_are(sequence - last - 1, 'missing')}{_between(before, after)}."
            flags.append(Flag(Kind.MISSING, said, name, last + 1))
        last, before = sequence, by_place.get(sequence, before)
    return flags


def check_memory(
    memory: Memory,
    found: Mapping[bytes, Sequence[Placed]],
    accounted: Mapping[bytes, Collection[int]] | None = None,
) -> list[Flag]:
    """Records that were read before and are gone, or are others now; not those that were deleted."""
    flags = []
    for device_id, known in memory.seen.items():
        name = device_id.hex()
        if device_id not in found:
            if known:
                said = (
                    f"A device is gone from the list, and with it {_records(len(known))} that you had read."
                )
                flags.append(Flag(Kind.VANISHED, said, name))
            continue
        there: dict[int, set[bytes]] = {}
        for one in found[device_id]:
            there.setdefault(one.sequence, set()).add(one.digest)
        deleted = (accounted or {}).get(device_id, ())
        gone = [sequence for sequence in sorted(known) if sequence not in there and sequence not in deleted]
        if gone:
            end = " from the end of the list" if gone[-1] == max(known) else ""
            said = f"{_records(len(gone))} that you had read {_have(len(gone))} been taken out{end}."
            said = said[0].upper() + said[1:]
            flags.append(Flag(Kind.VANISHED, said, name, gone[0]))
        for sequence in sorted(known):
            if sequence in there and known[sequence] not in there[sequence]:
                said = "A record that you had read is another one now."
                flags.append(Flag(Kind.CHANGED, said, name, sequence))
    return flags


def _between(before: Placed | None, after: Placed | None) -> str:
    if after is None:
        if before is None:
            return ""
        return f" after record {before.sequence}" if before.at is None else f" after {day(before.at)}"
    if after.at is None or (before is not None and before.at is None):
        first = f"record {before.sequence}" if before is not None else "the beginning"
        return f" between {first} and record {after.sequence}"
    if before is None or before.at is None:
        return f" before {day(after.at)}"
    if before.at.date() == after.at.date():
        return f" on {day(after.at)}, between {before.at:%H:%M} and {after.at:%H:%M}"
    return f" between {day(before.at)} and {day(after.at)}"


def _are(count: int, what: str) -> str:
    return f"A record is {what}" if count == 1 else f"{count} records are {what}"


def _records(count: int) -> str:
    return "a record" if count == 1 else f"{count} records"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
