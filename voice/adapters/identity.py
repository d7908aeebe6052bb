"""Who this device is, and whose: its keys in `device.json`, its pairing in `pairing.json`.

Both are small JSON files for their owner alone. The device's private keys never leave `device.json`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import platformdirs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from voice.adapters.private_file import write_private
from voice.errors import PairingError, StorageError
from voice.noticing import Noticing
from voice.ports import SecondReader
from voice.wire import content
from voice.wire.encoding import b64url, from_b64url
from voice.wire.endorsement import Endorsement, verify_endorsement
from voice.wire.envelope import Recipient, seal_record
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import Statement, device_id, verify_statement

DEVICE_FILE: Final = "device.json"
PAIRING_FILE: Final = "pairing.json"
STANDING_FILE: Final = "standing.json"
VERSION: Final = 1

_changing = threading.Lock()
"""The pairing is renewed by the courier's thread and marked by the loop's."""


@dataclass(frozen=True)
class DeviceKeys:
    """The device's private keys: it signs with one; cards are sealed to the other."""

    signing: Ed25519PrivateKey
    encryption: X25519PrivateKey

    @property
    def id(self) -> bytes:
        """The device id, 16 bytes; it follows from the signing key."""
        return device_id(self.signing.public_key())

    def __repr__(self) -> str:
        return f"DeviceKeys({self.id.hex()})"


@dataclass(frozen=True)
class Pairing:
    """Whose device this is. `fingerprint` (32 bytes) is pinned; `statement` was verified against it.

    So was `endorsement`, the clinician's newest word on who else reads (None: there never was one). `told` is
    the number of the one that the client has heard of.
    """

    server: str
    fingerprint: bytes
    statement: bytes
    clinician: Statement
    endorsement: bytes | None = None
    endorsed: Endorsement | None = None
    told: int = 0

    @property
    def name(self) -> str:
        """The clinician's name as it is spoken ("Dr Okafor")."""
        return self.clinician.name

    @property
    def second_reader(self) -> SecondReader | None:
        """Who can read beside the clinician; None when records are sealed to the clinician alone."""
        said = self.endorsed
        if said is None or said.key is None or self.clinician.epoch < said.from_epoch:
            return None
        return SecondReader(said.holder, self.told == said.number)

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Whom records are sealed to: the clinician, and whom they endorsed."""
        first = Recipient.of(self.clinician.reading)
        if self.second_reader is None or self.endorsed is None or self.endorsed.key is None:
            return (first,)
        second = Recipient.of(self.endorsed.key)
        return (first,) if second.key_id == first.key_id else (first, second)

    @classmethod
    def of(
        cls,
        server: str,
        fingerprint: bytes,
        statement: bytes,
        *,
        at_least_epoch: int = 1,
        endorsement: bytes | None = None,
        told: int = 0,
    ) -> Pairing:
        """Verify and hold a statement and an endorsement of one clinician. Raises FrameError, SealError."""
        stated = verify_statement(statement, fingerprint, at_least_epoch=at_least_epoch)
        endorsed = None
        if endorsement is not None:
            endorsed = verify_endorsement(endorsement, fingerprint, clinician_id=stated.clinician_id)
        return cls(server, fingerprint, statement, stated, endorsement, endorsed, told)


def default_home() -> Path:
    """`$ONEBREATH_HOME`, else the user's data folder."""
    chosen = os.environ.get("ONEBREATH_HOME")
    return Path(chosen) if chosen else platformdirs.user_data_path("onebreath")


def device_keys(home: Path, name: str = DEVICE_FILE) -> DeviceKeys:
    """The device's keys, made on first use. Raises StorageError when they cannot be read or kept."""
    path = home / name
    if not path.exists():
        made = {
            "version": VERSION,
            "signing": b64url(Ed25519PrivateKey.generate().private_bytes_raw()),
            "encryption": b64url(X25519PrivateKey.generate().private_bytes_raw()),
        }
        try:
            write_private(path, json.dumps(made).encode(), replace=False)
        except FileExistsError:
            pass  # another process made them first; those are the device's
        except OSError as error:
            raise _unwritable(path, error) from error
    fields = _read(path)
    try:
        return DeviceKeys(
            Ed25519PrivateKey.from_private_bytes(from_b64url(str(fields["signing"]), 32)),
            X25519PrivateKey.from_private_bytes(from_b64url(str(fields["encryption"]), 32)),
        )
    except (KeyError, FrameError, ValueError) as error:
        raise _damaged(path) from error


def load_pairing(home: Path) -> Pairing | None:
    """The pairing, its statement verified again; None when there is none. Raises StorageError."""
    path = home / PAIRING_FILE
    if not path.exists():
        return None
    fields = _read(path)
    try:
        return Pairing.of(
            str(fields["server"]),
            from_b64url(str(fields["fingerprint"]), 32),
            from_b64url(str(fields["statement"])),
            endorsement=_optional(fields.get("endorsement")),
            told=int(str(fields.get("told", 0))),
        )
    except (KeyError, ValueError, FrameError, SealError) as error:
        raise _damaged(path) from error


def save_pairing(home: Path, pairing: Pairing) -> None:
    """Make it the device's pairing. Raises StorageError."""
    fields: dict[str, object] = {
        "version": VERSION,
        "server": pairing.server,
        "fingerprint": b64url(pairing.fingerprint),
        "statement": b64url(pairing.statement),
        "clinician": pairing.name,
        "epoch": pairing.clinician.epoch,
    }
    if pairing.endorsement is not None:
        fields |= {"endorsement": b64url(pairing.endorsement), "told": pairing.told}
    try:
        write_private(home / PAIRING_FILE, json.dumps(fields, ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise _unwritable(home / PAIRING_FILE, error) from error


def renew_statement(home: Path, statement: bytes) -> bool:
    """Take the clinician's newer statement (a new reading key); whether there was one to take.

    Raises SealError for another identity or an older epoch, FrameError when malformed, StorageError.
    """
    with _changing:
        pairing = load_pairing(home)
        if pairing is None or statement == pairing.statement:
            return False
        newer = verify_statement(statement, pairing.fingerprint, at_least_epoch=pairing.clinician.epoch)
        older = (pairing.clinician.epoch, pairing.clinician.issued_at)
        if (newer.epoch, newer.issued_at) <= older:
            return False
        save_pairing(home, replace(pairing, statement=statement, clinician=newer))
        return True


def renew_endorsement(home: Path, endorsement: bytes) -> bool:
    """Take the clinician's newer word on who else reads; whether there was one to take.

    Raises SealError for another identity, a lower number, or another word of the same number; FrameError
    when malformed, StorageError.
    """
    with _changing:
        pairing = load_pairing(home)
        if pairing is None or endorsement == pairing.endorsement:
            return False
        before = pairing.endorsed
        newer = verify_endorsement(
            endorsement,
            pairing.fingerprint,
            clinician_id=pairing.clinician.clinician_id,
            at_least=1 if before is None else before.number,
        )
        if before is not None and newer.number == before.number:
            raise SealError("two endorsements have the same number")
        told = pairing.told
        if before is not None and told == before.number and _same_reader(before, newer):
            told = newer.number
        save_pairing(home, replace(pairing, endorsement=endorsement, endorsed=newer, told=told))
        return True


def told_second_reader(home: Path) -> None:
    """The client has heard who else reads. Raises StorageError."""
    with _changing:
        pairing = load_pairing(home)
        if pairing is not None and pairing.endorsed is not None and pairing.second_reader is not None:
            save_pairing(home, replace(pairing, told=pairing.endorsed.number))


def _same_reader(before: Endorsement, newer: Endorsement) -> bool:
    if before.key is None or newer.key is None:
        return False
    return (before.key.public_bytes_raw(), before.holder) == (newer.key.public_bytes_raw(), newer.holder)


def sealer(home: Path) -> Callable[[Noticing, bytes, int], bytes]:
    """What seals for this device's clinician: (noticing, record id of 16 bytes, sequence) to a sealed record.

    The pairing is read anew for each record, so that a renewed reading key counts at once. The result raises
    PairingError when the device is not paired, StorageError for what no record can hold.
    """
    keys = device_keys(home)

    def seal(noticing: Noticing, record_id: bytes, sequence: int) -> bytes:
        pairing = load_pairing(home)
        if pairing is None:
            raise not_paired()
        try:
            return seal_record(
                content.encode(noticing),
                signer=keys.signing,
                device_id=keys.id,
                record_id=record_id,
                sequence=sequence,
                recipients=pairing.recipients,
            )
        except (ValueError, FrameError) as error:
            raise StorageError("A noticing could not be sealed: its text does not fit a record.") from error

    return seal


def not_paired() -> PairingError:
    """The error of whoever needs a pairing that is not there."""
    return PairingError(
        "This device is not paired with a clinician.",
        "Pair it with the clinician's link: onebreath pair LINK",
    )


def _optional(value: object) -> bytes | None:
    return None if value is None else from_b64url(str(value))


def _read(path: Path) -> dict[str, object]:
    try:
        fields = json.loads(path.read_bytes())
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read ({error.strerror}).", "Check its owner and that the folder is there."
        ) from error
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(fields, dict) or fields.get("version") != VERSION:
        raise _damaged(path)
    return fields


def _damaged(path: Path) -> StorageError:
    return StorageError(
        f"{path} is damaged, or of a newer Onebreath.",
        "It was left as it is. Restore it from a backup, or move it away and pair with a new link.",
    )


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be written ({error.strerror}).", "Check the folder's owner and the free space."
    )
