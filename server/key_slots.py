"""Key slots: ways to unlock the one key that wraps a clinician's private keys.

A slot holds that key (32 random bytes) under AES-256-GCM; the slot's type and every parameter are bound as
associated data, so that none can be weakened or moved without the slot refusing to open.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.errors import ServerError
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError
from voice.wire.secrets import Parameters, derive

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
RECOVERY_BYTES: Final = 16
PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a slot type
RECOVERY: Final = "recovery"
PASSKEY: Final = "passkey"
PRF_SALT_BYTES: Final = 32

PRF_SALT: Final = hashlib.sha256(b"onebreath passkey PRF v1\x00").digest()
"""What a passkey's PRF is evaluated on, always: a sign-in asks before it knows whose passkey answers."""

_DOMAIN: Final = b"onebreath key slot v1\x00"
_PASSKEY_INFO: Final = b"onebreath passkey slot v1\x00"
_RECOVERY_INFO: Final = b"onebreath recovery code v1\x00"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U to be misread on paper."""


@dataclass(frozen=True)
class Cost:
    """What one Argon2id guess costs: passes, memory in KiB, lanes."""

    passes: int = 3
    memory_kib: int = 64 * 1024
    lanes: int = 4


RECOMMENDED: Final = Cost()
"""RFC 9106 section 4, second recommended option: t=3, m=64 MiB, p=4."""

MOST: Final = Cost(passes=64, memory_kib=4 * 1024 * 1024, lanes=64)
"""More is not strength but a file that was made to stop this machine."""


class WrongSecretError(Exception):
    """The secret does not open the slot, or the slot was altered: they cannot be told apart."""


def passphrase_slot(key: bytes, passphrase: str, *, cost: Cost = RECOMMENDED) -> dict[str, Any]:
    """The key under a passphrase, as JSON fields. Argon2id takes about 0.1-0.5 s at the recommended cost."""
    salt = secrets.token_bytes(SALT_BYTES)
    fields: dict[str, Any] = {
        "type": PASSPHRASE,
        "kdf": "argon2id",
        "passes": cost.passes,
        "memory_kib": cost.memory_kib,
        "lanes": cost.lanes,
        "salt": b64url(salt),
    }
    return _close(fields, key, _stretch(passphrase, salt, cost))


def recovery_slot(key: bytes) -> tuple[dict[str, Any], str]:
    """The key under a fresh recovery code of 128 bits; the slot's fields, and the code to print once."""
    code = secrets.token_bytes(RECOVERY_BYTES)
    salt = secrets.token_bytes(SALT_BYTES)
    fields: dict[str, Any] = {"type": RECOVERY, "kdf": "hkdf-sha256", "salt": b64url(salt)}
    return _close(fields, key, _from_code(code, salt)), _grouped(code)


def wrapping_slot(key: bytes, passphrase: str, *, parameters: Parameters) -> dict[str, Any]:
    """A passphrase slot for the server to keep: under the wrapping secret, which the server never sees.

    FORMAT.md, "Key slots". Raises SealError for parameters that a client refuses.
    """
    fields: dict[str, Any] = {
        "type": PASSPHRASE,
        "kdf": "argon2id-hkdf",
        "passes": parameters.passes,
        "memory_kib": parameters.memory_kib,
        "lanes": parameters.lanes,
        "salt": b64url(parameters.salt),
    }
    return _close(fields, key, derive(passphrase, parameters).wrapping)


def open_wrapping_slot(fields: dict[str, Any], passphrase: str) -> bytes:
    """The key of a passphrase slot that the server kept.

    Raises WrongSecretError; SealError, before any work, for a cost that the server weakened or made absurd.
    """
    try:
        numbers = [_whole(fields[name]) for name in ("passes", "memory_kib", "lanes")]
        parameters = Parameters(from_b64url(str(fields["salt"]), SALT_BYTES), *numbers)
        if fields["kdf"] != "argon2id-hkdf":
            raise ValueError("another kdf")
    except (KeyError, ValueError, FrameError) as error:
        raise WrongSecretError from error
    return _open(fields, derive(passphrase, parameters).wrapping)


def passkey_slot(key: bytes, prf: bytes, *, credential: bytes, salt: bytes) -> dict[str, Any]:
    """A passkey's slot: under the 32 bytes that the authenticator's PRF gives for the slot's salt (32)."""
    fields: dict[str, Any] = {
        "type": PASSKEY,
        "kdf": "hkdf-sha256",
        "credential": b64url(credential),
        "salt": b64url(salt),
    }
    return _close(fields, key, _from_prf(prf, salt))


def open_passkey_slot(fields: dict[str, Any], prf: bytes) -> bytes:
    """The key of a passkey's slot. Raises WrongSecretError."""
    try:
        salt = from_b64url(str(fields["salt"]), PRF_SALT_BYTES)
        if (fields["type"], fields["kdf"]) != (PASSKEY, "hkdf-sha256"):
            raise ValueError("another slot")
    except (KeyError, ValueError, FrameError) as error:
        raise WrongSecretError from error
    return _open(fields, _from_prf(prf, salt))


def open_passphrase_slot(fields: dict[str, Any], passphrase: str, *, least: Cost = RECOMMENDED) -> bytes:
    """The key. Raises WrongSecretError; ServerError, before any work, for a cost below `least` or absurd."""
    try:
        cost = Cost(*(_whole(fields[name]) for name in ("passes", "memory_kib", "lanes")))
        salt = from_b64url(str(fields["salt"]), SALT_BYTES)
        if fields["kdf"] != "argon2id":
            raise ValueError("another kdf")
    except (KeyError, ValueError, FrameError) as error:
        raise WrongSecretError from error
    if cost.passes < least.passes or cost.memory_kib < least.memory_kib or cost.lanes < least.lanes:
        raise ServerError(
            "The key file's passphrase slot is weaker than this version allows.",
            "It may have been tampered with. Use a backup of the key file, or its recovery code.",
        )
    if cost.passes > MOST.passes or cost.memory_kib > MOST.memory_kib or cost.lanes > MOST.lanes:
        raise ServerError(
            "The key file asks for more memory or time than any real one.",
            "It may have been tampered with. Use a backup of the key file, or its recovery code.",
        )
    try:
        stretched = _stretch(passphrase, salt, cost)
    except MemoryError as error:
        raise ServerError(
            f"Unlocking needs {cost.memory_kib // 1024} MiB of memory, which this machine has not free.",
            "Close other programs and try again.",
        ) from error
    return _open(fields, stretched)


def open_recovery_slot(fields: dict[str, Any], code: str) -> bytes:
    """The key. Spaces, dashes and case do not matter; O, I, L are 0, 1, 1. Raises WrongSecretError."""
    try:
        salt = from_b64url(str(fields["salt"]), SALT_BYTES)
        if fields["kdf"] != "hkdf-sha256":
            raise ValueError("another kdf")
        return _open(fields, _from_code(_ungrouped(code), salt))
    except (KeyError, ValueError, FrameError) as error:
        raise WrongSecretError from error


def recovery_bytes(code: str) -> bytes:
    """The 16 bytes of a printed recovery code, read as `open_recovery_slot` does. Raises ServerError."""
    try:
        return _ungrouped(code)
    except binascii.Error as error:
        raise ServerError(
            "This is not a recovery code.",
            "It has 26 letters and digits in groups of five; check each against the printed page.",
        ) from error


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    # The same words typed on another keyboard may come as other code points; NFKC makes them one.
    words = unicodedata.normalize("NFKC", passphrase).encode("utf-8")
    kdf = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return kdf.derive(words)


def _from_code(code: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_RECOVERY_INFO).derive(code)


def _from_prf(prf: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=_PASSKEY_INFO).derive(prf)


def _bound(fields: dict[str, Any]) -> bytes:
    parameters = {name: value for name, value in fields.items() if name not in ("nonce", "wrapped")}
    return _DOMAIN + json.dumps(parameters, sort_keys=True, separators=(",", ":")).encode()


def _close(fields: dict[str, Any], key: bytes, under: bytes) -> dict[str, Any]:
    nonce = secrets.token_bytes(NONCE_BYTES)
    wrapped = AESGCM(under).encrypt(nonce, key, _bound(fields))
    return {**fields, "nonce": b64url(nonce), "wrapped": b64url(wrapped)}


def _open(fields: dict[str, Any], under: bytes) -> bytes:
    try:
        nonce = from_b64url(str(fields["nonce"]), NONCE_BYTES)
        wrapped = from_b64url(str(fields["wrapped"]), KEY_BYTES + 16)
        return AESGCM(under).decrypt(nonce, wrapped, _bound(fields))
    except (KeyError, FrameError, InvalidTag) as error:
        raise WrongSecretError from error


def _whole(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("not a whole number")
    return value


def _grouped(code: bytes) -> str:
    """26 letters in groups of five: 128 bits and two zero bits."""
    number = int.from_bytes(code, "big") << 2
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return "-".join(letters[at : at + 5] for at in range(0, len(letters), 5))


def _ungrouped(text: str) -> bytes:
    letters = "".join(letter for letter in text.upper() if letter.isalnum())
    letters = letters.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(letters) != 26 or not set(letters) <= set(_ALPHABET):
        raise binascii.Error("not a recovery code")
    number = 0
    for letter in letters:
        number = number << 5 | _ALPHABET.index(letter)
    if number & 3:
        raise binascii.Error("not a recovery code")
    return (number >> 2).to_bytes(RECOVERY_BYTES, "big")
