"""The sealed card: what a clinician sends to one device for one part. FORMAT.md has it as "The sealed card".

The server can check whose it is and whether it is newer; what it says (card_content.py) is the device's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from voice.wire.encoding import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES, key_id, need
from voice.wire.envelope import HPKE_SUITE
from voice.wire.errors import FrameError, SealError

__all__ = [
    "BUCKETS",
    "MAX_CARD_BYTES",
    "MAX_VERSION",
    "CardFrame",
    "open_card",
    "parse_card",
    "seal_card",
    "verify_card",
]

MAGIC: Final = b"1BCd"
FORMAT_VERSION: Final = 1
SUITE_X25519: Final = 1

BUCKETS: Final = (2048, 8192, 32768)
"""Padded plaintext sizes in bytes. The smallest holds an ordinary card, and one that is taken away."""

MAX_VERSION: Final = 2**63 - 1

_HEADER_BYTES: Final = 4 + 1 + 1 + 1 + ID_BYTES + ID_BYTES + 8 + ID_BYTES
_TAG_BYTES: Final = 16
_INFO: Final = b"onebreath card v1\x00"
_SIGNED: Final = b"onebreath card signature v1\x00"

MAX_CARD_BYTES: Final = _HEADER_BYTES + KEY_BYTES + BUCKETS[-1] + _TAG_BYTES + SIGNATURE_BYTES


@dataclass(frozen=True)
class CardFrame:
    """A well-formed sealed card; not verified, not opened. `version` only grows, over all cards of a device.

    Ids are 16 bytes; `recipient` is the key id of the device's encryption key.
    """

    device_id: bytes
    card_id: bytes
    version: int
    recipient: bytes
    _header: bytes = field(repr=False)
    _sealed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)


def seal_card(
    plaintext: bytes,
    *,
    signer: Ed25519PrivateKey,
    device_id: bytes,
    card_id: bytes,
    version: int,
    recipient: X25519PublicKey,
) -> bytes:
    """Seal to a device's encryption key, and sign with the clinician's identity key; 2-33 KB.

    Ids are 16 bytes, `version` is 1 to 2**63 - 1. Raises ValueError for what cannot be framed.
    """
    need(device_id, ID_BYTES, "a device id")
    need(card_id, ID_BYTES, "a card id")
    if not 1 <= version <= MAX_VERSION:
        raise ValueError("a card's version is 1 to 2**63 - 1")
    code = next((code for code, size in enumerate(BUCKETS) if len(plaintext) < size), None)
    if code is None:
        raise ValueError(f"a card holds at most {BUCKETS[-1] - 1} bytes, not {len(plaintext)}")
    header = MAGIC + bytes((FORMAT_VERSION, SUITE_X25519, code)) + device_id + card_id
    header += version.to_bytes(8, "big") + key_id(recipient.public_bytes_raw())
    padded = plaintext + b"\x80" + bytes(BUCKETS[code] - len(plaintext) - 1)
    unsigned = header + HPKE_SUITE.encrypt(padded, recipient, info=_info(header, signer.public_key()))
    return unsigned + signer.sign(_SIGNED + unsigned)


def parse_card(data: bytes) -> CardFrame:
    """Check a sealed card by exact sizes, without opening it. Raises FrameError."""
    if len(data) < _HEADER_BYTES:
        raise FrameError("shorter than a card's header")
    if data[:4] != MAGIC:
        raise FrameError("not a card")
    version, suite, bucket = data[4:7]
    if version != FORMAT_VERSION:
        raise FrameError(f"card format {version} is not known")
    if suite != SUITE_X25519:
        raise FrameError(f"card suite {suite} is not known")
    if bucket >= len(BUCKETS):
        raise FrameError(f"card size {bucket} is not known")
    signature_at = _HEADER_BYTES + KEY_BYTES + BUCKETS[bucket] + _TAG_BYTES
    if len(data) != signature_at + SIGNATURE_BYTES:
        raise FrameError(f"the card is {len(data)} bytes; its header says {signature_at + SIGNATURE_BYTES}")
    counted = int.from_bytes(data[39:47], "big")
    if not 1 <= counted <= MAX_VERSION:
        raise FrameError("the card's version is out of range")
    return CardFrame(
        device_id=data[7:23],
        card_id=data[23:39],
        version=counted,
        recipient=data[47:_HEADER_BYTES],
        _header=data[:_HEADER_BYTES],
        _sealed=data[_HEADER_BYTES:signature_at],
        _signature=data[signature_at:],
    )


def verify_card(frame: CardFrame, identity: Ed25519PublicKey) -> None:
    """Check that this clinician's identity key signed the card. Raises SealError."""
    try:
        identity.verify(frame._signature, _SIGNED + frame._header + frame._sealed)
    except InvalidSignature as error:
        raise SealError("the card was not signed by this clinician") from error


def open_card(frame: CardFrame, private: X25519PrivateKey, identity: Ed25519PublicKey) -> bytes:
    """The plaintext of a card that `identity` sealed and signed. Verifies first. Raises SealError.

    Whether the card names this device, and is newer than what was seen, is the device's to check.
    """
    verify_card(frame, identity)
    if frame.recipient != key_id(private.public_key().public_bytes_raw()):
        raise SealError("the card is not for this key")
    try:
        padded = HPKE_SUITE.decrypt(frame._sealed, private, info=_info(frame._header, identity))
    except (InvalidTag, ValueError) as error:
        raise SealError("the card does not open: it was altered") from error
    plaintext = padded.rstrip(b"\x00")
    if not plaintext.endswith(b"\x80"):
        raise SealError("the card's padding is not whole")
    return plaintext[:-1]


def _info(header: bytes, identity: Ed25519PublicKey) -> bytes:
    """Everything readable, and who sealed it: nobody else can sign the same sealed bytes as their own."""
    return _INFO + header[4:] + identity.public_bytes_raw()
