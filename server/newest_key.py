"""That what a clinician seals to themselves is sealed to the reading key that they use now."""

from __future__ import annotations

from sqlalchemy import Connection, select

from server.errors import RefusedError
from server.schema import Clinician
from voice.wire.boxes import parse_box
from voice.wire.encoding import key_id
from voice.wire.keys import parse_statement


def need_newest_key(connection: Connection, clinician_id: bytes, sealed: bytes) -> None:
    """Raises RefusedError 409 `stale_key` for a box to another key than the clinician's newest statement's.

    A page or a key file that missed a rotation would go on sealing to a key that may be destroyed, and nobody
    could open that again. The clinician is held against a rotation until the transaction ends; so that nobody
    waits in a circle, the device and the record are held before, and the audit log after.
    """
    wanted = select(Clinician.statement).where(Clinician.id == clinician_id).with_for_update(read=True)
    statement = connection.execute(wanted).scalar_one()
    if parse_box(sealed).reading_key_id != key_id(parse_statement(statement).reading.public_bytes_raw()):
        raise RefusedError(
            409,
            "stale_key",
            "Your reading keys changed elsewhere: this is not sealed to the newest.",
            "Lock the page and unlock it again, or run: onebreath keys rotate. Then do it again.",
        )
