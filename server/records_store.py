"""Reading records, tombstones and counts, each scoped to one clinician. Times are Unix seconds.

People fetch records through `fetch`, which accounts for it in the same transaction; deleting is deletion.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from server import audit
from server.audit import Act
from server.database import Database
from server.errors import no_device
from server.rows import RecordRow
from server.schema import Clinician, Device, Practice, Record, Tombstone

LAST_CURSOR: Final = 2**63 - 1


@dataclass(frozen=True)
class Span:
    """Which records: after a cursor, oldest first, or before one, newest first; of one device, or of all."""

    after: int = 0
    before: int | None = None
    limit: int = 100
    device_id: bytes | None = None


@dataclass(frozen=True)
class TombstoneRow:
    """What is left of a deleted record; `sha256` is of its sealed frame."""

    cursor: int
    device_id: bytes
    record_id: bytes
    sequence: int
    sha256: bytes
    received_at: int
    deleted_at: int
    reason: str


@dataclass(frozen=True)
class Count:
    """How many records of a device are here and how many are tombstones; when the first and last came."""

    records: int
    deleted: int
    oldest_at: int | None
    newest_at: int | None


def page(connection: Connection, clinician_id: bytes, span: Span) -> list[RecordRow]:
    """A clinician's records in the order that the span asks for."""
    wanted = select(Record.cursor, Record.device_id, Record.received_at, Record.frame)
    wanted = _spanned(wanted, Record, clinician_id, span)
    return [RecordRow(*row) for row in connection.execute(wanted)]


def fetch(
    database: Database, clinician_id: bytes, span: Span, *, now: int, actor: str
) -> tuple[list[RecordRow], bool]:
    """A page for a person, and whether there are more; the audit log tells what was given.

    Raises RefusedError 404 for a device that is not theirs.
    """
    with database.write() as connection:
        if span.device_id is not None:
            need_device(connection, clinician_id, span.device_id)
        one_more = Span(span.after, span.before, span.limit + 1, span.device_id)
        found = page(connection, clinician_id, one_more)
        given = found[: span.limit]
        cursors = [row.cursor for row in given]
        where = f"cursors:{min(cursors)}-{max(cursors)} " if cursors else ""
        of = "" if span.device_id is None else f"device:{span.device_id.hex()} "
        audit.write(
            connection,
            Act.RECORDS_FETCHED,
            now=now,
            actor=actor,
            subject=f"clinician:{clinician_id.hex()} {of}{where}count:{len(given)}",
            practice_id=practice_of(connection, clinician_id),
        )
    return given, len(found) > span.limit


def export(
    database: Database, clinician_id: bytes, device_id: bytes, *, count: int, now: int, actor: str
) -> None:
    """Account for an export before it is written. Raises RefusedError 404 for a device that is not theirs."""
    with database.write() as connection:
        need_device(connection, clinician_id, device_id)
        audit.write(
            connection,
            Act.RECORDS_EXPORTED,
            now=now,
            actor=actor,
            subject=f"clinician:{clinician_id.hex()} device:{device_id.hex()} count:{count}",
            practice_id=practice_of(connection, clinician_id),
        )


def tombstones(
    database: Database, clinician_id: bytes, span: Span
) -> tuple[list[TombstoneRow], bool, int | None]:
    """A page of what was deleted, whether there is more, and the practice's policy in days (null: none).

    Raises RefusedError 404 for a device that is not theirs.
    """
    wanted = select(
        Tombstone.cursor,
        Tombstone.device_id,
        Tombstone.record_id,
        Tombstone.sequence,
        Tombstone.sha256,
        Tombstone.received_at,
        Tombstone.deleted_at,
        Tombstone.reason,
    )
    policy = select(Practice.retention_days).join(Clinician).where(Clinician.id == clinician_id)
    with database.read() as connection:
        if span.device_id is not None:
            need_device(connection, clinician_id, span.device_id)
        one_more = Span(span.after, span.before, span.limit + 1, span.device_id)
        rows = connection.execute(_spanned(wanted, Tombstone, clinician_id, one_more)).all()
        days = connection.execute(policy).scalar_one()
    return [TombstoneRow(*row) for row in rows[: span.limit]], len(rows) > span.limit, days


def count(database: Database, clinician_id: bytes, device_id: bytes) -> Count:
    """What is here of one device. Raises RefusedError 404 for a device that is not theirs."""
    here = select(func.count(), func.min(Record.received_at), func.max(Record.received_at))
    gone = select(func.count()).select_from(Tombstone).where(Tombstone.device_id == device_id)
    with database.read() as connection:
        need_device(connection, clinician_id, device_id)
        records, oldest, newest = connection.execute(here.where(Record.device_id == device_id)).one()
        return Count(records, connection.execute(gone).scalar_one(), oldest, newest)


def need_device(connection: Connection, clinician_id: bytes, device_id: bytes, *, hold: bool = False) -> None:
    """Raise RefusedError 404 unless the device is this clinician's; `hold` it until the transaction ends."""
    wanted = select(Device.id).where(Device.id == device_id, Device.clinician_id == clinician_id)
    if connection.execute(wanted.with_for_update() if hold else wanted).one_or_none() is None:
        raise no_device()


def hold_devices(connection: Connection, device_ids: Iterable[bytes]) -> None:
    """Keep devices from being changed until the transaction ends, as a row that refers to them would.

    Whoever goes on to hold records holds their devices first, so that no two wait for each other.
    """
    wanted = select(Device.id).where(Device.id.in_(sorted(device_ids))).order_by(Device.id)
    connection.execute(wanted.with_for_update(read=True, key_share=True)).all()


def practice_of(connection: Connection, clinician_id: bytes) -> bytes:
    """The practice that a clinician belongs to."""
    wanted = select(Clinician.practice_id).where(Clinician.id == clinician_id)
    return bytes(connection.execute(wanted).scalar_one())


def _spanned(wanted: Any, table: type[Record] | type[Tombstone], clinician_id: bytes, span: Span) -> Any:
    wanted = wanted.where(table.clinician_id == clinician_id)
    if span.device_id is not None:
        wanted = wanted.where(table.device_id == span.device_id)
    if span.before is None:
        return wanted.where(table.cursor > span.after).order_by(table.cursor).limit(span.limit)
    return wanted.where(table.cursor < span.before).order_by(table.cursor.desc()).limit(span.limit)
