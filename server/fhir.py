"""Records as FHIR R4 `DocumentReference` resources in one transaction Bundle (docs/fhir.md).

Pure, and the same bytes as server/page/queue/exporting.js (tests/vectors/fhir.json). The client's name is
nowhere, and what was said in the attached text alone; the identifier is made of device id, record id
and number, so that a record that is exported again is known again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from server.reader import Line, Record
from server.reader_sequence import Flag, Kind, day
from server.reader_view import NO_LINE, NOT_MADE_OUT, WHEN, safe

PATIENT: Final = re.compile(r"Patient/[A-Za-z0-9.\-]{1,64}", re.ASCII)
"""A reference to a patient on the FHIR server that the documents go to."""
MEDIA_TYPE: Final = "application/fhir+json"

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_URIS: Final = "urn:ietf:rfc:3986"
_LOINC: Final = "http://loinc.org"
_OBSERVATION_VALUE: Final = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
_DOCUMENT: Final = b"onebreath fhir document v1\x00"
_ENTRY: Final = b"onebreath fhir entry v1\x00"
_DEVICE: Final = b"onebreath fhir device v1\x00"
_MOST_OFFSET: Final = timedelta(hours=14)
"""FHIR's dateTime has no zone further away."""

_OF_NONE: Final = frozenset({Kind.MISSING, Kind.VANISHED, Kind.DELETED})
"""Flags whose number is that of a record that is not here, or of none."""

SPOKEN: Final = "The client said this to their device, which wrote it down. Nothing is corrected."
NAMED: Final = "The client named the part to their device. A noticing is complete without a line."
DOUBTED: Final = "(?) after a word: the recogniser was unsure of it."
ROUGH: Final = "[rough]: a line of the starter transcriber."


class DoubledError(ValueError):
    """Two records claim one id and number, so that their documents would have one identifier."""


def bundle(
    records: Sequence[Record], flags: Sequence[Flag], *, exported_at: str, patient: str | None = None
) -> dict[str, Any]:
    """A transaction that creates each record's document where it is not there yet; `records` in their order.

    `flags` are the reading's; `exported_at` is an instant in UTC, in whole seconds; `patient` is such as
    `Patient/123`. Without it the author is the device, by an identifier, and no subject is named.
    Raises ValueError for an instant or a reference of another form, and DoubledError.
    """
    if not _INSTANT.fullmatch(exported_at):
        raise ValueError("the time of the export is no instant in UTC")
    if patient is not None and not PATIENT.fullmatch(patient):
        raise ValueError("a patient is referred to as Patient/ and an id")
    if len({document_uri(record) for record in records}) < len(records):
        raise DoubledError("two of these records have one id and number")
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "transaction", "timestamp": exported_at}
    if records:
        made["entry"] = [_entry(record, flags, exported_at, patient) for record in records]
    return made


def spell(resource: dict[str, Any]) -> bytes:
    """The one spelling, as UTF-8: the elements in FHIR's order, two spaces, a closing line break."""
    return (json.dumps(resource, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def document_uri(record: Record) -> str:
    """The document's name for good: a UUID of version 8 (RFC 9562) made of SHA-256."""
    return _uuid(_DOCUMENT + _named(record))


def device_uri(device_id: bytes) -> str:
    """The device's name for good, from its id of 16 bytes."""
    return _uuid(_DEVICE + device_id)


def if_none_exist(record: Record) -> str:
    """The search that finds the record's document, for a conditional create."""
    return f"identifier={_URIS}|{document_uri(record)}"


def wrong_with(record: Record, flags: Sequence[Flag]) -> list[Flag]:
    """The flags that concern this very record."""
    name = record.device_id.hex()
    return [
        flag
        for flag in flags
        if flag.device == name and flag.sequence == record.sequence and flag.kind not in _OF_NONE
    ]


def text_of(record: Record, flags: Sequence[Flag]) -> str:
    """The attached text: when, which part, what was said with its doubt marks, and what is flagged."""
    line = record.line
    lines = [
        f"{day(record.at)} {record.at.year}, {record.at:%H:%M} ({_zone(record.at)})",
        f"{safe(record.part)}: {said_in(record)}",
        *(f"! {safe(flag.message)}" for flag in wrong_with(record, flags)),
        "",
        NAMED if line is None else SPOKEN,
    ]
    if line is not None and _doubts(line):
        lines.append(DOUBTED)
    if line is not None and line.words and line.rough:
        lines.append(ROUGH)
    return "\n".join(lines) + "\n"


def said_in(record: Record) -> str:
    """What was said, verbatim: the line, doubtful words followed by (?), and the client's word for when."""
    line = record.line
    if line is None:
        said = NO_LINE
    elif not line.words:
        said = NOT_MADE_OUT
    else:
        said = " ".join(safe(word.text) + (" (?)" if word.doubt else "") for word in line.words)
        said += "  [rough]" if line.rough else ""
    return said if record.when is None else f"{said}  {WHEN[record.when]}"


def _entry(record: Record, flags: Sequence[Flag], exported_at: str, patient: str | None) -> dict[str, Any]:
    # Not the identifier: some servers put the new resource's address wherever a text is the same as this.
    full_url = _uuid(_ENTRY + _named(record))
    return {
        "fullUrl": full_url,
        "resource": _document(record, flags, exported_at, patient),
        "request": {"method": "POST", "url": "DocumentReference", "ifNoneExist": if_none_exist(record)},
    }


def _document(record: Record, flags: Sequence[Flag], exported_at: str, patient: str | None) -> dict[str, Any]:
    device = {"type": "Device", "identifier": {"system": _URIS, "value": device_uri(record.device_id)}}
    moment = _moment(record.at)
    period = {} if moment is None else {"context": {"period": {"start": moment, "end": moment}}}
    return {
        "resourceType": "DocumentReference",
        "identifier": [{"system": _URIS, "value": document_uri(record)}],
        "status": "current",
        "type": _concept(_LOINC, "51855-5", "Patient Note"),
        "category": [_concept(_LOINC, "53576-5", "Personal health monitoring report Document")],
        **({} if patient is None else {"subject": {"reference": patient}}),
        "date": exported_at,
        "author": [device if patient is None else {"reference": patient}],
        "description": _description(record, flags),
        "securityLabel": _labels(record, flags),
        "content": [{"attachment": _attachment(record, flags, moment)}],
        **period,
    }


def _attachment(record: Record, flags: Sequence[Flag], moment: str | None) -> dict[str, Any]:
    data = text_of(record, flags).encode("utf-8")
    # R4 says SHA-1, and that it is not for security.
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return {
        "contentType": "text/plain; charset=utf-8",
        "data": base64.b64encode(data).decode("ascii"),
        "size": len(data),
        "hash": base64.b64encode(digest).decode("ascii"),
        "title": f"Noticing, {day(record.at)} {record.at.year} {record.at:%H:%M}",
        **({} if moment is None else {"creation": moment}),
    }


def _labels(record: Record, flags: Sequence[Flag]) -> list[dict[str, Any]]:
    labels = [_concept(_OBSERVATION_VALUE, "PATAST", "patient asserted")]
    line = record.line
    unsure = line is not None and (_doubts(line) > 0 or (line.rough and bool(line.words)))
    if unsure or wrong_with(record, flags):
        labels.append(_concept(_OBSERVATION_VALUE, "UNCERTREL", "uncertain reliability"))
    return labels


def _description(record: Record, flags: Sequence[Flag]) -> str:
    """What kind of document it is, without a word of it."""
    line = record.line
    if line is None:
        said = "A noticing without a line."
    elif not line.words:
        said = "A noticing. A line was spoken; it could not be made out."
    else:
        said = "A noticing with one line, verbatim."
        doubts = _doubts(line)
        if doubts:
            words = "1 word is" if doubts == 1 else f"{doubts} words are"
            said += f" {words} uncertain, marked (?)."
        if line.rough:
            said += " It was written down by the starter transcriber and is rough."
    return "".join([said, *(f" Flag: {safe(flag.message)}" for flag in wrong_with(record, flags))])


def _concept(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _doubts(line: Line) -> int:
    return sum(word.doubt for word in line.words)


def _moment(at: datetime) -> str | None:
    """The time in the client's own zone; None where FHIR's dateTime cannot say it."""
    return at.isoformat() if abs(at.utcoffset() or timedelta()) <= _MOST_OFFSET else None


def _zone(at: datetime) -> str:
    minutes = round((at.utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _named(record: Record) -> bytes:
    return record.device_id + record.record_id + record.sequence.to_bytes(8, "big")


def _uuid(named: bytes) -> str:
    made = bytearray(hashlib.sha256(named).digest()[:16])
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    digits = made.hex()
    return f"urn:uuid:{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
