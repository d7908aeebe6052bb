"""The clinician's key file: their private keys, wrapped, with a slot for each way to unlock them.

JSON for its owner alone (keyfile_disk.py), in the shape of keyfile_format.py. A file of version 1 opens as it
is, and becomes version 2 when it is next written.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import platformdirs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server import keyfile_disk, keyfile_format
from server.clinician_keys import Clinician, Epoch
from server.errors import ServerError
from server.key_slots import (
    KEY_BYTES,
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
from server.keyfile_disk import damaged
from voice.wire.encoding import from_b64url
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import Statement, parse_statement, sign_statement

__all__ = [
    "Clinician",
    "change",
    "default_key_file",
    "make_key_file",
    "passphrase_problem",
    "read_statement",
    "slots_of",
    "unlock",
    "unlock_by_code",
]

LEAST_LETTERS: Final = 12
LEAST_DIFFERENT: Final = 6
_VERSIONS: Final = (1, keyfile_format.VERSION)


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
    key, stated = secrets.token_bytes(KEY_BYTES), parse_statement(statement)
    epochs = (Epoch(statement, stated, reading),)
    clinician = Clinician(identity, reading, statement, stated, key=key, epochs=epochs)
    recovery, code = recovery_slot(key)
    fields = keyfile_format.encode(clinician, [passphrase_slot(key, passphrase, cost=cost), recovery])
    keyfile_disk.write_new(path, fields)
    return keyfile_format.restamped(clinician, fields), code


def read_statement(path: Path) -> tuple[bytes, Statement]:
    """The signed statement of a locked key file. Raises ServerError."""
    fields = _read(path)
    try:
        statement = from_b64url(str(fields["statement"]))
        return statement, parse_statement(statement)
    except (KeyError, FrameError, SealError) as error:
        raise damaged(path) from error


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


def change(path: Path, clinician: Clinician, **changes: Any) -> Clinician:
    """Write the file with some of the clinician's fields changed; the clinician as they are then.

    In one step: whatever is interrupted, the file is as before or as after. Raises ServerError, also when
    another program has changed the file since it was unlocked.
    """
    changed = replace(clinician, **changes)
    with keyfile_disk.taking_turns(path):
        fields = _read(path)
        if keyfile_format.stamp_of(fields) != clinician.stamp:
            raise ServerError(
                f"The key file {path} was changed by another program meanwhile.", "Run the command again."
            )
        written = keyfile_format.encode(changed, fields["slots"])
        keyfile_disk.replace(path, written)
    return keyfile_format.restamped(changed, written)


def slots_of(path: Path, kind: str) -> list[dict[str, Any]]:
    """The file's slots of a kind, which hold nothing that a server may not see. Raises ServerError."""
    return _slots(_read(path), path, kind)


def _unwrap(path: Path, fields: dict[str, Any], key: bytes) -> Clinician:
    try:
        return keyfile_format.decode(fields, key)
    except keyfile_format.NotWholeError as error:
        raise damaged(path) from error


def _read(path: Path) -> dict[str, Any]:
    fields = keyfile_disk.read_fields(path)
    if not isinstance(fields, dict) or fields.get("kind") != keyfile_format.KIND:
        raise damaged(path)
    if fields.get("version") not in _VERSIONS:
        raise ServerError(f"The key file {path} is of a newer Onebreath.", "Update Onebreath.")
    return fields


def _slots(fields: dict[str, Any], path: Path, kind: str) -> list[dict[str, Any]]:
    slots = fields.get("slots")
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots):
        raise damaged(path)
    return [slot for slot in slots if slot.get("type") == kind][:8]
