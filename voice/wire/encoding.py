"""Small, strict encodings that every wire format shares."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from voice.wire.errors import FrameError

ID_BYTES = 16
KEY_BYTES = 32
SIGNATURE_BYTES = 64


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_b64url(text: str, size: int | None = None) -> bytes:
    """The bytes of `text`; only the one canonical spelling is taken. `size` is the exact number of bytes.

    Raises FrameError.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise FrameError("not base64url") from error
    if b64url(data) != text:
        raise FrameError("not canonical base64url")
    if size is not None and len(data) != size:
        raise FrameError(f"expected {size} bytes, got {len(data)}")
    return data


def key_id(raw_public: bytes) -> bytes:
    """The 16-byte name of a raw public key: the first half of its SHA-256. Self-certifying."""
    return hashlib.sha256(raw_public).digest()[:ID_BYTES]


def signing_key(raw: bytes) -> Ed25519PublicKey:
    """An Ed25519 public key from its 32 raw bytes. Raises FrameError."""
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise FrameError("not an Ed25519 public key") from error


def agreement_key(raw: bytes) -> X25519PublicKey:
    """An X25519 public key from its 32 raw bytes. Raises FrameError."""
    try:
        return X25519PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise FrameError("not an X25519 public key") from error


def need(data: bytes, size: int, what: str) -> None:
    """Raise ValueError when our own argument has the wrong size."""
    if len(data) != size:
        raise ValueError(f"{what} is {size} bytes, not {len(data)}")
