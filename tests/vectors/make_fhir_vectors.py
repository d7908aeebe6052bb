"""Makes tests/vectors/fhir.json: `python -m tests.vectors.make_fhir_vectors`. Deterministic; a test compares.

What the page must spell as the command line does. The bytes are those of server/fhir.py, which
tests/server/test_fhir.py holds to R4 by validators that nobody here wrote.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from server.fhir import bundle, spell
from server.reader import Line, Record, Word
from server.reader_sequence import Flag, Kind

NAME: Final = "fhir.json"
AT: Final = "2026-03-09T08:00:00Z"
DEVICE, RECORD = bytes(range(16)), bytes(range(100, 116))
LONG = " ".join(f"word{at}" for at in range(600))


def record(
    at: str,
    said: str | None = None,
    *,
    part: str = "the foreman",
    rough: bool = False,
    sequence: int = 1,
    when: str | None = None,
) -> Record:
    """A record; words that end in ~ are doubtful."""
    words = tuple(
        Word(word.removesuffix("~"), word.endswith("~")) for word in (said or "").split(" ") if word
    )
    line = None if said is None else Line(words, "vosk", rough)
    record_id = RECORD[:15] + bytes([sequence])
    return Record(
        DEVICE, record_id, sequence, datetime.fromisoformat(at), part, line, AT, new=True, when=when
    )


def flag(sequence: int, message: str, kind: Kind = Kind.CONFLICT) -> Flag:
    """A flag on a record of the device."""
    return Flag(kind, message, DEVICE.hex(), sequence)


TWO: Final = "Two records claim the same place. Both are signed by the device, and both are shown."
CASES: Final[dict[str, tuple[list[Record], list[Flag], str | None]]] = {
    "one line, of a patient": ([record("2026-03-02T23:05:00+01:00", "he yelled")], [], "Patient/123"),
    "without a patient": ([record("2026-03-02T23:05:00+00:00", "he yelled~ again~")], [], None),
    "without a line, and not made out": (
        [
            record("2026-03-02T23:05:00-03:30"),
            record("2026-03-03T00:00:00-03:30", "", rough=True, sequence=2),
        ],
        [],
        "Patient/a.b-C",
    ),
    "rough, flagged, and what concerns others": (
        [
            record("2026-03-02T23:05:00+01:00", "he~ yelled", rough=True),
            replace(record("2026-03-02T23:06:00+01:00"), sequence=2),
            replace(record("2026-03-02T23:07:00+01:00", sequence=3), sequence=1),
        ],
        [
            flag(1, TWO),
            flag(2, "A record is missing.", Kind.MISSING),
            flag(1, "1 record was deleted.", Kind.DELETED),
            Flag(Kind.CONFLICT, "Of another device.", "ff" * 16, 1),
            Flag(Kind.LIST, "The server's list runs in a circle; it may not be complete."),
        ],
        None,
    ),
    "any words, any part": (
        [
            record(
                "2026-03-02T23:05:00.120034+05:45",
                "<b>he</b> \u202eyelled~ \x07\x1b[31m \u2028 \\ \" '",
                part="Ñandú 小鸟 🐦",
            ),
            record(
                "2026-12-31T23:59:59-14:00",
                "\u00a0 \ud7ff\ue000 \U0010ffff \x7f & ",
                part="</script>",
                sequence=300 % 256,
            ),
        ],
        [flag(1, "x\u202ey\x00z")],
        "Patient/1",
    ),
    "a long line": ([record("2026-03-02T23:05:00+01:00", LONG)], [], None),
    "a zone that FHIR cannot say": ([record("2026-03-02T23:05:00+14:30", "he yelled")], [], None),
    "at the edge of the zones and years": (
        [record("0001-01-02T00:00:00+14:00"), record("9999-12-30T00:00:00-14:00", sequence=2)],
        [],
        None,
    ),
    "when, in the client's own word": (
        [
            record("2026-03-02T23:05:00+01:00", "he yelled", when="in", rough=True),
            record("2026-03-02T23:06:00+01:00", sequence=2, when="starting"),
            record("2026-03-02T23:07:00+01:00", "", sequence=3, when="after"),
        ],
        [],
        None,
    ),
    "none": ([], [flag(1, TWO)], None),
}


def made() -> dict[str, Any]:
    """The whole file."""
    cases = [
        {
            "name": name,
            "records": [_fields(one) for one in records],
            "flags": [_flag(one) for one in flags],
            "exported_at": AT,
            "patient": patient,
            "document": spell(bundle(records, flags, exported_at=AT, patient=patient)).decode("utf-8"),
        }
        for name, (records, flags, patient) in CASES.items()
    ]
    return {"cases": cases}


def _fields(one: Record) -> dict[str, Any]:
    line = one.line
    return {
        "device": one.device_id.hex(),
        "record": one.record_id.hex(),
        "sequence": one.sequence,
        "at": one.at.isoformat(),
        "part": one.part,
        "when": one.when,
        "line": None
        if line is None
        else {
            "words": [{"text": word.text, "doubt": word.doubt} for word in line.words],
            "transcriber": line.transcriber,
            "rough": line.rough,
        },
    }


def _flag(one: Flag) -> dict[str, Any]:
    return {"kind": one.kind.value, "message": one.message, "device": one.device, "sequence": one.sequence}


def written() -> str:
    """As it stands in the file: ASCII."""
    return json.dumps(made(), indent=1) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name(NAME).write_text(written(), encoding="ascii")
