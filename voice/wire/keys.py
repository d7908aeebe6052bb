"""Key names, and the clinician's signed statement of who they are. FORMAT.md section 4 is normative."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voice.wire.encoding import (
    ID_BYTES,
    KEY_BYTES,
    SIGNATURE_BYTES,
    agreement_key,
    key_id,
    need,
    signing_key,
)
from voice.wire.errors import FrameError, SealError

__all__ = [
    "Statement",
    "device_id",
    "fingerprint",
    "name_problem",
    "parse_statement",
    "sign_statement",
    "unwrap_private",
    "verify_statement",
    "wrap_private",
]

MAGIC: Final = b"1BSt"
VERSION: Final = 1
IDENTITY_EPOCH: Final = 0
"""The place of the wrapped identity key among the wrapped reading keys."""
WRAPPED_BYTES: Final = 12 + KEY_BYTES + 16
MAX_NAME_BYTES: Final = 200
_FIXED_BYTES: Final = 4 + 1 + ID_BYTES + KEY_BYTES + 4 + KEY_BYTES + 8 + 1
_SIGNED: Final = b"onebreath statement v1\x00"
_WRAPPED: Final = b"onebreath wrapped key v1\x00"
_REORDERS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that reorder the text around them; joiners that some scripts need are not among them."""


@dataclass(frozen=True)
class Statement:
    """What a clinician's identity key says of itself.

    `name` is spoken by the device ("Dr Okafor"). `epoch` counts reading keys from 1; a device refuses an
    older one. `issued_at` is in Unix seconds.
    """

    clinician_id: bytes
    name: str
    identity: Ed25519PublicKey
    epoch: int
    reading: X25519PublicKey
    issued_at: int
    version: int = VERSION


def device_id(public: Ed25519PublicKey) -> bytes:
    """A device's 16-byte id: the first half of SHA-256 of its raw signing key."""
    return key_id(public.public_bytes_raw())


def fingerprint(identity: Ed25519PublicKey) -> bytes:
    """The 32 bytes by which a device pins its clinician: SHA-256 of the raw identity key."""
    return hashlib.sha256(identity.public_bytes_raw()).digest()


def sign_statement(
    identity_private: Ed25519PrivateKey,
    *,
    clinician_id: bytes,
    name: str,
    epoch: int,
    reading: X25519PublicKey,
    issued_at: int,
) -> bytes:
    """A signed statement, 163-362 bytes. Raises ValueError for a name or number that cannot be stated."""
    need(clinician_id, ID_BYTES, "a clinician id")
    problem = name_problem(name)
    if problem:
        raise ValueError(problem)
    spoken = name.encode("utf-8")
    if not 1 <= epoch < 2**32 or not 0 <= issued_at < 2**63:
        raise ValueError("the epoch or the time is out of range")
    body = (
        MAGIC
        + bytes((VERSION,))
        + clinician_id
        + identity_private.public_key().public_bytes_raw()
        + epoch.to_bytes(4, "big")
        + reading.public_bytes_raw()
        + issued_at.to_bytes(8, "big")
        + bytes((len(spoken),))
        + spoken
    )
    return body + identity_private.sign(_SIGNED + body)


def verify_statement(data: bytes, fingerprint: bytes, *, at_least_epoch: int = 1) -> Statement:
    """The statement, if the identity with this 32-byte fingerprint signed it and its epoch is not older.

    Raises FrameError when malformed, SealError for another identity, a bad signature or an older epoch.
    """
    statement = parse_statement(data)
    raw_identity = statement.identity.public_bytes_raw()
    if hashlib.sha256(raw_identity).digest() != fingerprint:
        raise SealError("the statement is of another clinician")
    if statement.epoch < at_least_epoch:
        raise SealError("the statement is older than one already seen")
    return statement


def parse_statement(data: bytes) -> Statement:
    """The statement, signed by the identity it names, whoever that is: for the server, which pins nobody.

    Raises FrameError when malformed, SealError when the signature does not hold.
    """
    if len(data) < _FIXED_BYTES + SIGNATURE_BYTES or data[:4] != MAGIC:
        raise FrameError("not a clinician's statement")
    if data[4] != VERSION:
        raise FrameError(f"statement version {data[4]} is not known")
    if len(data) != _FIXED_BYTES + data[_FIXED_BYTES - 1] + SIGNATURE_BYTES:
        raise FrameError("the statement's length is wrong")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    try:
        name = body[_FIXED_BYTES:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise FrameError("the statement's name is not UTF-8") from error
    problem = name_problem(name)
    if problem:
        raise FrameError(problem)
    epoch, issued_at = int.from_bytes(body[53:57], "big"), int.from_bytes(body[89:97], "big")
    if epoch < 1 or issued_at >= 2**63:
        raise FrameError("the statement's epoch or time is out of range")
    identity = signing_key(body[21:53])
    try:
        identity.verify(signature, _SIGNED + body)
    except InvalidSignature as error:
        raise SealError("the statement was not signed by the identity it names") from error
    return Statement(body[5:21], name, identity, epoch, agreement_key(body[57:89]), issued_at)


def name_problem(name: str) -> str:
    """Why a name cannot be stated and spoken; empty when it can."""
    if not name.strip() or name != name.strip():
        return "a clinician's name is text without spaces around it"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name) or _REORDERS & set(
        name
    ):
        return "a clinician's name holds a control character"
    if len(name.encode("utf-8")) > MAX_NAME_BYTES:
        return f"a clinician's name is at most {MAX_NAME_BYTES} bytes"
    return ""


def wrap_private(
    private_raw: bytes, *, key: bytes, nonce: bytes, clinician_id: bytes, epoch: int, public_raw: bytes
) -> bytes:
    """A private key under the key that the slots hold: 60 bytes for the key file or the server to keep.

    `epoch` 0 is the identity key's place. `nonce` is 12 fresh bytes. Bound to clinician, epoch and public
    key, so that none can be put in another's place.
    """
    need(private_raw, KEY_BYTES, "a private key")
    need(nonce, 12, "a nonce")
    return nonce + AESGCM(key).encrypt(nonce, private_raw, _bound(clinician_id, epoch, public_raw))


def unwrap_private(data: bytes, *, key: bytes, clinician_id: bytes, epoch: int, public_raw: bytes) -> bytes:
    """The 32 raw bytes of a wrapped private key. Raises FrameError, SealError."""
    if len(data) != WRAPPED_BYTES:
        raise FrameError("not a wrapped key")
    try:
        return AESGCM(key).decrypt(data[:12], data[12:], _bound(clinician_id, epoch, public_raw))
    except InvalidTag as error:
        raise SealError("the wrapped key does not open: it was altered, or is another's") from error


def _bound(clinician_id: bytes, epoch: int, public_raw: bytes) -> bytes:
    need(clinician_id, ID_BYTES, "a clinician id")
    need(public_raw, KEY_BYTES, "a public key")
    return _WRAPPED + clinician_id + epoch.to_bytes(4, "big") + public_raw
