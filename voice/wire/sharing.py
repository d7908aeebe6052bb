"""A share: one record's data key, sealed anew for a colleague. FORMAT.md, "The share", is normative.

The frame itself stays as the device sealed it. A share says which frame, byte for byte, and which device key
signed it, so that a colleague need not take the server's word for either.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from voice.wire.encoding import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES, key_id, need, signing_key
from voice.wire.envelope import (
    HPKE_SUITE,
    MAX_SEQUENCE,
    data_key_of,
    open_with_data_key,
    parse_frame,
    verify_frame,
)
from voice.wire.errors import FrameError, SealError

__all__ = ["Share", "make_share", "open_shared", "parse_share", "verify_share"]

MAGIC: Final = b"1BSh"
VERSION: Final = 1
SUITE_X25519: Final = 1
SHARE_BYTES: Final = 270
_BOUND_BYTES: Final = 4 + 1 + 1 + ID_BYTES + ID_BYTES + 8 + 32 + KEY_BYTES + ID_BYTES
_INFO: Final = b"onebreath share v1\x00"
_SIGNED: Final = b"onebreath share signature v1\x00"


@dataclass(frozen=True)
class Share:
    """A well-formed share; not verified and not opened. `recipient` is a reading key's id."""

    device_id: bytes
    record_id: bytes
    sequence: int
    sha256: bytes
    """SHA-256 of the whole frame."""
    device: Ed25519PublicKey
    recipient: bytes
    _bound: bytes = field(repr=False)
    _sealed_key: bytes = field(repr=False)


def make_share(
    frame: bytes,
    *,
    device: Ed25519PublicKey,
    reading: X25519PrivateKey,
    identity: Ed25519PrivateKey,
    recipient: X25519PublicKey,
) -> bytes:
    """A share of one's own record for a colleague's reading key, 270 bytes.

    The frame is verified and opened first: nobody vouches for a record that they cannot read themselves.
    Raises FrameError, SealError.
    """
    parsed = parse_frame(frame)
    verify_frame(parsed, device)
    data_key = data_key_of(parsed, reading)
    open_with_data_key(parsed, data_key)
    bound = (
        MAGIC
        + bytes((VERSION, SUITE_X25519))
        + parsed.device_id
        + parsed.record_id
        + parsed.sequence.to_bytes(8, "big")
        + hashlib.sha256(frame).digest()
        + device.public_bytes_raw()
        + key_id(recipient.public_bytes_raw())
    )
    info = _INFO + bound + identity.public_key().public_bytes_raw()
    try:
        body = bound + HPKE_SUITE.encrypt(data_key, recipient, info=info)
    except ValueError as error:
        raise SealError("nothing can be sealed to the colleague's key") from error
    return body + identity.sign(_SIGNED + body)


def parse_share(data: bytes) -> Share:
    """Check a share by exact sizes. Raises FrameError."""
    if len(data) != SHARE_BYTES or data[:4] != MAGIC:
        raise FrameError("not a share")
    if data[4] != VERSION:
        raise FrameError(f"share version {data[4]} is not known")
    if data[5] != SUITE_X25519:
        raise FrameError(f"share suite {data[5]} is not known")
    sequence = int.from_bytes(data[38:46], "big")
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise FrameError("the sequence number is out of range")
    if key_id(data[78:110]) != data[6:22]:
        raise FrameError("the share's device id is not its signing key's")
    return Share(
        device_id=data[6:22],
        record_id=data[22:38],
        sequence=sequence,
        sha256=data[46:78],
        device=signing_key(data[78:110]),
        recipient=data[110:126],
        _bound=data[:_BOUND_BYTES],
        _sealed_key=data[_BOUND_BYTES:-SIGNATURE_BYTES],
    )


def verify_share(data: bytes, identity: Ed25519PublicKey) -> Share:
    """The share, if `identity` signed it. Raises FrameError, SealError."""
    share = parse_share(data)
    try:
        identity.verify(data[-SIGNATURE_BYTES:], _SIGNED + data[:-SIGNATURE_BYTES])
    except InvalidSignature as error:
        raise SealError("the share was not signed by this clinician") from error
    return share


def open_shared(data: bytes, frame: bytes, *, identity: Ed25519PublicKey, reading: X25519PrivateKey) -> bytes:
    """The plaintext of a shared record: share, frame and device signature verified, in this order.

    `identity` is the sharing clinician's, confirmed by the person who reads. Raises FrameError, SealError.
    """
    share = verify_share(data, identity)
    if hashlib.sha256(frame).digest() != share.sha256:
        raise SealError("the share is of another record")
    parsed = parse_frame(frame)
    if (parsed.device_id, parsed.record_id, parsed.sequence) != (
        share.device_id,
        share.record_id,
        share.sequence,
    ):
        raise SealError("the share is of another record")
    verify_frame(parsed, share.device)
    if share.recipient != key_id(reading.public_key().public_bytes_raw()):
        raise SealError("the share is not for this key")
    info = _INFO + share._bound + identity.public_bytes_raw()
    try:
        data_key = HPKE_SUITE.decrypt(share._sealed_key, reading, info=info)
    except (InvalidTag, ValueError) as error:
        raise SealError("the share does not open: it was altered, moved, or made by another") from error
    need(data_key, KEY_BYTES, "a data key")
    return open_with_data_key(parsed, data_key)
