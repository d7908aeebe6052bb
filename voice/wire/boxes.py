"""Sealed notes of a clinician to themselves: reviewed marks, clients' names, parts (part_notes.py), and what
was agreed with a client (consents.py).

FORMAT.md, "Sealed notes to oneself", is normative. The server keeps them without learning what they say;
it sees whose they are, what they are about, and their version.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from voice.wire.encoding import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES, key_id, need
from voice.wire.envelope import HPKE_SUITE
from voice.wire.errors import ContentError, FrameError, SealError

__all__ = [
    "BUCKETS",
    "CONSENT_BYTES",
    "MAX_BOX_BYTES",
    "MAX_NAME_BYTES",
    "MAX_VERSION",
    "NO_RECORD",
    "PART_BUCKET",
    "PART_NOTE_BYTES",
    "Box",
    "Mark",
    "Purpose",
    "Said",
    "decode_label",
    "decode_mark",
    "encode_label",
    "encode_mark",
    "open_box",
    "parse_box",
    "seal_box",
    "verify_box",
]

MAGIC: Final = b"1BBx"
VERSION: Final = 1
SUITE_X25519: Final = 1
BUCKETS: Final = (256, 1024)
"""Padded plaintext sizes in bytes: the smaller holds every mark and all but the longest names."""

PART_BUCKET: Final = 16384
"""The one padded size of a note on a part, in bytes: it holds the longest that such a note can say."""

CONSENT_BUCKET: Final = 16384
"""The one padded size of what was agreed with a client, in bytes."""

MAX_VERSION: Final = 2**53 - 1
"""The largest whole number that every reader of JSON holds exactly."""

MAX_NAME_BYTES: Final = 400
NO_RECORD: Final = bytes(ID_BYTES)
"""In place of a record's id in what is about a device. A note on a part has its card's id there."""

_HEADER_BYTES: Final = 4 + 1 + 1 + 1 + 1 + 3 * ID_BYTES + 8 + ID_BYTES
_SEALING_BYTES: Final = KEY_BYTES + 16
_INFO: Final = b"onebreath box v1\x00"
_SIGNED: Final = b"onebreath box signature v1\x00"
_CONTENT_VERSION: Final = 1
_UNSEEN: Final = ("Cc", "Cs", "Zl", "Zp")

MAX_BOX_BYTES: Final = _HEADER_BYTES + _SEALING_BYTES + BUCKETS[-1] + SIGNATURE_BYTES
"""Of a mark or a label."""

PART_NOTE_BYTES: Final = _HEADER_BYTES + _SEALING_BYTES + PART_BUCKET + SIGNATURE_BYTES
"""Of a note on a part."""

CONSENT_BYTES: Final = _HEADER_BYTES + _SEALING_BYTES + CONSENT_BUCKET + SIGNATURE_BYTES
"""Of what was agreed with a client."""


class Purpose(IntEnum):
    """What a note is."""

    MARK = 1
    LABEL = 2
    PART = 3
    CONSENT = 4


_SIZES: Final[Mapping[Purpose, Mapping[int, int]]] = {
    Purpose.MARK: dict(enumerate(BUCKETS)),
    Purpose.LABEL: dict(enumerate(BUCKETS)),
    Purpose.PART: {2: PART_BUCKET},
    Purpose.CONSENT: {2: CONSENT_BUCKET},
}
"""Padded sizes by size code, smallest first."""

_ABOUT_A_DEVICE: Final = (Purpose.LABEL, Purpose.CONSENT)


class Said(StrEnum):
    """What a mark can say of a record."""

    DISCUSSED = "discussed"
    NONE = "none"
    """An earlier mark is taken back."""


@dataclass(frozen=True)
class Mark:
    """What a mark says; `at` is when it was made, in Unix seconds."""

    said: Said
    at: int


@dataclass(frozen=True)
class Box:
    """A well-formed sealed note; not verified and not opened. Ids are 16 bytes.

    `record_id` is NO_RECORD in a label and a consent, and a card's id in a note on a part. `version` counts
    the notes on one subject from 1; that of a note on a part is its card's.
    """

    purpose: Purpose
    clinician_id: bytes
    device_id: bytes
    record_id: bytes
    version: int
    reading_key_id: bytes
    _header: bytes = field(repr=False)
    _sealed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)


def seal_box(
    plaintext: bytes,
    *,
    purpose: Purpose,
    identity: Ed25519PrivateKey,
    reading: X25519PublicKey,
    clinician_id: bytes,
    device_id: bytes,
    record_id: bytes = NO_RECORD,
    version: int,
) -> bytes:
    """Seal a note to the clinician's own reading key and sign it; 448, 1216 or 16576 bytes.

    Raises ValueError for arguments that cannot be framed. The same note twice gives different bytes.
    """
    need(clinician_id, ID_BYTES, "a clinician id")
    need(device_id, ID_BYTES, "a device id")
    need(record_id, ID_BYTES, "a record id")
    if not 1 <= version <= MAX_VERSION:
        raise ValueError("a note's version is 1 to 2**53 - 1")
    if (purpose in _ABOUT_A_DEVICE) != (record_id == NO_RECORD):
        raise ValueError("a mark is about a record, and a label about a device")
    sizes = _SIZES[purpose]
    code = next((code for code, size in sizes.items() if len(plaintext) < size), None)
    if code is None:
        raise ValueError(f"a note holds at most {max(sizes.values()) - 1} bytes")
    header = MAGIC + bytes((VERSION, SUITE_X25519, purpose, code)) + clinician_id + device_id + record_id
    header += version.to_bytes(8, "big") + key_id(reading.public_bytes_raw())
    padded = plaintext + b"\x80" + bytes(sizes[code] - len(plaintext) - 1)
    body = header + HPKE_SUITE.encrypt(padded, reading, info=_INFO + header)
    return body + identity.sign(_SIGNED + body)


def parse_box(data: bytes) -> Box:
    """Check a sealed note by exact sizes, without opening it. Raises FrameError."""
    if len(data) < _HEADER_BYTES or data[:4] != MAGIC:
        raise FrameError("not a sealed note")
    version, suite, kind, code = data[4:8]
    if version != VERSION:
        raise FrameError(f"note version {version} is not known")
    if suite != SUITE_X25519:
        raise FrameError(f"note suite {suite} is not known")
    if kind not in tuple(Purpose):
        raise FrameError(f"note purpose {kind} is not known")
    purpose = Purpose(kind)
    if code not in _SIZES[purpose]:
        raise FrameError(f"note size {code} is not known")
    signature_at = _HEADER_BYTES + _SEALING_BYTES + _SIZES[purpose][code]
    if len(data) != signature_at + SIGNATURE_BYTES:
        raise FrameError("the note's length is wrong")
    record_id = data[40:56]
    if (purpose in _ABOUT_A_DEVICE) != (record_id == NO_RECORD):
        raise FrameError("the note's purpose and subject disagree")
    number = int.from_bytes(data[56:64], "big")
    if not 1 <= number <= MAX_VERSION:
        raise FrameError("the note's version is out of range")
    return Box(
        purpose=purpose,
        clinician_id=data[8:24],
        device_id=data[24:40],
        record_id=record_id,
        version=number,
        reading_key_id=data[64:80],
        _header=data[:_HEADER_BYTES],
        _sealed=data[_HEADER_BYTES:signature_at],
        _signature=data[signature_at:],
    )


def verify_box(box: Box, identity: Ed25519PublicKey) -> None:
    """Check that `identity` signed the note. Raises SealError."""
    try:
        identity.verify(box._signature, _SIGNED + box._header + box._sealed)
    except InvalidSignature as error:
        raise SealError("the note is not this clinician's") from error


def open_box(box: Box, private: X25519PrivateKey) -> bytes:
    """The plaintext. Verify first: anyone can seal to a public key. Raises SealError."""
    if box.reading_key_id != key_id(private.public_key().public_bytes_raw()):
        raise SealError("the note is sealed to another reading key")
    try:
        padded = HPKE_SUITE.decrypt(box._sealed, private, info=_INFO + box._header)
    except (InvalidTag, ValueError) as error:
        raise SealError("the note does not open: it was altered") from error
    plaintext = padded.rstrip(b"\x00")
    if not plaintext.endswith(b"\x80"):
        raise SealError("the note's padding is not whole")
    return plaintext[:-1]


def encode_mark(mark: Mark) -> bytes:
    """The one spelling of a mark. Raises ValueError for a time that is none."""
    if not 0 <= mark.at <= MAX_VERSION:
        raise ValueError("the time is out of range")
    return _canonical({"at": mark.at, "mark": mark.said.value, "v": _CONTENT_VERSION})


def decode_mark(data: bytes) -> Mark:
    """The mark that `data` spells. Raises ContentError for anything but its one spelling."""
    fields = _fields(data, {"at", "mark", "v"})
    try:
        if type(fields["at"]) is not int:
            raise ValueError("not a time")
        mark = Mark(Said(fields["mark"]), fields["at"])
        same = encode_mark(mark) == data
    except ValueError as error:
        raise ContentError("not a mark") from error
    if not same:
        raise ContentError("not the canonical content of a mark")
    return mark


def encode_label(name: str) -> bytes:
    """The one spelling of a client's name, as the clinician wrote it. Raises ValueError."""
    if not name or name != name.strip() or any(unicodedata.category(one) in _UNSEEN for one in name):
        raise ValueError("a client's name is text without controls or spaces around it")
    if len(name.encode("utf-8")) > MAX_NAME_BYTES:
        raise ValueError(f"a client's name is at most {MAX_NAME_BYTES} bytes")
    return _canonical({"name": name, "v": _CONTENT_VERSION})


def decode_label(data: bytes) -> str:
    """The name that `data` spells. Raises ContentError for anything but its one spelling."""
    name = _fields(data, {"name", "v"})["name"]
    try:
        same = isinstance(name, str) and encode_label(name) == data
    except ValueError as error:
        raise ContentError("not a client's name") from error
    if not same:
        raise ContentError("not the canonical content of a label")
    return str(name)


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")


def _fields(data: bytes, keys: set[str]) -> dict[str, Any]:
    try:
        document: Any = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ContentError("not the content of a note") from error
    if not isinstance(document, dict) or document.keys() != keys:
        raise ContentError(f"expected exactly the keys {', '.join(sorted(keys))}")
    return document
