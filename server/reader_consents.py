"""What was agreed with clients, as the clinician's own programs read and carry it over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from server.clinician_client import ClinicianClient, entries_of
from server.clinician_keys import Clinician
from voice.wire.boxes import Box, Purpose, open_box, parse_box, seal_box, verify_box
from voice.wire.consents import Consent, decode_consent
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.errors import FrameError, SealError


@dataclass(frozen=True)
class ConsentEntry:
    """A sealed version as the server gives it; `device_id` is 16 bytes."""

    device_id: bytes
    version: int
    sealed: bytes


def fetch_consents(client: ClinicianClient, device_id: bytes) -> tuple[ConsentEntry, ...]:
    """Every version for a device's client; what is malformed is left out. Raises ServerError."""
    found = []
    for fields in entries_of(client.call("GET", _path(device_id)), "consents"):
        try:
            found.append(ConsentEntry(device_id, int(fields["version"]), from_b64url(str(fields["sealed"]))))
        except (KeyError, TypeError, ValueError, FrameError):
            continue
    return tuple(found)


def give_consent(client: ClinicianClient, entry: ConsentEntry) -> None:
    """Let the server keep a version. Raises ServerError."""
    client.call("PUT", f"{_path(entry.device_id)}/{entry.version}", {"sealed": b64url(entry.sealed)})


def read_consent(clinician: Clinician, entry: ConsentEntry) -> Consent:
    """What was agreed. Raises FrameError, SealError for what is not theirs."""
    return decode_consent(_opened(_own(clinician, entry), clinician))


def consents_leaving(
    clinician: Clinician, entries: Iterable[ConsentEntry], reading_key_id: bytes
) -> list[ConsentEntry]:
    """Those that are sealed to this one of the clinician's keys, each sealed anew to the one in use.

    Each stays the version that it is: they are a history.
    """
    made = []
    for entry in entries:
        try:
            box = _own(clinician, entry)
            if box.reading_key_id != reading_key_id:
                continue
            sealed = seal_box(
                _opened(box, clinician),
                purpose=Purpose.CONSENT,
                identity=clinician.identity,
                reading=clinician.reading.public_key(),
                clinician_id=clinician.id,
                device_id=entry.device_id,
                version=entry.version,
            )
        except (FrameError, SealError):
            continue
        made.append(ConsentEntry(entry.device_id, entry.version, sealed))
    return made


def _path(device_id: bytes) -> str:
    return f"/v1/devices/{device_id.hex()}/consents"


def _own(clinician: Clinician, entry: ConsentEntry) -> Box:
    box = parse_box(entry.sealed)
    verify_box(box, clinician.public)
    named = (box.purpose, box.clinician_id, box.device_id, box.version)
    if named != (Purpose.CONSENT, clinician.id, entry.device_id, entry.version):
        raise SealError("the consent is of another device or version")
    return box


def _opened(box: Box, clinician: Clinician) -> bytes:
    for reading in clinician.readings:
        if key_id(reading.public_key().public_bytes_raw()) == box.reading_key_id:
            return open_box(box, reading)
    raise SealError("the consent is sealed to a key that is not here")
