"""The clinician's own sealed notes, opened: records that were marked as discussed, and clients' names.

Pure: keys and entries in, notes and flags out. Only the clinician can make a note that holds; a server can
keep one back, or give an earlier one, which shows where a later version was seen before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from server.keyfile import Clinician
from server.reader import Device, Reading, Record
from server.reader_sequence import Flag, Kind
from server.records_client import MarkEntry, Marks
from voice.wire.boxes import (
    Box,
    Mark,
    Purpose,
    Said,
    decode_label,
    decode_mark,
    encode_label,
    encode_mark,
    open_box,
    parse_box,
    seal_box,
    verify_box,
)
from voice.wire.encoding import key_id
from voice.wire.errors import FrameError, SealError

Place = tuple[bytes, bytes]
"""Device id and record id, 16 bytes each."""


@dataclass(frozen=True)
class Noted:
    """Marks that hold, by place; `versions`: the greatest ever seen, of those that do not open too."""

    marks: Mapping[Place, Mark]
    versions: Mapping[Place, int]
    flags: tuple[Flag, ...]


def read_marks(clinician: Clinician, marks: Marks, seen: Mapping[Place, int]) -> Noted:
    """Verify and open marks; `seen`: the greatest versions that this computer has come across."""
    found, versions, flags = dict[Place, Mark](), dict[Place, int](), list[Flag]()
    forged = closed = 0
    for entry in marks.entries:
        place = (entry.device_id, entry.record_id)
        try:
            box = _own(entry, clinician)
        except (FrameError, SealError):
            forged += 1
            continue
        versions[place] = max(box.version, versions.get(place, 0))
        try:
            found[place] = decode_mark(_opened(box, clinician))
        except (FrameError, SealError):
            closed += 1
    older = sum(versions.get(place, 0) < version for place, version in seen.items() if place in versions)
    for count, said in (
        (forged + marks.broken, "Marks that are not yours, or were altered, are left out"),
        (closed, "Marks that were sealed to a key that is not here cannot be opened"),
        (older, "Marks are older than those that you had seen: the server brought earlier ones back"),
    ):
        if count:
            flags.append(Flag(Kind.MARK, f"{said}: {count}."))
    if not marks.whole:
        flags.append(Flag(Kind.LIST, "The server's list of marks runs in a circle; it may not be whole."))
    return Noted(found, {**seen, **_greater(versions, seen)}, tuple(flags))


def with_marks(reading: Reading, noted: Noted) -> Reading:
    """The reading, with what was marked as discussed, and what is wrong with the marks."""
    records = tuple(
        replace(record, discussed=discussed(noted, record)) if discussed(noted, record) else record
        for record in reading.records
    )
    return replace(reading, records=records, flags=(*reading.flags, *noted.flags))


def discussed(noted: Noted, record: Record) -> bool:
    """Whether a record is marked as discussed."""
    mark = noted.marks.get((record.device_id, record.record_id))
    return mark is not None and mark.said is Said.DISCUSSED


def marks_for(clinician: Clinician, records: Iterable[Record], noted: Noted, *, now: int) -> list[MarkEntry]:
    """New marks for what is not marked as discussed yet; `now` in Unix seconds."""
    made = []
    for record in records:
        if discussed(noted, record):
            continue
        version = noted.versions.get((record.device_id, record.record_id), 0) + 1
        sealed = seal_box(
            encode_mark(Mark(Said.DISCUSSED, now)),
            purpose=Purpose.MARK,
            identity=clinician.identity,
            reading=clinician.reading.public_key(),
            clinician_id=clinician.id,
            device_id=record.device_id,
            record_id=record.record_id,
            version=version,
        )
        made.append(MarkEntry(record.device_id, record.record_id, version, sealed))
    return made


def label_of(device: Device, clinician: Clinician) -> str | None:
    """What the clinician calls a device's client; None without a label, or with one that does not hold."""
    box = _label_box(device, clinician)
    try:
        return None if box is None else decode_label(_opened(box, clinician))
    except (FrameError, SealError):
        return None


def label_for(device: Device, clinician: Clinician, name: str) -> bytes:
    """A new label for a device. Raises ValueError for a name that cannot be kept."""
    before = _label_box(device, clinician)
    return seal_box(
        encode_label(name),
        purpose=Purpose.LABEL,
        identity=clinician.identity,
        reading=clinician.reading.public_key(),
        clinician_id=clinician.id,
        device_id=device.entry.device_id,
        version=1 if before is None else before.version + 1,
    )


def marks_leaving(clinician: Clinician, marks: Marks, reading_key_id: bytes) -> list[MarkEntry]:
    """Marks that are sealed to one of the clinician's keys, each sealed anew to the one in use."""
    made = []
    for entry in marks.entries:
        try:
            box = _own(entry, clinician)
            if box.reading_key_id != reading_key_id:
                continue
            sealed = seal_box(
                _opened(box, clinician),
                purpose=Purpose.MARK,
                identity=clinician.identity,
                reading=clinician.reading.public_key(),
                clinician_id=clinician.id,
                device_id=box.device_id,
                record_id=box.record_id,
                version=box.version + 1,
            )
        except (FrameError, SealError):
            continue
        made.append(MarkEntry(box.device_id, box.record_id, box.version + 1, sealed))
    return made


def label_leaving(device: Device, clinician: Clinician, reading_key_id: bytes) -> bytes | None:
    """A device's label sealed anew, if it is sealed to this one of the clinician's keys."""
    box, name = _label_box(device, clinician), label_of(device, clinician)
    if box is None or name is None or box.reading_key_id != reading_key_id:
        return None
    return label_for(device, clinician, name)


def _label_box(device: Device, clinician: Clinician) -> Box | None:
    if device.entry.label is None:
        return None
    try:
        box = parse_box(device.entry.label)
        verify_box(box, clinician.public)
    except (FrameError, SealError):
        return None
    subject = (box.purpose, box.clinician_id, box.device_id)
    return box if subject == (Purpose.LABEL, clinician.id, device.entry.device_id) else None


def _own(entry: MarkEntry, clinician: Clinician) -> Box:
    box = parse_box(entry.sealed)
    verify_box(box, clinician.public)
    named = (box.purpose, box.clinician_id, box.device_id, box.record_id, box.version)
    if named != (Purpose.MARK, clinician.id, entry.device_id, entry.record_id, entry.version):
        raise SealError("the mark is of another record")
    return box


def _opened(box: Box, clinician: Clinician) -> bytes:
    for reading in clinician.readings:
        if key_id(reading.public_key().public_bytes_raw()) == box.reading_key_id:
            return open_box(box, reading)
    raise SealError("the note is sealed to a key that is not here")


def _greater(versions: Mapping[Place, int], seen: Mapping[Place, int]) -> dict[Place, int]:
    return {place: version for place, version in versions.items() if version > seen.get(place, 0)}
