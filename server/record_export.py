"""A client's export: all of one device or chosen records, with what was verified, as JSON or text for people.

As FHIR: fhir.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from server.errors import ServerError
from server.fhir import DOUBTED, ROUGH, said_in, wrong_with
from server.reader import Reading, Record
from server.reader_sequence import Flag, Kind, day
from server.reader_tombstones import Deleted
from server.reader_view import document, safe


@dataclass(frozen=True)
class Choice:
    """Which records: all that is given must hold. Days are the client's own, both included.

    `ids` are records' ids in hex, or enough of their beginning; `discussed`: only those that are marked so,
    or only those that are not.
    """

    since: date | None = None
    until: date | None = None
    ids: tuple[str, ...] = ()
    discussed: bool | None = None


@dataclass(frozen=True)
class Export:
    """What is exported. `reading` is of one device; `exported_at` is the time by the server's log.

    `records` are the chosen ones, newest first.
    """

    clinician: str
    device: str
    client: str | None
    exported_at: str
    reading: Reading
    deleted: Deleted
    records: tuple[Record, ...]


def choose(records: Sequence[Record], choice: Choice) -> tuple[Record, ...]:
    """The chosen ones in their order. Raises ServerError for an id of no record, or of several."""
    named = {id(named_record(start, records)) for start in choice.ids}
    return tuple(
        record
        for record in records
        if (not choice.ids or id(record) in named)
        and (choice.since is None or record.at.date() >= choice.since)
        and (choice.until is None or record.at.date() <= choice.until)
        and (choice.discussed is None or record.discussed is choice.discussed)
    )


def named_record(start: str, records: Sequence[Record]) -> Record:
    """The one record whose id begins so. Raises ServerError."""
    wanted = start.lower().strip()
    found = [record for record in records if record.record_id.hex().startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    if not found:
        raise ServerError(f"There is no record {start}.", "See them with: onebreath read --json")
    raise ServerError(f"{start} is the beginning of {len(found)} records' ids.", "Give more of it.")


def to_json(export: Export) -> str:
    """The document of `onebreath read --json` (docs/reader.md), oldest record first, and more beside."""
    records = list(reversed(export.records))
    made: dict[str, Any] = {
        **document(export.clinician, export.reading, records),
        "device": export.device,
        "client": export.client,
        "exported_at": export.exported_at,
        "chosen": {"records": len(records), "of": len(export.reading.records)},
        "deleted": [
            {
                "record": stone.record_id.hex(),
                "sequence": stone.sequence,
                "sha256": stone.digest.hex(),
                "received_at": None if stone.received_at is None else stone.received_at.isoformat(),
                "deleted_at": None if stone.deleted_at is None else stone.deleted_at.isoformat(),
                "reason": stone.reason,
            }
            for stone in export.deleted.stones
        ],
    }
    return json.dumps(made, indent=1) + "\n"


def to_text(export: Export) -> str:
    """For people: who and when, each record in the client's own time and words, and what is wrong.

    A flag of one record stands under it, the others at the end.
    """
    records, flags = export.records, export.reading.flags
    of = "" if len(records) == len(export.reading.records) else f" of {len(export.reading.records)}, chosen"
    without = sum(record.line is None for record in records)
    lines = [
        f"Client: {safe(export.client) if export.client else 'without a label'}",
        f"Clinician: {safe(export.clinician)}",
        f"Device: {export.device}",
        f"Exported: {export.exported_at}",
        f"Records: {len(records)}{of}, each signed by the device and opened with the clinician's key",
        f"Without a line: {without}",
        "",
    ]
    beside: set[int] = set()
    for record in reversed(records):
        marked = "  [discussed]" if record.discussed else ""
        lines.append(f"{day(record.at)} {record.at.year} {record.at:%H:%M}  {safe(record.part)}{marked}")
        lines.append(f"    {_line(record)}")
        for flag in wrong_with(record, flags):
            beside.add(id(flag))
            lines.append(f"    {_flag(flag)}")
    if any(record.line is not None and any(word.doubt for word in record.line.words) for record in records):
        lines += ["", DOUBTED]
    if any(record.line is not None and record.line.words and record.line.rough for record in records):
        lines += ["", ROUGH]
    for flag in flags:
        if id(flag) not in beside:
            lines += ["", _flag(flag)]
    return "\n".join(lines) + "\n"


def check_free(path: Path) -> None:
    """Raise ServerError when something is there already, before anything is fetched."""
    if os.path.lexists(path):
        raise _there(path)


def write_new(path: Path, text: str) -> None:
    """Write for the owner's eyes alone; never over anything. Raises ServerError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError as error:
        raise _there(path) from error
    except OSError as error:
        raise ServerError(
            f"The export could not be written to {path} ({error.strerror}).",
            "Check the folder and the free space, or name another place with --out.",
        ) from error


def _there(path: Path) -> ServerError:
    return ServerError(f"{path} is there already; it was left as it is.", "Name another place with --out.")


def _line(record: Record) -> str:
    said = said_in(record)
    return said if record.line is not None and record.line.words else f"({said})"


def _flag(flag: Flag) -> str:
    return f"{'' if flag.kind is Kind.DELETED else '! '}{safe(flag.message)}"
