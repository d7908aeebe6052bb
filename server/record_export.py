"""A client's export: everything of one device, with what was verified, as JSON or as text for people."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.errors import ServerError
from server.reader import Line, Reading
from server.reader_sequence import Kind, day
from server.reader_tombstones import Deleted
from server.reader_view import NO_LINE, NOT_MADE_OUT, document, safe


@dataclass(frozen=True)
class Export:
    """What is exported. `reading` is of one device; `exported_at` is the time by the server's log."""

    clinician: str
    device: str
    client: str | None
    exported_at: str
    reading: Reading
    deleted: Deleted


def to_json(export: Export) -> str:
    """The document of `onebreath read --json` (docs/reader.md), oldest record first, and more beside."""
    records = list(reversed(export.reading.records))
    made: dict[str, Any] = {
        **document(export.clinician, export.reading, records),
        "device": export.device,
        "client": export.client,
        "exported_at": export.exported_at,
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
    """For people: who and when, each record in the client's own time and words, and what is wrong."""
    records = export.reading.records
    lines = [
        f"Client: {safe(export.client) if export.client else 'without a label'}",
        f"Clinician: {safe(export.clinician)}",
        f"Device: {export.device}",
        f"Exported: {export.exported_at}",
        f"Records: {len(records)}, each signed by the device and opened with the clinician's key",
        "",
    ]
    for record in reversed(records):
        marked = "  [discussed]" if record.discussed else ""
        lines.append(f"{day(record.at)} {record.at.year} {record.at:%H:%M}  {safe(record.part)}{marked}")
        lines.append(f"    {_line(record.line)}")
    for flag in export.reading.flags:
        lines += ["", f"{'' if flag.kind is Kind.DELETED else '! '}{safe(flag.message)}"]
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


def _line(line: Line | None) -> str:
    if line is None:
        return f"({NO_LINE})"
    if not line.words:
        return f"({NOT_MADE_OUT})"
    words = " ".join(safe(word.text) + (" (?)" if word.doubt else "") for word in line.words)
    return words + ("  [rough]" if line.rough else "")
