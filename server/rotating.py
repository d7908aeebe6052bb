"""Rotating and destroying reading keys: the order of the steps, so that no interruption loses a key.

A new private key is in the key file, on disk, before the server hears of it; what devices may have sealed to
is thus always held. An old one leaves the server first and the file last, so that an interrupted run can be
run again. Time is an argument (Unix seconds).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.clinician_client import CallRefusedError
from server.clinician_keys import Clinician, Epoch
from server.errors import ServerError
from server.key_slots import RECOVERY
from server.keyfile import change, slots_of
from server.keyfile_disk import remove_backup
from server.keyfile_format import wrapped_copies
from server.keys_client import KeysClient, ServedEpoch, ServedKeys
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import IDENTITY_EPOCH, parse_statement, sign_statement, unwrap_private


@dataclass(frozen=True)
class Rotated:
    """What a rotation did. `resumed`: it finished one that had been interrupted. `copied`: the server keeps
    wrapped copies."""

    clinician: Clinician
    resumed: bool
    copied: bool


def rotate(path: Path, clinician: Clinician, client: KeysClient, *, now: int, copy: bool = False) -> Rotated:
    """Make the next epoch, state it to the server, and use it. Run again, it goes on where it was cut short.

    `copy`: let the server keep wrapped copies; it goes on to where it keeps ones that this file can open.
    Raises ServerError.
    """
    served = client.keys()
    clinician = _adopt(path, clinician, served)
    resumed = clinician.upcoming is not None
    if clinician.upcoming is None:
        clinician = change(path, clinician, upcoming=_next(clinician, now))
    upcoming = clinician.upcoming
    assert upcoming is not None  # noqa: S101
    copied = copy or _keeps_ours(clinician, served)
    copies = wrapped_copies(clinician) if copied else {}
    there = {epoch.epoch for epoch in served.epochs}
    newest = max(there, default=0)
    for epoch in (*clinician.epochs, upcoming):
        # A server that was restored from a backup is brought up to date, one epoch after the other. One that
        # got to know the clinician later than epoch 1 has no place for what was before.
        lacks_copy = epoch.number in there and epoch.number in copies and not _has_copy(served, epoch.number)
        if epoch.number > newest or lacks_copy:
            client.put_epoch(epoch.number, epoch.statement, copies.get(epoch.number))
    if copied and not _has_copy(served, IDENTITY_EPOCH):
        client.put_identity(copies[IDENTITY_EPOCH])
    if copied and RECOVERY not in served.slots:
        # The slot of the printed code opens the copies as it opens the file, and tells the server as little.
        for fields in slots_of(path, RECOVERY)[:1]:
            client.put_slot(hashlib.sha256(str(fields["wrapped"]).encode()).digest()[:16], fields)
    clinician = change(
        path,
        clinician,
        reading=upcoming.private,
        statement=upcoming.statement,
        stated=upcoming.stated,
        epochs=(*clinician.epochs, upcoming),
        upcoming=None,
        rotation_days=served.rotation_days or clinician.rotation_days,
    )
    return Rotated(clinician, resumed, copied)


def shred(path: Path, clinician: Clinician, client: KeysClient, epoch: int, *, now: int) -> Clinician:
    """Destroy an epoch's private key, on the server and in the file. Its records can never be opened again.

    Raises ServerError: no such epoch, the one in use, or a server that could not be told.
    """
    found = next((one for one in clinician.epochs if one.number == epoch), None)
    if found is None:
        raise ServerError(
            f"There is no epoch {epoch} in this key file.", "See them with: onebreath keys list"
        )
    if found.number == clinician.stated.epoch:
        raise ServerError(
            f"Epoch {epoch} is in use: new records are sealed to it.",
            "Make the next one first: onebreath keys rotate",
        )
    try:
        client.shred(epoch)
    except CallRefusedError as error:
        if error.code != "epoch":
            raise
        # The server never had this epoch, so it has nothing to forget.
    if found.private is not None:
        gone = Epoch(found.statement, found.stated, None, shredded_at=now)
        epochs = tuple(gone if one.number == epoch else one for one in clinician.epochs)
        clinician = change(path, clinician, epochs=epochs)
    try:
        remove_backup(path)
    except OSError as error:
        raise ServerError(
            f"A copy of the key file of before could not be removed ({error.strerror}).",
            "Run the command again.",
        ) from error
    return clinician


def _next(clinician: Clinician, now: int) -> Epoch:
    private = X25519PrivateKey.generate()
    statement = sign_statement(
        clinician.identity,
        clinician_id=clinician.id,
        name=clinician.name,
        epoch=clinician.stated.epoch + 1,
        reading=private.public_key(),
        # A clock that was set back must not make the newer statement look older.
        issued_at=max(now, clinician.stated.issued_at),
    )
    return Epoch(statement, parse_statement(statement), private)


def _adopt(path: Path, clinician: Clinician, served: ServedKeys) -> Clinician:
    """Take over epochs that were made on another machine, if their wrapped copies open with this file's key.

    Raises ServerError for a newer epoch of this identity whose key is not to be had.
    """
    theirs: list[Epoch] = []
    for one in sorted(served.epochs, key=lambda one: one.epoch):
        if one.epoch <= clinician.stated.epoch or one.statement is None:
            continue
        if clinician.upcoming is not None and one.statement == clinician.upcoming.statement:
            return clinician
        theirs.append(_opened(clinician, one))
    if not theirs:
        return clinician
    return change(
        path,
        clinician,
        reading=theirs[-1].private,
        statement=theirs[-1].statement,
        stated=theirs[-1].stated,
        epochs=(*clinician.epochs, *theirs),
        upcoming=None,
    )


def _opened(clinician: Clinician, one: ServedEpoch) -> Epoch:
    assert one.statement is not None  # noqa: S101
    try:
        stated = parse_statement(one.statement)
        ours = (stated.clinician_id, stated.identity.public_bytes_raw()) == (
            clinician.id,
            clinician.public.public_bytes_raw(),
        )
        if not ours or stated.epoch != one.epoch or one.wrapped is None:
            raise SealError("not to be had")
        raw = unwrap_private(
            one.wrapped,
            key=clinician.key,
            clinician_id=clinician.id,
            epoch=one.epoch,
            public_raw=stated.reading.public_bytes_raw(),
        )
    except (FrameError, SealError) as error:
        raise ServerError(
            f"The server has an epoch {one.epoch} that this key file does not have.",
            "It was made on another machine: use the key file there, or a newer copy of this one. If nobody "
            "made it, tell whoever runs the server. Nothing was changed.",
        ) from error
    private = X25519PrivateKey.from_private_bytes(raw)
    if private.public_key().public_bytes_raw() != stated.reading.public_bytes_raw():
        raise ServerError(f"The server's copy of epoch {one.epoch} is not the stated key.", "Tell them.")
    return Epoch(one.statement, stated, private)


def _keeps_ours(clinician: Clinician, served: ServedKeys) -> bool:
    """Whether the server keeps a copy of the identity key that this file's key opens."""
    for one in served.epochs:
        if one.epoch == IDENTITY_EPOCH and one.wrapped is not None:
            try:
                unwrap_private(
                    one.wrapped,
                    key=clinician.key,
                    clinician_id=clinician.id,
                    epoch=IDENTITY_EPOCH,
                    public_raw=clinician.public.public_bytes_raw(),
                )
            except (FrameError, SealError):
                return False
            return True
    return False


def _has_copy(served: ServedKeys, epoch: int) -> bool:
    """Whether the server has a copy, or had one that was destroyed: it takes no other one then."""
    return any(
        one.epoch == epoch and (one.wrapped is not None or one.shredded_at is not None)
        for one in served.epochs
    )
