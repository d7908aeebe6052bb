"""Codes of an authenticator app: RFC 6238 with SHA-1, 30 s, six digits. Pure: time and randomness are given.

SHA-1 and six digits are what every authenticator app takes; HMAC-SHA-1 is not touched by the collisions of
SHA-1, and six digits hold because tries are throttled (sign_in.py) and each step is taken once.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
NONCE_BYTES: Final = 12
DRIFT_STEPS: Final = 1
_DOMAIN: Final = b"onebreath totp v1\x00"
_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)


def code_at(secret: bytes, step: int) -> str:
    """The six digits of a time step (Unix seconds // 30)."""
    return _totp(secret).generate(step * STEP_S).decode("ascii")


def taken_step(secret: bytes, code: str, *, now: int, last_step: int) -> int | None:
    """The step whose code this is, within one of now's and after `last_step`; None when there is none.

    All steps are computed and compared, whatever the answer, so that time tells nothing.
    """
    middle = now // STEP_S
    typed = code.encode("ascii") if _CODE.fullmatch(code) else b"------"
    found: int | None = None
    for step in range(max(middle - DRIFT_STEPS, 0), middle + DRIFT_STEPS + 1):
        same = bytes_eq(code_at(secret, step).encode("ascii"), typed)
        if same and step > last_step and found is None:
            found = step
    return found


def seal_secret(key: bytes, account_id: bytes, secret: bytes, nonce: bytes) -> bytes:
    """The secret under the server's key by AES-256-GCM, bound to the account: nonce (12) || sealed.

    Whoever steals the database alone, without this key's row, has no code. `nonce` is 12 fresh bytes.
    """
    return nonce + AESGCM(key).encrypt(nonce, secret, _DOMAIN + account_id)


def open_secret(key: bytes, account_id: bytes, sealed: bytes) -> bytes | None:
    """The secret; None when it was altered, moved to another account, or is under another key."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _DOMAIN + account_id)
    except (InvalidTag, ValueError):
        return None


def enrolment_uri(secret: bytes, name: str, issuer: str) -> str:
    """The `otpauth://` address that an authenticator app reads as a QR code."""
    return _totp(secret).get_provisioning_uri(name, issuer)


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303 - RFC 6238's own
