"""Reading keys by epoch, key slots and the endorsement, as the server keeps them: shape and growth, no more.

Time is an argument (Unix seconds). Every act is audited in its own transaction; bytes of keys never are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from server import audit
from server.audit import Act
from server.database import Database
from server.deletion import scrub
from server.errors import RefusedError
from server.key_shapes import MOST_SLOTS, RECOVERY, Slot
from server.schema import Clinician, KeySlot, Practice, ReadingKey
from voice.wire.endorsement import Endorsement
from voice.wire.keys import IDENTITY_EPOCH, Statement

_EPOCHS: Final = (
    ReadingKey.epoch,
    ReadingKey.statement,
    ReadingKey.wrapped,
    ReadingKey.created_at,
    ReadingKey.shredded_at,
)


@dataclass(frozen=True)
class EpochRow:
    """One epoch as stored. Epoch 0 is the wrapped identity key and has no statement."""

    epoch: int
    statement: bytes | None
    wrapped: bytes | None
    created_at: int
    shredded_at: int | None


@dataclass(frozen=True)
class SlotRow:
    """A key slot as stored; `fields` is JSON."""

    slot_id: bytes
    kind: str
    fields: bytes
    created_at: int


@dataclass(frozen=True)
class Keys:
    """Everything the server keeps of a clinician's keys."""

    epochs: tuple[EpochRow, ...]
    slots: tuple[SlotRow, ...]
    rotation_days: int


def fetch_keys(database: Database, clinician_id: bytes, *, now: int) -> Keys:
    """A clinician's epochs and slots, oldest first; that they were fetched is audited."""
    with database.write() as connection:
        _told(connection, Act.KEYS_FETCHED, clinician_id, now, "")
        epochs = connection.execute(
            select(*_EPOCHS).where(ReadingKey.clinician_id == clinician_id).order_by(ReadingKey.epoch)
        ).all()
        slots = connection.execute(
            select(KeySlot.id, KeySlot.kind, KeySlot.fields, KeySlot.created_at)
            .where(KeySlot.clinician_id == clinician_id)
            .order_by(KeySlot.created_at, KeySlot.id)
        ).all()
        days = connection.execute(
            select(Practice.rotation_days)
            .join(Clinician, Clinician.practice_id == Practice.id)
            .where(Clinician.id == clinician_id)
        ).scalar_one()
    return Keys(tuple(EpochRow(*row) for row in epochs), tuple(SlotRow(*row) for row in slots), days)


def put_epoch(
    database: Database,
    clinician_id: bytes,
    stated: Statement,
    statement: bytes,
    wrapped: bytes | None,
    *,
    now: int,
) -> bool:
    """Make it the clinician's newest epoch; False when this statement was here already.

    With a statement that is here, another wrapped copy takes the place of the one kept. Raises RefusedError:
    400 for another identity, 409 for an epoch that is neither here nor the next, or that was shredded.
    """
    with database.write() as connection:
        known = _held(connection, clinician_id)
        if (stated.clinician_id, stated.identity.public_bytes_raw()) != (clinician_id, known.identity):
            raise RefusedError(400, "statement", "The statement is not of the clinician who sent it.")
        if stated.epoch == known.epoch + 1:
            connection.execute(
                insert(ReadingKey).values(
                    clinician_id=clinician_id,
                    epoch=stated.epoch,
                    statement=statement,
                    wrapped=wrapped,
                    created_at=now,
                )
            )
            connection.execute(
                update(Clinician)
                .where(Clinician.id == clinician_id)
                .values(statement=statement, epoch=stated.epoch)
            )
            _told(connection, Act.KEY_ROTATED, clinician_id, now, f"epoch:{stated.epoch}")
            return True
        row = _epoch(connection, clinician_id, stated.epoch)
        if row is None or row.statement != statement:
            raise RefusedError(
                409,
                "epoch",
                f"The clinician's epoch here is {known.epoch}.",
                "Each epoch is one more than the last, and is stated once. See GET /v1/keys.",
            )
        _keep_copy(connection, clinician_id, row, wrapped, now)
    return False


def put_identity(database: Database, clinician_id: bytes, wrapped: bytes, *, now: int) -> bool:
    """Keep the wrapped identity key (epoch 0); False when one was here and is replaced."""
    with database.write() as connection:
        _held(connection, clinician_id)
        row = _epoch(connection, clinician_id, IDENTITY_EPOCH)
        if row is not None:
            _keep_copy(connection, clinician_id, row, wrapped, now)
            return False
        connection.execute(
            insert(ReadingKey).values(
                clinician_id=clinician_id, epoch=IDENTITY_EPOCH, wrapped=wrapped, created_at=now
            )
        )
        _told(connection, Act.KEY_ADDED, clinician_id, now, f"epoch:{IDENTITY_EPOCH}")
    return True


def shred_epoch(database: Database, clinician_id: bytes, epoch: int, *, now: int) -> EpochRow:
    """Forget the wrapped key of an epoch for good; the statement stays, to say what its records were.

    Shredding again changes nothing. Raises RefusedError: 404, 409 for the epoch in use.
    """
    with database.write() as connection:
        known = _held(connection, clinician_id)
        row = _epoch(connection, clinician_id, epoch)
        if row is None:
            raise RefusedError(404, "epoch", "There is no such epoch.", "See GET /v1/keys.")
        if epoch in (IDENTITY_EPOCH, known.epoch):
            raise RefusedError(
                409, "current", "This key is in use.", "Make the next one first: onebreath keys rotate"
            )
        if row.shredded_at is not None:
            return row
        connection.execute(
            update(ReadingKey)
            .where(ReadingKey.clinician_id == clinician_id, ReadingKey.epoch == epoch)
            .values(wrapped=None, shredded_at=now)
        )
        _told(connection, Act.KEY_SHREDDED, clinician_id, now, f"epoch:{epoch}")
    scrub(database)
    return EpochRow(epoch, row.statement, None, row.created_at, now)


def put_slot(database: Database, clinician_id: bytes, slot_id: bytes, slot: Slot, *, now: int) -> bool:
    """Keep a key slot; False when it replaces one. Raises RefusedError: 404 when it is another's, 409."""
    with database.write() as connection:
        _held(connection, clinician_id)
        found = connection.execute(
            select(KeySlot.clinician_id, KeySlot.kind).where(KeySlot.id == slot_id)
        ).one_or_none()
        if found is not None and found.clinician_id != clinician_id:
            raise _no_slot()
        if found is not None and found.kind != slot.kind:
            raise RefusedError(409, "conflict", "This slot is of another type.", "Use a new id.")
        subject = f"slot:{slot_id.hex()} {slot.kind}"
        _told(connection, Act.KEY_SLOT_ADDED, clinician_id, now, subject)
        if found is not None:
            connection.execute(
                update(KeySlot).where(KeySlot.id == slot_id).values(fields=slot.fields, created_at=now)
            )
        else:
            if _count(connection, clinician_id) >= MOST_SLOTS:
                raise RefusedError(
                    409, "too_many", f"A clinician has at most {MOST_SLOTS} key slots.", "Remove one first."
                )
            connection.execute(
                insert(KeySlot).values(
                    id=slot_id,
                    clinician_id=clinician_id,
                    kind=slot.kind,
                    fields=slot.fields,
                    created_at=now,
                )
            )
    if found is not None:
        scrub(database)
    return found is None


def delete_slot(database: Database, clinician_id: bytes, slot_id: bytes, *, now: int) -> None:
    """Remove a key slot. Raises RefusedError: 404, 409 for the last one and for the last recovery slot."""
    with database.write() as connection:
        _held(connection, clinician_id)
        kind = connection.execute(
            select(KeySlot.kind).where(KeySlot.id == slot_id, KeySlot.clinician_id == clinician_id)
        ).scalar_one_or_none()
        if kind is None:
            raise _no_slot()
        recoveries = _count(connection, clinician_id, RECOVERY)
        if _count(connection, clinician_id) == 1 or (kind == RECOVERY and recoveries == 1):
            raise RefusedError(
                409,
                "last_slot",
                "Without this slot the keys could be lost for good.",
                "Add another slot first; a recovery slot always remains.",
            )
        connection.execute(delete(KeySlot).where(KeySlot.id == slot_id))
        _told(connection, Act.KEY_SLOT_REMOVED, clinician_id, now, f"slot:{slot_id.hex()} {kind}")
    scrub(database)


def put_endorsement(
    database: Database, clinician_id: bytes, said: Endorsement, endorsement: bytes, *, now: int
) -> bool:
    """Keep the clinician's newest word on who else reads; False when it was here. Raises RefusedError."""
    with database.write() as connection:
        known = _held(connection, clinician_id)
        if (said.clinician_id, said.identity.public_bytes_raw()) != (clinician_id, known.identity):
            raise RefusedError(400, "endorsement", "The endorsement is not of the clinician who sent it.")
        if known.endorsement == endorsement:
            return False
        if known.endorsement is not None and said.number <= int.from_bytes(known.endorsement[53:61], "big"):
            raise RefusedError(409, "older", "A newer endorsement is here.", "Sign one with a higher number.")
        connection.execute(
            update(Clinician).where(Clinician.id == clinician_id).values(endorsement=endorsement)
        )
        state = "withdrawn" if said.key is None else "set"
        _told(connection, Act.RECOVERY_KEY_SET, clinician_id, now, f"endorsement:{said.number} {state}")
    return True


def endorsement_of(database: Database, clinician_id: bytes) -> bytes | None:
    """The clinician's newest word on who else reads; None when there never was one."""
    with database.read() as connection:
        return connection.execute(
            select(Clinician.endorsement).where(Clinician.id == clinician_id)
        ).scalar_one()


def _held(connection: Connection, clinician_id: bytes) -> Any:
    """The clinician's row, held until the transaction ends: two writers of one clinician take turns."""
    return connection.execute(
        select(Clinician.identity, Clinician.epoch, Clinician.endorsement, Clinician.practice_id)
        .where(Clinician.id == clinician_id)
        .with_for_update()
    ).one()


def _epoch(connection: Connection, clinician_id: bytes, epoch: int) -> EpochRow | None:
    wanted = select(*_EPOCHS).where(ReadingKey.clinician_id == clinician_id, ReadingKey.epoch == epoch)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else EpochRow(*row)


def _keep_copy(
    connection: Connection, clinician_id: bytes, row: EpochRow, wrapped: bytes | None, now: int
) -> None:
    if wrapped is None or wrapped == row.wrapped:
        return
    if row.shredded_at is not None:
        raise RefusedError(409, "shredded", "This key was shredded, which is final.")
    connection.execute(
        update(ReadingKey)
        .where(ReadingKey.clinician_id == clinician_id, ReadingKey.epoch == row.epoch)
        .values(wrapped=wrapped)
    )
    _told(connection, Act.KEY_ADDED, clinician_id, now, f"epoch:{row.epoch}")


def _count(connection: Connection, clinician_id: bytes, kind: str | None = None) -> int:
    wanted = select(func.count()).select_from(KeySlot).where(KeySlot.clinician_id == clinician_id)
    if kind is not None:
        wanted = wanted.where(KeySlot.kind == kind)
    return connection.execute(wanted).scalar_one()


def _no_slot() -> RefusedError:
    return RefusedError(404, "slot", "There is no such key slot.", "See GET /v1/keys.")


def _told(connection: Connection, act: Act, clinician_id: bytes, now: int, subject: str) -> None:
    practice = connection.execute(
        select(Clinician.practice_id).where(Clinician.id == clinician_id)
    ).scalar_one()
    actor = f"clinician:{clinician_id.hex()}"
    audit.write(connection, act, now=now, actor=actor, subject=subject, practice_id=practice)
