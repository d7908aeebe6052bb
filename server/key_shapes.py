"""The shape of a key slot as a clinician gives it to the server. Pure; strength is the clients' to enforce.

What makes or opens slots is in key_slots.py, which a running server never holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voice.wire.encoding import from_b64url
from voice.wire.errors import FrameError

PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a kind
RECOVERY: Final = "recovery"
PASSKEY: Final = "passkey"

MOST_SLOTS: Final = 16
MOST_FIELDS_BYTES: Final = 2048

_LEAST_CREDENTIAL: Final = 16
_MOST_CREDENTIAL: Final = 1023
_SEALED: Final[Mapping[str, tuple[int, int]]] = {"salt": (16, 16), "nonce": (12, 12), "wrapped": (48, 48)}
_BYTES: Final[Mapping[str, Mapping[str, tuple[int, int]]]] = {
    PASSPHRASE: _SEALED,
    RECOVERY: _SEALED,
    PASSKEY: {**_SEALED, "salt": (32, 32), "credential": (_LEAST_CREDENTIAL, _MOST_CREDENTIAL)},
}
"""Each kind's fields that are bytes, with the least and the most there may be."""

_NUMBERS: Final[Mapping[str, Mapping[str, int]]] = {
    PASSPHRASE: {"passes": 64, "memory_kib": 4 * 1024 * 1024, "lanes": 64},
    RECOVERY: {},
    PASSKEY: {},
}
"""Each kind's whole numbers from 1, with the most there may be."""

_KDF: Final = {PASSPHRASE: "argon2id-hkdf", RECOVERY: "hkdf-sha256", PASSKEY: "hkdf-sha256"}


@dataclass(frozen=True)
class Slot:
    """A slot of the right shape. `fields` is its one spelling as JSON, at most 2048 bytes."""

    kind: str
    fields: bytes


def parse_slot(document: object) -> Slot:
    """A slot from the JSON that came. Raises FrameError for other keys, sizes, numbers or words."""
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise FrameError("a key slot is an object with a type")
    kind: str = document["type"]
    if kind not in _KDF:
        raise FrameError(f"a key slot's type is one of: {', '.join(_KDF)}")
    wanted = {"type", "kdf", *_BYTES[kind], *_NUMBERS[kind]}
    if document.keys() != wanted:
        raise FrameError(f"a {kind} slot has exactly: {', '.join(sorted(wanted))}")
    if document["kdf"] != _KDF[kind]:
        raise FrameError(f"a {kind} slot's kdf is {_KDF[kind]}")
    for name, most in _NUMBERS[kind].items():
        value = document[name]
        if type(value) is not int or not 1 <= value <= most:
            raise FrameError(f"{name} is a whole number from 1 to {most}")
    for name, (least, most) in _BYTES[kind].items():
        _sized(name, document[name], least, most)
    fields = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
    if len(fields) > MOST_FIELDS_BYTES:
        raise FrameError(f"a key slot is at most {MOST_FIELDS_BYTES} bytes")
    return Slot(kind, fields)


def _sized(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, str):
        raise FrameError(f"{name} is base64url text")
    size = len(from_b64url(value))
    if not least <= size <= most:
        raise FrameError(f"{name} is {least} bytes" if least == most else f"{name} is {least}-{most} bytes")
