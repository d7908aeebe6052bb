"""What the sequence of a device's records gives away: gaps, repeats, disorder, and records that are gone.

Each device counts its records from 1 and sends them in order; a server cannot leave one out, put one twice,
or take one back without a trace here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
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
    CONTENT = "content"
    FRAME = "frame"
    LIST = "list"


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
            }
        )


def day(at: datetime) -> str:
    """`Tuesday 3 March`, in whatever zone `at` carries."""
    return f"{_DAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]}"


def check_sequence(device_id: bytes, placed: Sequence[Placed]) -> list[Flag]:
    """Gaps, two records in one place, and disorder; `placed` is in the server's order."""
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
    last = 0
    for sequence in sorted(by_place):
        if sequence > last + 1:
            missing = sequence - last - 1
            where = _between(by_place.get(last), by_place[sequence])
            flags.append(Flag(Kind.MISSING, f"{_are(missing, 'missing')} {where}.", name, last + 1))
        last = sequence
    return flags


def check_memory(memory: Memory, found: Mapping[bytes, Sequence[Placed]]) -> list[Flag]:
    """Records that were read before and are gone, or are others now."""
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
        gone = [sequence for sequence in sorted(known) if sequence not in there]
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


def _between(before: Placed | None, after: Placed) -> str:
    if after.at is None or (before is not None and before.at is None):
        first = f"record {before.sequence}" if before is not None else "the beginning"
        return f"between {first} and record {after.sequence}"
    if before is None or before.at is None:
        return f"before {day(after.at)}"
    if before.at.date() == after.at.date():
        return f"on {day(after.at)}, between {before.at:%H:%M} and {after.at:%H:%M}"
    return f"between {day(before.at)} and {day(after.at)}"


def _are(count: int, what: str) -> str:
    return f"A record is {what}" if count == 1 else f"{count} records are {what}"


def _records(count: int) -> str:
    return "a record" if count == 1 else f"{count} records"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
