"""What a passphrase and a printed recovery code become: one half is sent to sign in, the other never leaves.

FORMAT.md, "A person's secrets", is normative. The server is sent `sign_in` secrets and keeps a hash of them;
the `wrapping` secret that unwraps a clinician's keys is derived beside it and cannot be computed from it. The
page, the command line and the tests share this. Pure: no storage, no time.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voice.wire.encoding import KEY_BYTES, SIGNATURE_BYTES, b64url, from_b64url, need
from voice.wire.errors import FrameError, SealError

__all__ = [
    "LEAST",
    "MOST",
    "Parameters",
    "PersonSecrets",
    "derive",
    "parse_parameters",
    "recovery_sign_in",
    "sign_set_up",
    "verify_set_up",
]

SALT_BYTES: Final = 16
RECOVERY_BYTES: Final = 16
MOST_PARAMETER_CHARACTERS: Final = 400
_KDF: Final = "argon2id"
_SIGN_IN: Final = b"onebreath sign-in v1"
_WRAPPING: Final = b"onebreath key wrapping v1"
_RECOVERY: Final = b"onebreath recovery sign-in v1"
_SET_UP: Final = b"onebreath set-up v1\x00"


@dataclass(frozen=True)
class Parameters:
    """What one guess of a passphrase costs: Argon2id passes, memory in KiB, lanes; and the 16-byte salt."""

    salt: bytes
    passes: int = 3
    memory_kib: int = 64 * 1024
    lanes: int = 4

    @property
    def text(self) -> str:
        """The one spelling of them as JSON; what `parse_parameters` takes."""
        fields = {
            "kdf": _KDF,
            "lanes": self.lanes,
            "memory_kib": self.memory_kib,
            "passes": self.passes,
            "salt": b64url(self.salt),
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))


LEAST: Final = Parameters(bytes(SALT_BYTES))
"""RFC 9106 section 4, second recommended option: t=3, m=64 MiB, p=4. Less is refused."""

MOST: Final = Parameters(bytes(SALT_BYTES), passes=64, memory_kib=4 * 1024 * 1024, lanes=64)
"""A server that asks for more wants to stop this machine, not to protect it."""


@dataclass(frozen=True)
class PersonSecrets:
    """Both halves of a passphrase, 32 bytes each. `wrapping` never leaves the machine it was typed on."""

    sign_in: bytes
    wrapping: bytes


def parse_parameters(text: str) -> Parameters:
    """Parameters from their JSON, canonical as `Parameters.text` writes it.

    Raises FrameError when malformed; SealError, before any work, when weaker than LEAST or beyond MOST.
    """
    if len(text) > MOST_PARAMETER_CHARACTERS:
        raise FrameError("the passphrase's parameters are too long")
    try:
        fields = json.loads(text)
        numbers = [fields[name] for name in ("passes", "memory_kib", "lanes")]
        salt = from_b64url(fields["salt"], SALT_BYTES)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FrameError("not the parameters of a passphrase") from error
    if not all(type(number) is int and 0 < number < 2**32 for number in numbers):
        raise FrameError("a passphrase's parameters are whole numbers")
    found = Parameters(salt, *numbers)
    if found.text != text:
        raise FrameError("the passphrase's parameters are not in their one spelling")
    check_cost(found)
    return found


def check_cost(parameters: Parameters) -> None:
    """Raise SealError for a cost that is too low to protect, or too high to be meant."""
    asked = (parameters.passes, parameters.memory_kib, parameters.lanes)
    least = (LEAST.passes, LEAST.memory_kib, LEAST.lanes)
    most = (MOST.passes, MOST.memory_kib, MOST.lanes)
    if any(value < bound for value, bound in zip(asked, least, strict=True)):
        raise SealError("the passphrase's parameters are weaker than this version allows")
    if any(value > bound for value, bound in zip(asked, most, strict=True)):
        raise SealError("the passphrase's parameters ask for more work than any real ones")


def derive(passphrase: str, parameters: Parameters) -> PersonSecrets:
    """Both secrets of a passphrase: Argon2id (RFC 9106), then HKDF-SHA256 (RFC 5869). About 0.1-0.5 s.

    The passphrase is taken in NFKC, since the same words typed on another keyboard may come as other code
    points. Raises SealError for parameters that a client refuses, MemoryError when they do not fit.
    """
    check_cost(parameters)
    need(parameters.salt, SALT_BYTES, "a salt")
    master = Argon2id(
        salt=parameters.salt,
        length=KEY_BYTES,
        iterations=parameters.passes,
        lanes=parameters.lanes,
        memory_cost=parameters.memory_kib,
    ).derive(unicodedata.normalize("NFKC", passphrase).encode("utf-8"))
    return PersonSecrets(_expand(master, _SIGN_IN), _expand(master, _WRAPPING))


def recovery_sign_in(code: bytes) -> bytes:
    """What a printed 128-bit recovery code proves itself with at the server, 32 bytes.

    Apart from the key of the recovery code's slot, which is derived with a salt and another info text.
    """
    need(code, RECOVERY_BYTES, "a recovery code")
    return _expand(code, _RECOVERY)


def sign_set_up(identity: Ed25519PrivateKey, token: bytes, statement: bytes) -> bytes:
    """The proof, 64 bytes, that who sets an account up holds the identity key of the statement they give.

    A statement alone is public. `token` is the one-time set-up token, which binds the proof to this account.
    """
    return identity.sign(_set_up_message(token, statement))


def verify_set_up(identity: Ed25519PublicKey, token: bytes, statement: bytes, proof: bytes) -> None:
    """Raise FrameError for a proof of another size, SealError for one that does not hold."""
    if len(proof) != SIGNATURE_BYTES:
        raise FrameError("not a proof of an identity key")
    try:
        identity.verify(proof, _set_up_message(token, statement))
    except InvalidSignature as error:
        raise SealError("the proof was not made with the statement's identity key") from error


def _set_up_message(token: bytes, statement: bytes) -> bytes:
    return _SET_UP + hashlib.sha256(token).digest() + statement


def _expand(material: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(material)
