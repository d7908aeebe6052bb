"""A clinician's notes on parts as their own programs make, read and carry them over. Pure, but for two calls.

A note goes to the server beside its part's card; it says to the clinician alone what was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from server.clinician_client import ClinicianClient
from server.clinician_keys import Clinician
from voice.wire.boxes import Box, Purpose, open_box, parse_box, seal_box, verify_box
from voice.wire.card_content import PartCard
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.errors import FrameError, SealError
from voice.wire.part_notes import PartNote, decode_part_note, encode_part_note


@dataclass(frozen=True)
class NoteEntry:
    """A sealed note beside the card of this id, as the server gives it. Ids are 16 bytes."""

    device_id: bytes
    card_id: bytes
    sealed: bytes


def read_note(clinician: Clinician, entry: NoteEntry) -> PartNote:
    """What the clinician noted of this part. Raises FrameError, SealError for what is not theirs."""
    return decode_part_note(_opened(_own(clinician, entry), clinician))


def make_note(
    clinician: Clinician, device_id: bytes, card_id: bytes, version: int, note: PartNote
) -> NoteEntry:
    """A note on the part of this card and version. Raises ContentError, worded for a person."""
    sealed = _sealed(clinician, device_id, card_id, version, encode_part_note(note))
    return NoteEntry(device_id, card_id, sealed)


def known_parts(clinician: Clinician, entries: Iterable[NoteEntry]) -> dict[bytes, PartNote]:
    """What they noted, by card id; notes that are not theirs, or were altered, are left out."""
    found = {}
    for entry in entries:
        try:
            found[entry.card_id] = read_note(clinician, entry)
        except (FrameError, SealError):
            continue
    return found


def sealed_elsewhere(clinician: Clinician, entries: Iterable[NoteEntry]) -> bool:
    """Whether one of them is theirs and sealed to a reading key that these keys do not know.

    One to a key that these know as destroyed does not count: nobody opens it again.
    """
    known = {key_id(one.stated.reading.public_bytes_raw()) for one in clinician.epochs}
    known |= {key_id(one.public_key().public_bytes_raw()) for one in clinician.readings}
    for entry in entries:
        try:
            if _own(clinician, entry).reading_key_id not in known:
                return True
        except (FrameError, SealError):
            continue
    return False


def noted(known: PartNote | None, part: PartCard) -> PartNote:
    """What to note when this card is sent: what the client told of the part, and settings not given, stay."""
    if known is None:
        return PartNote(part.name, part.alias, part.tell, dict(part.settings), removed=part.removed)
    if part.removed:
        return replace(known, removed=True)
    settings = {**known.settings, **part.settings}
    return replace(known, alias=part.alias, tell=part.tell, settings=settings, removed=False)


def note_leaving(clinician: Clinician, entry: NoteEntry, reading_key_id: bytes) -> NoteEntry | None:
    """The note sealed anew to the key in use, one version on, if it is sealed to this one of theirs."""
    try:
        box = _own(clinician, entry)
        if box.reading_key_id != reading_key_id:
            return None
        plaintext = _opened(box, clinician)
    except (FrameError, SealError):
        return None
    sealed = _sealed(clinician, entry.device_id, entry.card_id, box.version + 1, plaintext)
    return NoteEntry(entry.device_id, entry.card_id, sealed)


def fetch_notes(client: ClinicianClient, device_id: bytes) -> tuple[NoteEntry, ...]:
    """Every note on the parts of a device; what is malformed is left out. Raises ServerError."""
    answer = client.call("GET", f"/v1/devices/{device_id.hex()}/notes")
    found = []
    for fields in answer.get("notes", []):
        try:
            card_id = bytes.fromhex(str(fields["card"]))
            found.append(NoteEntry(device_id, card_id, from_b64url(str(fields["sealed"]))))
        except (KeyError, TypeError, ValueError, FrameError):
            continue
    return tuple(found)


def put_note(client: ClinicianClient, entry: NoteEntry) -> None:
    """Have the server keep a note. Raises ServerError."""
    path = f"/v1/devices/{entry.device_id.hex()}/cards/{entry.card_id.hex()}/note"
    client.call("PUT", path, {"sealed": b64url(entry.sealed)})


def _sealed(clinician: Clinician, device_id: bytes, card_id: bytes, version: int, plaintext: bytes) -> bytes:
    return seal_box(
        plaintext,
        purpose=Purpose.PART,
        identity=clinician.identity,
        reading=clinician.reading.public_key(),
        clinician_id=clinician.id,
        device_id=device_id,
        record_id=card_id,
        version=version,
    )


def _own(clinician: Clinician, entry: NoteEntry) -> Box:
    box = parse_box(entry.sealed)
    verify_box(box, clinician.public)
    named = (box.purpose, box.clinician_id, box.device_id, box.record_id)
    if named != (Purpose.PART, clinician.id, entry.device_id, entry.card_id):
        raise SealError("the note is on another part")
    return box


def _opened(box: Box, clinician: Clinician) -> bytes:
    for reading in clinician.readings:
        if key_id(reading.public_key().public_bytes_raw()) == box.reading_key_id:
            return open_box(box, reading)
    raise SealError("the note is sealed to a key that is not here")
