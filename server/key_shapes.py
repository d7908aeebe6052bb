"""The shape of key slots, and of a new reader's first keys, as they are given to the server. Pure.

Strength is the clients' to enforce. What makes or opens slots is in key_slots.py, which a running server
never holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voice.wire.encoding import from_b64url
from voice.wire.errors import FrameError
from voice.wire.keys import IDENTITY_EPOCH, WRAPPED_BYTES

PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a kind
RECOVERY: Final = "recovery"
PASSKEY: Final = "passkey"

MOST_SLOTS: Final = 16
MOST_FIELDS_BYTES: Final = 2048

_EPOCH: Final = re.compile("[1-9][0-9]{0,9}", re.ASCII)
_SLOT_ID: Final = re.compile("[0-9a-f]{32}", re.ASCII)
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


@dataclass(frozen=True)
class FirstKeys:
    """A new reader's keys, wrapped: the identity key, the reading key of `statement`, and slots by id."""

    identity: bytes
    epoch: int
    statement: bytes
    reading: bytes
    slots: Mapping[bytes, Slot]


def parse_first_keys(document: object) -> FirstKeys:
    """First keys from JSON: the bodies of `PUT /v1/keys/{epoch}` and `PUT /v1/key-slots/{slot}`.

    Raises FrameError: not epoch 0 and one other, each with its wrapped key; a slot of another shape, no
    recovery slot, or too many slots.
    """
    epochs, slots = _exactly(document, "epochs", "slots")
    if not isinstance(epochs, dict) or not isinstance(slots, dict):
        raise FrameError("epochs and slots are objects")
    [stated] = [text for text in epochs if text != str(IDENTITY_EPOCH)] if len(epochs) == 2 else [""]
    if str(IDENTITY_EPOCH) not in epochs or not _EPOCH.fullmatch(stated) or int(stated) >= 2**32:
        raise FrameError("the epochs are 0, and the one that is stated")
    (identity,) = _exactly(epochs[str(IDENTITY_EPOCH)], "wrapped")
    statement, reading = _exactly(epochs[stated], "statement", "wrapped")
    if not 1 <= len(slots) <= MOST_SLOTS:
        raise FrameError(f"there are 1 to {MOST_SLOTS} slots")
    parsed: dict[bytes, Slot] = {}
    for name, fields in slots.items():
        if not _SLOT_ID.fullmatch(name):
            raise FrameError("a slot's id is 32 hex digits")
        parsed[bytes.fromhex(name)] = parse_slot(fields)
    if not any(slot.kind == RECOVERY for slot in parsed.values()):
        raise FrameError("one of the slots is a recovery slot")
    return FirstKeys(
        _octets(identity, WRAPPED_BYTES),
        int(stated),
        _octets(statement),
        _octets(reading, WRAPPED_BYTES),
        parsed,
    )


def _exactly(document: object, *names: str) -> list[Any]:
    if not isinstance(document, dict) or document.keys() != set(names):
        raise FrameError(f"expected an object with exactly: {', '.join(names)}")
    return [document[name] for name in names]


def _octets(value: object, size: int | None = None) -> bytes:
    if not isinstance(value, str):
        raise FrameError("keys are base64url texts")
    return from_b64url(value, size)


def _sized(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, str):
        raise FrameError(f"{name} is base64url text")
    size = len(from_b64url(value))
    if not least <= size <= most:
        raise FrameError(f"{name} is {least} bytes" if least == most else f"{name} is {least}-{most} bytes")
