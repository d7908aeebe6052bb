"""A new reader's keys, kept in the transaction that makes their account: both are there, or neither is.

Time is an argument (Unix seconds). Bytes of keys are never in the audit log.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update

from server import audit
from server.audit import Act
from server.errors import RefusedError
from server.key_shapes import FirstKeys
from server.schema import KeySlot, ReadingKey
from voice.wire.keys import IDENTITY_EPOCH


def keep_first_keys(
    connection: Connection, clinician_id: bytes, practice_id: bytes, keys: FirstKeys, *, now: int
) -> None:
    """Keep them for a clinician whose statement is here. Raises RefusedError 409 `keys`.

    Refused where keys of theirs are kept already: those are under another slot key, which these would strand.
    """
    held = select(func.count()).select_from(KeySlot).where(KeySlot.clinician_id == clinician_id)
    copies = select(func.count()).select_from(ReadingKey).where(ReadingKey.clinician_id == clinician_id)
    copies = copies.where(ReadingKey.wrapped.is_not(None) | (ReadingKey.epoch == IDENTITY_EPOCH))
    ids = select(func.count()).select_from(KeySlot).where(KeySlot.id.in_(keys.slots))
    if any(connection.execute(wanted).scalar_one() for wanted in (held, copies, ids)):
        raise RefusedError(
            409,
            "keys",
            "The server keeps keys of this clinician already.",
            "Set up without them: they stay as they are.",
        )
    connection.execute(
        update(ReadingKey)
        .where(ReadingKey.clinician_id == clinician_id, ReadingKey.epoch == keys.epoch)
        .values(wrapped=keys.reading)
    )
    connection.execute(
        insert(ReadingKey).values(
            clinician_id=clinician_id, epoch=IDENTITY_EPOCH, wrapped=keys.identity, created_at=now
        )
    )
    told = [(Act.KEY_ADDED, f"epoch:{epoch}") for epoch in (IDENTITY_EPOCH, keys.epoch)]
    for slot_id, slot in keys.slots.items():
        connection.execute(
            insert(KeySlot).values(
                id=slot_id, clinician_id=clinician_id, kind=slot.kind, fields=slot.fields, created_at=now
            )
        )
        told.append((Act.KEY_SLOT_ADDED, f"slot:{slot_id.hex()} {slot.kind}"))
    for act, subject in told:
        actor = f"clinician:{clinician_id.hex()}"
        audit.write(connection, act, now=now, actor=actor, subject=subject, practice_id=practice_id)
