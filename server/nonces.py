"""Server nonces for devices whose clock is wrong. Pure: made and checked with a key, without storage."""

from __future__ import annotations

import hmac

from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError

LIFETIME_S = 300
_SIZE = 8 + 16 + 16
_DOMAIN = b"onebreath server nonce v1\x00"


def make_nonce(key: bytes, now: int, random: bytes) -> str:
    """A nonce that holds until `now` + LIFETIME_S (Unix seconds); `random` is 16 fresh bytes."""
    body = (now + LIFETIME_S).to_bytes(8, "big") + random
    return b64url(body + hmac.digest(key, _DOMAIN + body, "sha256")[:16])


def nonce_expiry(nonce: str, key: bytes, now: int) -> int | None:
    """When our own nonce expires; None if it is not ours or has expired. The store keeps it to one use."""
    try:
        data = from_b64url(nonce, _SIZE)
    except FrameError:
        return None
    body, tag = data[:24], data[24:]
    if not hmac.compare_digest(tag, hmac.digest(key, _DOMAIN + body, "sha256")[:16]):
        return None
    expires = int.from_bytes(body[:8], "big")
    return expires if now < expires else None
