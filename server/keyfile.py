"""The clinician's key file: their private keys, wrapped, with a slot for each way to unlock them.

JSON for its owner alone, written whole or not at all. What is readable without a secret (name and signed
statement) is public anyway; the private keys are under AES-256-GCM with all of that as associated data.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import Statement, parse_statement, sign_statement

VERSION: Final = 1
KIND: Final = "onebreath clinician key"
LEAST_LETTERS: Final = 12
LEAST_DIFFERENT: Final = 6
_DOMAIN: Final = b"onebreath clinician keys v1\x00"


@dataclass(frozen=True)
class Clinician:
    """An unlocked key file. `statement` is the signed bytes, `stated` what they say."""

    identity: Ed25519PrivateKey
    reading: X25519PrivateKey
    statement: bytes
    stated: Statement

    @property
    def id(self) -> bytes:
        """The clinician id, 16 bytes."""
        return self.stated.clinician_id

    @property
    def name(self) -> str:
        """The name that devices speak."""
        return self.stated.name

    def __repr__(self) -> str:
        return f"Clinician({self.name!r})"


def default_key_file() -> Path:
    """`$ONEBREATH_KEY_FILE`, else `clinician.key.json` in the user's data folder."""
    chosen = os.environ.get("ONEBREATH_KEY_FILE")
    return (
        Path(chosen) if chosen else platformdirs.user_data_path("onebreath-clinician") / "clinician.key.json"
    )


def passphrase_problem(passphrase: str) -> str | None:
    """What speaks against a passphrase, kindly; None when it will do."""
    if len(passphrase) < LEAST_LETTERS:
        return (
            f"That passphrase has {len(passphrase)} characters; it takes {LEAST_LETTERS} to keep a stolen "
            "file shut. Four or five unrelated words are easy to remember and hard to guess."
        )
    if len(set(passphrase.casefold())) < LEAST_DIFFERENT:
        return (
            "That passphrase repeats itself. Four or five unrelated words are easy to remember, and will do."
        )
    return None


def make_key_file(
    path: Path, *, name: str, passphrase: str, issued_at: int, cost: Cost = RECOMMENDED
) -> tuple[Clinician, str]:
    """Make a clinician's keys and their file; the unlocked keys, and the recovery code to print once.

    Raises ServerError: an unusable name, a weak passphrase, a file that is there or cannot be written.
    """
    problem = passphrase_problem(passphrase)
    if problem:
        raise ServerError(problem)
    identity, reading = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    try:
        statement = sign_statement(
            identity,
            clinician_id=secrets.token_bytes(16),
            name=name,
            epoch=1,
            reading=reading.public_key(),
            issued_at=issued_at,
        )
    except ValueError as error:
        raise ServerError(
            f"{name!r} cannot be the clinician's name: {error}.", "Give it as it is spoken."
        ) from error
    key = secrets.token_bytes(KEY_BYTES)
    fields: dict[str, Any] = {"kind": KIND, "version": VERSION, "name": name, "statement": b64url(statement)}
    nonce = secrets.token_bytes(NONCE_BYTES)
    private = identity.private_bytes_raw() + reading.private_bytes_raw()
    fields["nonce"] = b64url(nonce)
    fields["keys"] = b64url(AESGCM(key).encrypt(nonce, private, _bound(fields)))
    recovery, code = recovery_slot(key)
    fields["slots"] = [passphrase_slot(key, passphrase, cost=cost), recovery]
    _write_new(path, fields)
    return Clinician(identity, reading, statement, parse_statement(statement)), code


def read_statement(path: Path) -> tuple[bytes, Statement]:
    """The signed statement of a locked key file. Raises ServerError."""
    fields = _read(path)
    try:
        statement = from_b64url(str(fields["statement"]))
        return statement, parse_statement(statement)
    except (KeyError, FrameError, SealError) as error:
        raise _damaged(path) from error


def unlock(path: Path, passphrase: str, *, least: Cost = RECOMMENDED) -> Clinician:
    """Unlock with the passphrase. Raises ServerError: missing, damaged, weakened, or the wrong passphrase."""
    fields = _read(path)
    for slot in _slots(fields, path, PASSPHRASE):
        try:
            return _unwrap(path, fields, open_passphrase_slot(slot, passphrase, least=least))
        except WrongSecretError:
            continue
    raise ServerError(
        "The passphrase does not open this key file.",
        f"Check {path} and the keyboard's layout, or use the printed recovery code: --recovery",
    )


def unlock_by_code(path: Path, code: str) -> Clinician:
    """Unlock with the printed recovery code. Raises ServerError."""
    fields = _read(path)
    for slot in _slots(fields, path, RECOVERY):
        try:
            return _unwrap(path, fields, open_recovery_slot(slot, code))
        except WrongSecretError:
            continue
    raise ServerError(
        "The recovery code does not open this key file.",
        "It has 26 letters and digits in groups of five; check each against the printed page.",
    )


def _unwrap(path: Path, fields: dict[str, Any], key: bytes) -> Clinician:
    try:
        statement = from_b64url(str(fields["statement"]))
        nonce = from_b64url(str(fields["nonce"]), NONCE_BYTES)
        private = AESGCM(key).decrypt(nonce, from_b64url(str(fields["keys"])), _bound(fields))
        stated = parse_statement(statement)
        identity = Ed25519PrivateKey.from_private_bytes(private[:32])
        reading = X25519PrivateKey.from_private_bytes(private[32:])
    except (KeyError, FrameError, SealError, InvalidTag, ValueError) as error:
        raise _damaged(path) from error
    ours = (identity.public_key().public_bytes_raw(), reading.public_key().public_bytes_raw())
    if ours != (stated.identity.public_bytes_raw(), stated.reading.public_bytes_raw()):
        raise _damaged(path)
    return Clinician(identity, reading, statement, stated)


def _bound(fields: dict[str, Any]) -> bytes:
    public = {name: fields[name] for name in ("kind", "version", "name", "statement")}
    return _DOMAIN + json.dumps(public, sort_keys=True, separators=(",", ":")).encode()


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ServerError(
            f"There is no key file at {path}.",
            "Name yours with --key-file, or make one: onebreath clinician add --name 'Dr Okafor'",
        ) from error
    except OSError as error:
        raise ServerError(
            f"The key file {path} cannot be read ({error.strerror}).", "Check its owner."
        ) from error
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(fields, dict) or fields.get("kind") != KIND:
        raise _damaged(path)
    if fields.get("version") != VERSION:
        raise ServerError(f"The key file {path} is of a newer Onebreath.", "Update Onebreath.")
    return fields


def _slots(fields: dict[str, Any], path: Path, kind: str) -> list[dict[str, Any]]:
    slots = fields.get("slots")
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots):
        raise _damaged(path)
    return [slot for slot in slots if slot.get("type") == kind][:8]


def _damaged(path: Path) -> ServerError:
    return ServerError(
        f"{path} is not a whole key file: it was damaged or changed.",
        "Use a backup of it. It was left as it is.",
    )


def _write_new(path: Path, fields: dict[str, Any]) -> None:
    """Written beside, made durable, then linked in: never half, and never over another key file."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(fields, ensure_ascii=False, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            os.link(name, path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            Path(name).unlink()
    except FileExistsError as error:
        raise ServerError(
            f"There is a key file at {path} already; it was left as it is.",
            "Give another place with --key-file, or move that one away.",
        ) from error
    except OSError as error:
        raise ServerError(
            f"The key file {path} cannot be written ({error.strerror}).",
            "Check the folder and the free space.",
        ) from error
