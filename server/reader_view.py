"""How the queue is shown: a table for eyes, one JSON document for programs (docs/reader.md)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.reader import Line, Reading, Record
from server.reader_sequence import Kind, day

FORMAT: Final = 1
NEWEST: Final = 50
"""Records that are shown without being asked for, besides every unread one."""

NO_LINE: Final = "no line"
WHEN: Final = {"starting": "“starting”", "in": "“in it”", "after": "“after”"}
"""The client's own word for when they noticed, as it is shown."""
NOT_MADE_OUT: Final = "a line was spoken; it could not be made out"
_REORDERS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def safe(text: str) -> str:
    """The text with every character that a terminal would obey, or that reorders others, made visible."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _obeyed(letter) else letter for letter in text)


def chosen(records: Sequence[Record], *, since: date | None, everything: bool) -> list[Record]:
    """The records to show, newest first: since a day of the client's, or all, or unread and newest ones."""
    if since is not None:
        return [record for record in records if record.at.date() >= since]
    if everything:
        return list(records)
    return [record for place, record in enumerate(records) if record.new or place < NEWEST]


def table(records: Sequence[Record]) -> Table:
    """One row a record. Words that the recogniser was unsure of are slanted and end in (?)."""
    several = len({record.device_id for record in records}) > 1
    shared = any(record.shared_by is not None for record in records)
    made = Table(show_edge=False, pad_edge=False, show_lines=False)
    made.add_column("", no_wrap=True)
    made.add_column("Client's time", no_wrap=True)
    if shared:
        made.add_column("From")
    if several:
        made.add_column("Device", no_wrap=True)
    made.add_column("Part")
    made.add_column("Line", ratio=1, overflow="fold")
    for record in records:
        cells = [Text(_noted(record)), Text(_when(record.at))]
        if shared:
            cells.append(Text(safe(record.shared_by or "")))
        if several:
            cells.append(Text(record.device_id.hex()[:8]))
        made.add_row(*cells, Text(safe(record.part)), _said(record))
    return made


def show(console: Console, reading: Reading, records: Sequence[Record]) -> None:
    """The table, what is not shown, and every flag after it, where it is still on the screen."""
    if records:
        console.print(table(records))
    else:
        console.print(Text("No records." if not reading.records else "No records in this range."))
    hidden = len(reading.records) - len(records)
    if hidden:
        console.print(Text(f"Older records not shown: {hidden}. Show them with --all.", style="dim"))
    for flag in reading.flags:
        of = f" (device {safe(flag.device)[:8]})" if flag.device else ""
        if flag.kind is Kind.DELETED:
            # Nothing is wrong: it is told, and not flagged.
            console.print(Text(f"  {safe(flag.message)}{of}"))
        else:
            console.print(Text(f"! {safe(flag.message)}{of}", style="bold"))


def document(clinician: str, reading: Reading, records: Sequence[Record]) -> dict[str, Any]:
    """Everything, for `--json`. The keys are a contract; new ones may be added."""
    return {
        "format": FORMAT,
        "clinician": clinician,
        "records": [_record(record) for record in records],
        "flags": [
            {
                "kind": flag.kind.value,
                "message": flag.message,
                "device": flag.device,
                "sequence": flag.sequence,
            }
            for flag in reading.flags
        ],
        "devices": [
            {
                "device": device.name,
                "state": device.entry.state,
                "trust": None if device.trust is None else device.trust.value,
                "last_seen_at": device.entry.last_seen_at,
            }
            for device in reading.devices
        ],
    }


def _record(record: Record) -> dict[str, Any]:
    line = record.line
    return {
        "device": record.device_id.hex(),
        "record": record.record_id.hex(),
        "sequence": record.sequence,
        "at": record.at.isoformat(),
        "weekday": day(record.at).split()[0],
        "part": record.part,
        "line": None
        if line is None
        else {
            "text": line.text,
            "words": [{"text": word.text, "doubt": word.doubt} for word in line.words],
            "made_out": bool(line.words),
            "rough": line.rough,
            "transcriber": line.transcriber,
        },
        "received_at": record.received_at,
        "new": record.new,
        "discussed": record.discussed,
        # Where the client was asked and answered only.
        **({} if record.when is None else {"when": record.when}),
        # Of what a colleague shared only: one's own queue is as it always was.
        **({} if record.shared_by is None else {"shared_by": record.shared_by}),
    }


def _noted(record: Record) -> str:
    return " ".join(word for word, holds in (("new", record.new), ("discussed", record.discussed)) if holds)


def _when(at: datetime) -> str:
    weekday, number, month = day(at).split()
    return f"{weekday[:3]} {number} {month[:3]} {at.year} {at:%H:%M}"


def _said(record: Record) -> Text:
    said = _line(record.line)
    return said if record.when is None else Text.assemble(said, f"  {WHEN[record.when]}")


def _line(line: Line | None) -> Text:
    if line is None:
        return Text(NO_LINE, style="dim")
    if not line.words:
        return Text(NOT_MADE_OUT, style="dim")
    shown = Text(" ").join(
        Text(f"{safe(word.text)} (?)", style="italic") if word.doubt else Text(safe(word.text))
        for word in line.words
    )
    return Text.assemble(shown, ("  [rough]", "dim")) if line.rough else shown


def _obeyed(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _REORDERS
