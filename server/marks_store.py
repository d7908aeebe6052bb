"""Sealed marks on records: kept by version, and never understood. Times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, exists, insert, or_, select, update

from server.database import Database
from server.errors import RefusedError
from server.newest_key import need_newest_key
from server.records_store import hold_devices
from server.schema import Mark, Record, Share


@dataclass(frozen=True)
class MarkRow:
    """A mark as stored: `sealed` says it to its clinician alone."""

    device_id: bytes
    record_id: bytes
    version: int
    sealed: bytes
    updated_at: int


def put_mark(
    database: Database,
    clinician_id: bytes,
    device_id: bytes,
    record_id: bytes,
    *,
    version: int,
    sealed: bytes,
    now: int,
) -> MarkRow:
    """Keep a mark on a record that is the clinician's, or that was shared with them.

    The same bytes again change nothing. Raises RefusedError: 404, 409 `stale_key`, and 409 `version`
    for a version that is not greater.
    """
    record = and_(Record.device_id == device_id, Record.record_id == record_id)
    shared = exists().where(
        Share.device_id == device_id, Share.record_id == record_id, Share.to_id == clinician_id
    )
    theirs = select(Record.cursor).where(record, or_(Record.clinician_id == clinician_id, shared))
    this = and_(Mark.clinician_id == clinician_id, Mark.device_id == device_id, Mark.record_id == record_id)
    with database.write() as connection:
        # The device is held first, then the record, in the order of whoever deletes: one of two that mark a
        # record at once waits here, and the record is not deleted while it is marked.
        hold_devices(connection, [device_id])
        if connection.execute(theirs.with_for_update(of=Record)).one_or_none() is None:
            raise RefusedError(404, "record", "There is no such record.", "See GET /v1/records.")
        known = connection.execute(
            select(Mark.version, Mark.sealed, Mark.updated_at).where(this)
        ).one_or_none()
        if known is not None and (known.version, known.sealed) == (version, sealed):
            return MarkRow(device_id, record_id, version, sealed, known.updated_at)
        need_newest_key(connection, clinician_id, sealed)
        if known is not None and version <= known.version:
            raise RefusedError(
                409,
                "version",
                "A mark of this version or a newer one is already here.",
                "Fetch the marks, and seal yours with a greater version.",
                extra={"version": str(known.version)},
            )
        values = {"version": version, "sealed": sealed, "updated_at": now}
        if known is not None:
            connection.execute(update(Mark).where(this).values(**values))
        else:
            ids = {"clinician_id": clinician_id, "device_id": device_id, "record_id": record_id}
            connection.execute(insert(Mark).values(**ids, **values))
    return MarkRow(device_id, record_id, version, sealed, now)


def marks(
    database: Database, clinician_id: bytes, *, after: tuple[bytes, bytes] | None, limit: int
) -> tuple[list[MarkRow], bool]:
    """A page of a clinician's marks, by device and record, and whether there are more."""
    wanted = select(Mark.device_id, Mark.record_id, Mark.version, Mark.sealed, Mark.updated_at)
    wanted = wanted.where(Mark.clinician_id == clinician_id)
    if after is not None:
        device_id, record_id = after
        later = and_(Mark.device_id == device_id, Mark.record_id > record_id)
        wanted = wanted.where(or_(Mark.device_id > device_id, later))
    with database.read() as connection:
        rows = connection.execute(wanted.order_by(Mark.device_id, Mark.record_id).limit(limit + 1)).all()
    return [MarkRow(*row) for row in rows[:limit]], len(rows) > limit
