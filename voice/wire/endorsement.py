"""The clinician's signed word that devices also seal to someone else. FORMAT.md, "The endorsement".

A practice may keep a recovery key, so that records outlive a clinician's keys. Devices believe it only from
the identity they pinned, tell the client who can read, and refuse an older word than they have seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from voice.wire.encoding import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES, agreement_key, need, signing_key
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import name_problem

__all__ = ["Endorsement", "parse_endorsement", "sign_endorsement", "sign_withdrawal", "verify_endorsement"]

MAGIC: Final = b"1BEn"
VERSION: Final = 1
_FIXED_BYTES: Final = 4 + 1 + ID_BYTES + KEY_BYTES + 8 + 4 + KEY_BYTES + 1
_SIGNED: Final = b"onebreath endorsement v1\x00"
_WITHDRAWN: Final = bytes(KEY_BYTES)
_PROBE: Final = X25519PrivateKey.from_private_bytes(bytes(range(1, KEY_BYTES + 1)))
"""With a point of low order every private key agrees on zeros, which is refused: one fixed key finds out."""


@dataclass(frozen=True)
class Endorsement:
    """What a clinician's identity key says of a second reader.

    `number` only grows. `holder` is spoken by the device ("the Elm Street practice"). It counts for records
    that are sealed under reading keys from `from_epoch` on. `key` None: withdrawn, and `holder` is empty.
    """

    clinician_id: bytes
    identity: Ed25519PublicKey
    number: int
    from_epoch: int
    key: X25519PublicKey | None
    holder: str


def sign_endorsement(
    identity_private: Ed25519PrivateKey,
    *,
    clinician_id: bytes,
    number: int,
    from_epoch: int,
    key: X25519PublicKey,
    holder: str,
) -> bytes:
    """A signed endorsement, 163-362 bytes. Raises ValueError for what cannot be endorsed."""
    problem = name_problem(holder)
    if problem:
        raise ValueError(problem.replace("a clinician's", "the holder's"))
    raw = key.public_bytes_raw()
    if not _usable(key):
        raise ValueError("nothing can be sealed to this key")
    return _sign(identity_private, clinician_id, number, from_epoch, raw, holder)


def sign_withdrawal(
    identity_private: Ed25519PrivateKey, *, clinician_id: bytes, number: int, from_epoch: int
) -> bytes:
    """The signed word that nobody else reads any more, 162 bytes. Raises ValueError."""
    return _sign(identity_private, clinician_id, number, from_epoch, _WITHDRAWN, "")


def parse_endorsement(data: bytes) -> Endorsement:
    """The endorsement, signed by the identity it names, whoever that is: for the server, which pins nobody.

    Raises FrameError when malformed, SealError when the signature does not hold.
    """
    if len(data) < _FIXED_BYTES + SIGNATURE_BYTES or data[:4] != MAGIC:
        raise FrameError("not an endorsement")
    if data[4] != VERSION:
        raise FrameError(f"endorsement version {data[4]} is not known")
    if len(data) != _FIXED_BYTES + data[_FIXED_BYTES - 1] + SIGNATURE_BYTES:
        raise FrameError("the endorsement's length is wrong")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    number, from_epoch = int.from_bytes(body[53:61], "big"), int.from_bytes(body[61:65], "big")
    if not 1 <= number < 2**63 or from_epoch < 1:
        raise FrameError("the endorsement's number or epoch is out of range")
    key, holder = _second_reader(body[65:97], body[_FIXED_BYTES:])
    identity = signing_key(body[21:53])
    try:
        identity.verify(signature, _SIGNED + body)
    except InvalidSignature as error:
        raise SealError("the endorsement was not signed by the identity it names") from error
    return Endorsement(body[5:21], identity, number, from_epoch, key, holder)


def verify_endorsement(
    data: bytes, fingerprint: bytes, *, clinician_id: bytes, at_least: int = 1
) -> Endorsement:
    """The endorsement, if the identity with this 32-byte fingerprint signed it and it is not older.

    Raises FrameError when malformed, SealError for another clinician, a bad signature or a lower number.
    """
    endorsement = parse_endorsement(data)
    if hashlib.sha256(endorsement.identity.public_bytes_raw()).digest() != fingerprint:
        raise SealError("the endorsement is of another clinician")
    if endorsement.clinician_id != clinician_id:
        raise SealError("the endorsement is of another clinician")
    if endorsement.number < at_least:
        raise SealError("the endorsement is older than one already seen")
    return endorsement


def _second_reader(raw: bytes, spoken: bytes) -> tuple[X25519PublicKey | None, str]:
    if raw == _WITHDRAWN:
        if spoken:
            raise FrameError("a withdrawal names nobody")
        return None, ""
    try:
        holder = spoken.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FrameError("the holder's name is not UTF-8") from error
    problem = name_problem(holder)
    if problem:
        raise FrameError(problem.replace("a clinician's", "the holder's"))
    key = agreement_key(raw)
    if not _usable(key):
        raise FrameError("nothing can be sealed to the endorsed key")
    return key, holder


def _usable(key: X25519PublicKey) -> bool:
    try:
        _PROBE.exchange(key)
    except ValueError:
        return False
    return True


def _sign(
    identity_private: Ed25519PrivateKey,
    clinician_id: bytes,
    number: int,
    from_epoch: int,
    raw: bytes,
    holder: str,
) -> bytes:
    need(clinician_id, ID_BYTES, "a clinician id")
    if not 1 <= number < 2**63 or not 1 <= from_epoch < 2**32:
        raise ValueError("the number or the epoch is out of range")
    spoken = holder.encode("utf-8")
    body = (
        MAGIC
        + bytes((VERSION,))
        + clinician_id
        + identity_private.public_key().public_bytes_raw()
        + number.to_bytes(8, "big")
        + from_epoch.to_bytes(4, "big")
        + raw
        + bytes((len(spoken),))
        + spoken
    )
    return body + identity_private.sign(_SIGNED + body)
