"""The sealed queue of one clinician, straight from the database, for the holder of the recovery key.

An act on the server's machine, for when a clinician's own keys are lost; audited. It opens nothing: the file
is taken to the machine that has the recovery key, so that the server never meets a key that opens a record.
Time is an argument (Unix seconds).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from server import audit
from server.answers import iso
from server.audit import Act
from server.database import Database
from server.errors import ServerError
from server.schema import Clinician, Device, Record
from server.statements import DEVICES
from voice.wire.encoding import b64url
from voice.wire.keys import parse_statement

FORMAT: Final = 1


def sealed_queue(database: Database, wanted: str, *, now: int) -> dict[str, Any]:
    """The queue of the clinician of this name, or whose id begins so, as JSON. Raises ServerError.

    `devices` and `records` are in the shape of the calls' answers (FORMAT.md section 7).
    """
    said = wanted.strip().casefold()
    with database.write() as connection:
        known = connection.execute(
            select(Clinician.id, Clinician.statement, Clinician.practice_id).order_by(Clinician.created_at)
        ).all()
        names = {bytes(row.id): parse_statement(row.statement).name for row in known}
        found = [row for row in known if said and said in (names[row.id].casefold(), row.id.hex())]
        if len(found) != 1:
            listed = ", ".join(f"{name} ({one.hex()})" for one, name in names.items()) or "none"
            raise ServerError(
                f"{wanted!r} names {len(found)} clinicians.", f"Give the name or whole id of one: {listed}."
            )
        [row] = found
        devices = connection.execute(DEVICES.where(Device.clinician_id == row.id)).all()
        records = connection.execute(
            select(Record.cursor, Record.device_id, Record.received_at, Record.frame)
            .where(Record.clinician_id == row.id)
            .order_by(Record.cursor)
        ).all()
        audit.write(
            connection,
            Act.RECORDS_EXPORTED,
            now=now,
            actor=audit.SYSTEM,
            subject=f"clinician:{row.id.hex()} recovery {len(records)}",
            practice_id=row.practice_id,
        )
    return {
        "format": FORMAT,
        "statement": b64url(row.statement),
        "devices": [
            {
                "device": one.id.hex(),
                "signing": b64url(one.signing),
                "encryption": b64url(one.encryption),
                "proof": b64url(one.proof),
                "pairing": b64url(one.pairing_id),
                "invitation": b64url(one.invitation),
                "approval": None if one.approval is None else b64url(one.approval),
                "state": one.state,
                "last_seen_at": None if one.last_seen_at is None else iso(one.last_seen_at),
            }
            for one in devices
        ],
        "records": [
            {
                "cursor": one.cursor,
                "device": one.device_id.hex(),
                "received_at": iso(one.received_at),
                "frame": b64url(one.frame),
            }
            for one in records
        ],
    }
