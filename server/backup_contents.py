"""Looks through a backup's rows: every record is whole and its sender's own, the audit chain is unbroken.

Pure over a stream of rows, which both kinds of database can give.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from server.audit import Entry, follow
from voice.wire.encoding import signing_key
from voice.wire.envelope import parse_frame, verify_frame
from voice.wire.errors import FrameError, SealError

Row = tuple[str, Mapping[str, Any]]
"""A table's name, and a row by its columns."""

_COPY: Final = re.compile(r'COPY (?:public\.)?"?(\w+)"? \((.*)\) FROM stdin;')
_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


class ContentError(Exception):
    """What is wrong with the rows."""


@dataclass(frozen=True)
class Contents:
    """What was found: rows of each table, and the audit chain's head."""

    counts: Mapping[str, int]
    audit_sequence: int
    audit_digest: bytes


def inspect(rows: Iterable[Row], senders: Mapping[bytes, bytes]) -> Contents:
    """Go through all rows. `senders`: each device's raw signing key. Raises ContentError."""
    counts: Counter[str] = Counter()
    entries: list[tuple[Entry, bytes]] = []
    head: Mapping[str, Any] | None = None
    for table, row in rows:
        counts[table] += 1
        if table == "records":
            _check_record(row, senders)
        elif table == "audit":
            entries.append((_entry(row), bytes(row["digest"])))
        elif table == "audit_head":
            head = row
    if head is None:
        raise ContentError("the audit log has no head")
    entries.sort(key=lambda one: one[0].sequence)
    found = follow(int(head["first_sequence"]) - 1, bytes(head["first_digest"]), entries)
    if found.broken_at is not None or (found.last, found.head) != (int(head["sequence"]), head["digest"]):
        raise ContentError(f"the audit log is broken at entry {found.broken_at or found.last + 1}")
    return Contents(counts, found.last, found.head)


def copied_rows(script: Iterable[str]) -> Iterator[Row]:
    """The rows of a PostgreSQL script's COPY blocks; bytes are bytes, everything else is text or None."""
    lines = iter(script)
    for line in lines:
        block = _COPY.fullmatch(line.rstrip("\n"))
        if block is None:
            continue
        columns = [name.strip().strip('"') for name in block[2].split(",")]
        for data in lines:
            said = data.rstrip("\n")
            if said == "\\.":
                break
            values = said.split("\t")
            if len(values) != len(columns):
                raise ContentError(f"a row of {block[1]} is not whole")
            yield block[1], dict(zip(columns, map(_value, values), strict=True))
        else:
            raise ContentError(f"the rows of {block[1]} do not end")


def _value(text: str) -> str | bytes | None:
    if text == "\\N":
        return None
    if text.startswith("\\\\x"):
        try:
            return bytes.fromhex(text[3:])
        except ValueError:
            pass
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)


def _check_record(row: Mapping[str, Any], senders: Mapping[bytes, bytes]) -> None:
    name = f"record {bytes(row['record_id']).hex()}"
    data = bytes(row["frame"])
    if hashlib.sha256(data).digest() != bytes(row["sha256"]):
        raise ContentError(f"{name} was altered")
    try:
        frame = parse_frame(data)
        verify_frame(frame, signing_key(senders[bytes(row["device_id"])]))
    except (FrameError, SealError, KeyError) as error:
        raise ContentError(f"{name} does not hold") from error
    if (frame.record_id, frame.sequence) != (bytes(row["record_id"]), int(row["sequence"])):
        raise ContentError(f"{name} is in another's place")


def _entry(row: Mapping[str, Any]) -> Entry:
    practice = row["practice_id"]
    return Entry(
        int(row["sequence"]),
        int(row["at"]),
        None if practice is None else bytes(practice),
        str(row["actor"]),
        str(row["act"]),
        str(row["subject"]),
    )
