"""The sealed report: how an enrolment that a card asked for goes. FORMAT.md has it as "The sealed report".

The device writes it, the server keeps the newest of each card and cannot open it, the card's clinician reads
it. What it may say is in card_report_content.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from voice.wire.cards import MAX_VERSION
from voice.wire.encoding import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES, key_id, need
from voice.wire.envelope import HPKE_SUITE
from voice.wire.errors import FrameError, SealError

__all__ = [
    "BUCKETS",
    "MAX_NUMBER",
    "MAX_REPORT_BYTES",
    "ReportFrame",
    "open_report",
    "parse_report",
    "seal_report",
    "verify_report",
]

MAGIC: Final = b"1BRp"
FORMAT_VERSION: Final = 1
SUITE_X25519: Final = 1

BUCKETS: Final = (512, 2048)
"""Padded plaintext sizes in bytes. The smallest holds every report of this version."""

MAX_NUMBER: Final = 2**53 - 1

_HEADER_BYTES: Final = 4 + 1 + 1 + 1 + ID_BYTES + ID_BYTES + 8 + 8 + ID_BYTES
_TAG_BYTES: Final = 16
_INFO: Final = b"onebreath card report v1\x00"
_SIGNED: Final = b"onebreath card report signature v1\x00"

MAX_REPORT_BYTES: Final = _HEADER_BYTES + KEY_BYTES + BUCKETS[-1] + _TAG_BYTES + SIGNATURE_BYTES


@dataclass(frozen=True)
class ReportFrame:
    """A well-formed sealed report; not verified, not opened.

    Ids are 16 bytes; `version` is the card's, `number` only grows for one version of a card, `recipient` is
    the key id of the clinician's reading key.
    """

    device_id: bytes
    card_id: bytes
    version: int
    number: int
    recipient: bytes
    _header: bytes = field(repr=False)
    _sealed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)


def seal_report(
    plaintext: bytes,
    *,
    signer: Ed25519PrivateKey,
    card_id: bytes,
    version: int,
    number: int,
    recipient: X25519PublicKey,
) -> bytes:
    """Seal to the clinician's newest reading key and sign with the device's own; 695 bytes, or 2231.

    `card_id` is 16 bytes, `version` 1 to 2**63 - 1, `number` 1 to 2**53 - 1. Raises ValueError for what
    cannot be framed.
    """
    need(card_id, ID_BYTES, "a card id")
    if not 1 <= version <= MAX_VERSION:
        raise ValueError("a card's version is 1 to 2**63 - 1")
    if not 1 <= number <= MAX_NUMBER:
        raise ValueError("a report's number is 1 to 2**53 - 1")
    code = next((code for code, size in enumerate(BUCKETS) if len(plaintext) < size), None)
    if code is None:
        raise ValueError(f"a report holds at most {BUCKETS[-1] - 1} bytes, not {len(plaintext)}")
    device_id = key_id(signer.public_key().public_bytes_raw())
    header = MAGIC + bytes((FORMAT_VERSION, SUITE_X25519, code)) + device_id + card_id
    header += version.to_bytes(8, "big") + number.to_bytes(8, "big") + key_id(recipient.public_bytes_raw())
    padded = plaintext + b"\x80" + bytes(BUCKETS[code] - len(plaintext) - 1)
    unsigned = header + HPKE_SUITE.encrypt(padded, recipient, info=_info(header))
    return unsigned + signer.sign(_SIGNED + unsigned)


def parse_report(data: bytes) -> ReportFrame:
    """Check a sealed report by exact sizes, without opening it. Raises FrameError."""
    if len(data) < _HEADER_BYTES:
        raise FrameError("shorter than a report's header")
    if data[:4] != MAGIC:
        raise FrameError("not a report")
    version, suite, bucket = data[4:7]
    if version != FORMAT_VERSION:
        raise FrameError(f"report format {version} is not known")
    if suite != SUITE_X25519:
        raise FrameError(f"report suite {suite} is not known")
    if bucket >= len(BUCKETS):
        raise FrameError(f"report size {bucket} is not known")
    signature_at = _HEADER_BYTES + KEY_BYTES + BUCKETS[bucket] + _TAG_BYTES
    if len(data) != signature_at + SIGNATURE_BYTES:
        raise FrameError(f"the report is {len(data)} bytes; its header says {signature_at + SIGNATURE_BYTES}")
    card_version, number = int.from_bytes(data[39:47], "big"), int.from_bytes(data[47:55], "big")
    if not 1 <= card_version <= MAX_VERSION:
        raise FrameError("the card's version is out of range")
    if not 1 <= number <= MAX_NUMBER:
        raise FrameError("the report's number is out of range")
    return ReportFrame(
        device_id=data[7:23],
        card_id=data[23:39],
        version=card_version,
        number=number,
        recipient=data[55:_HEADER_BYTES],
        _header=data[:_HEADER_BYTES],
        _sealed=data[_HEADER_BYTES:signature_at],
        _signature=data[signature_at:],
    )


def verify_report(frame: ReportFrame, device: Ed25519PublicKey) -> None:
    """Check that `device` signed the report and that the report names it. Raises SealError."""
    if frame.device_id != key_id(device.public_bytes_raw()):
        raise SealError("the report names another device")
    try:
        device.verify(frame._signature, _SIGNED + frame._header + frame._sealed)
    except InvalidSignature as error:
        raise SealError("the report was not signed by this device") from error


def open_report(frame: ReportFrame, private: X25519PrivateKey) -> bytes:
    """The plaintext. Verify first: anyone can seal to a public key. Raises SealError.

    Whether it is about the card that was sent, and no older than one that was seen, is the reader's to check.
    """
    if frame.recipient != key_id(private.public_key().public_bytes_raw()):
        raise SealError("the report is not for this key")
    try:
        padded = HPKE_SUITE.decrypt(frame._sealed, private, info=_info(frame._header))
    except (InvalidTag, ValueError) as error:
        raise SealError("the report does not open: it was altered") from error
    plaintext = padded.rstrip(b"\x00")
    if not plaintext.endswith(b"\x80"):
        raise SealError("the report's padding is not whole")
    return plaintext[:-1]


def _info(header: bytes) -> bytes:
    """Everything readable: a sealed report serves for no other device, card, version, number, size or key."""
    return _INFO + header[4:]
