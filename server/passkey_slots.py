"""The key slots of passkeys: which passkeys unlock, and the end of a slot with its passkey.

Time is an argument (Unix seconds).
"""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import Connection, delete, select

from server import audit
from server.audit import Act
from server.key_shapes import PASSKEY
from server.schema import Clinician, KeySlot
from voice.wire.encoding import from_b64url


def unlocking(connection: Connection, clinician_id: bytes | None) -> frozenset[bytes]:
    """The ids of the credentials that have a slot; none for None, who reads nothing."""
    return frozenset(_slots(connection, clinician_id).values())


def end_slots(
    connection: Connection, clinician_id: bytes | None, credentials: Collection[bytes], *, now: int
) -> int:
    """Remove the slots of these passkeys, in the transaction that removes them; how many there were.

    They are never the last: a recovery slot always remains (keys_store.py).
    """
    ended = [
        slot_id
        for slot_id, credential in _slots(connection, clinician_id).items()
        if credential in credentials
    ]
    if clinician_id is None or not ended:
        return 0
    practice = select(Clinician.practice_id).where(Clinician.id == clinician_id)
    practice_id = connection.execute(practice.with_for_update()).scalar_one()
    for slot_id in ended:
        connection.execute(delete(KeySlot).where(KeySlot.id == slot_id))
        audit.write(
            connection,
            Act.KEY_SLOT_REMOVED,
            now=now,
            actor=f"clinician:{clinician_id.hex()}",
            subject=f"slot:{slot_id.hex()} {PASSKEY}",
            practice_id=practice_id,
        )
    return len(ended)


def _slots(connection: Connection, clinician_id: bytes | None) -> dict[bytes, bytes]:
    """Slot id to credential id."""
    if clinician_id is None:
        return {}
    wanted = (
        select(KeySlot.id, KeySlot.fields)
        .where(KeySlot.clinician_id == clinician_id, KeySlot.kind == PASSKEY)
        .order_by(KeySlot.created_at, KeySlot.id)
    )
    rows = connection.execute(wanted).all()
    return {row.id: from_b64url(json.loads(row.fields)["credential"]) for row in rows}
