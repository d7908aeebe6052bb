"""The practice's recovery key: made once, kept by one holder, used only when a clinician's keys are lost.

A file of its own, with a passphrase and a printed code, on a machine that is not the server. Its public half
is what clinicians endorse; whoever holds the private half can read what was sealed since, and nothing before.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server import keyfile_disk
from server.clinician_client import listed
from server.colleagues import spoken_fingerprint
from server.errors import ServerError
from server.key_slots import (
    KEY_BYTES,
    NONCE_BYTES,
    PASSPHRASE,
    RECOMMENDED,
    RECOVERY,
    Cost,
    WrongSecretError,
    open_passphrase_slot,
    open_recovery_slot,
    passphrase_slot,
    recovery_slot,
)
from server.keyfile import passphrase_problem
from server.reader import Reading, read
from server.reader_sequence import Memory
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import fingerprint, name_problem, parse_statement

KIND: Final = "onebreath recovery key"
VERSION: Final = 1
_DOMAIN: Final = b"onebreath recovery key v1\x00"


@dataclass(frozen=True)
class RecoveryKey:
    """The unlocked recovery key."""

    holder: str
    private: X25519PrivateKey = field(repr=False)

    @property
    def public(self) -> X25519PublicKey:
        """What clinicians endorse."""
        return self.private.public_key()


@dataclass(frozen=True)
class RecoveryReader:
    """Reads one clinician's queue with the recovery key. `public` is that clinician's identity."""

    public: Ed25519PublicKey
    readings: tuple[X25519PrivateKey, ...] = field(repr=False)
    destroyed: Mapping[bytes, int] = field(default_factory=dict)


def make_recovery_key(
    path: Path, *, holder: str, passphrase: str, cost: Cost = RECOMMENDED
) -> tuple[RecoveryKey, str]:
    """Make the key and its file; the key, and the code to print once. Raises ServerError."""
    problem = name_problem(holder)
    if problem:
        said = problem.replace("a clinician's", "the holder's")
        raise ServerError(f"{holder!r} cannot be the holder's name: {said}.", "Give it as it is spoken.")
    weak = passphrase_problem(passphrase)
    if weak:
        raise ServerError(weak)
    made = RecoveryKey(holder, X25519PrivateKey.generate())
    key, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
    fields: dict[str, Any] = {
        "kind": KIND,
        "version": VERSION,
        "holder": holder,
        "public": b64url(made.public.public_bytes_raw()),
    }
    sealed = AESGCM(key).encrypt(nonce, made.private.private_bytes_raw(), _bound(fields))
    recovery, code = recovery_slot(key)
    slots = [passphrase_slot(key, passphrase, cost=cost), recovery]
    keyfile_disk.write_new(path, {**fields, "wrapped": b64url(nonce + sealed), "slots": slots})
    return made, code


def unlock_recovery_key(path: Path, passphrase: str, *, least: Cost = RECOMMENDED) -> RecoveryKey:
    """Unlock with the passphrase. Raises ServerError."""
    return _unlock(path, PASSPHRASE, lambda slot: open_passphrase_slot(slot, passphrase, least=least))


def unlock_recovery_key_by_code(path: Path, code: str) -> RecoveryKey:
    """Unlock with the printed code. Raises ServerError."""
    return _unlock(path, RECOVERY, lambda slot: open_recovery_slot(slot, code))


def read_export(document: Any, key: RecoveryKey, typed: str) -> tuple[str, Reading]:
    """The clinician's name, and what the recovery key opens of a sealed queue (key_export.py).

    `typed` is the clinician's fingerprint, at least 32 hex digits, as it was noted when they endorsed the
    key: without it the export's maker could show any devices as theirs. Raises ServerError.
    """
    try:
        stated = parse_statement(from_b64url(document["statement"]))
    except (KeyError, TypeError, AttributeError, FrameError, SealError) as error:
        raise ServerError(
            "That is not a sealed queue.", "Make one on the server: onebreath keys recovery export"
        ) from error
    given = "".join(letter for letter in typed.casefold() if letter not in " :-")
    if len(given) < 32 or not fingerprint(stated.identity).hex().startswith(given):
        raise ServerError(
            f"The export is of an identity with the fingerprint {spoken_fingerprint(stated.identity)}.",
            f"That is not the one given for {stated.name}. Compare it with the note made at the endorsement.",
        )
    entries, listing = listed(document)
    reader = RecoveryReader(stated.identity, (key.private,))
    return stated.name, read(reader, entries, listing, Memory())


def _unlock(path: Path, kind: str, opening: Callable[[dict[str, Any]], bytes]) -> RecoveryKey:
    fields = keyfile_disk.read_fields(path)
    if not isinstance(fields, dict) or (fields.get("kind"), fields.get("version")) != (KIND, VERSION):
        raise ServerError(f"{path} is not a recovery key file of this version.", "Check --recovery-file.")
    for slot in fields.get("slots") or ():
        if not isinstance(slot, dict) or slot.get("type") != kind:
            continue
        try:
            return _unwrap(path, fields, opening(slot))
        except WrongSecretError:
            continue
    raise ServerError(
        "That does not open the recovery key.", "Check the words, or use the printed code: --code"
    )


def _unwrap(path: Path, fields: dict[str, Any], key: bytes) -> RecoveryKey:
    try:
        wrapped = from_b64url(fields["wrapped"], NONCE_BYTES + 32 + 16)
        raw = AESGCM(key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(fields))
        opened = RecoveryKey(fields["holder"], X25519PrivateKey.from_private_bytes(raw))
        if b64url(opened.public.public_bytes_raw()) != fields["public"]:
            raise ValueError("another key")
    except (KeyError, TypeError, ValueError, AttributeError, FrameError, InvalidTag) as error:
        raise keyfile_disk.damaged(path) from error
    return opened


def _bound(fields: dict[str, Any]) -> bytes:
    public = {name: fields[name] for name in ("kind", "version", "holder", "public")}
    return _DOMAIN + json.dumps(public, sort_keys=True, separators=(",", ":")).encode()
