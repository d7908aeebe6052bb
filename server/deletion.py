"""Deleting records so that it can be shown: a tombstone for each, one audit entry for each batch.

What this proves, and what it does not, is in docs/deletion.md. Times are Unix seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import Connection, Row, Table, bindparam, delete, insert, select, update

from server import audit
from server.audit import Act
from server.database import BUSY_TIMEOUT_MS, Database
from server.errors import RefusedError
from server.records_store import hold_devices, need_device, practice_of
from server.schema import Card, Clinician, Consent, Device, Mark, Practice, Record, Share, Tombstone

BATCH: Final = 500
DAY_S: Final = 86_400
SCRUB_WAIT_MS: Final = 2_000
_DOMAIN: Final = b"onebreath deleted records v1\x00"

_BURIED: Final = (
    Record.device_id,
    Record.record_id,
    Record.clinician_id,
    Record.cursor,
    Record.sequence,
    Record.sha256,
    Record.received_at,
)


class Reason(StrEnum):
    """Why a record is not here any more."""

    RETENTION = "retention"
    ERASED = "erased"
    DELETED = "deleted"


@dataclass(frozen=True)
class Buried:
    """What one batch deleted: how many, the digest over their hashes, and their cursors' range."""

    count: int
    digest: bytes
    first: int
    last: int

    def subject(self, reason: Reason, of: str) -> str:
        """As the audit entry says it; `of` is "clinician:HEX" or "device:HEX"."""
        range_ = f"cursors:{self.first}-{self.last}"
        return f"{reason} {of} {range_} count:{self.count} sha256:{self.digest.hex()}"


@dataclass(frozen=True)
class Erased:
    """What the erasure of a device's client deleted, and the state that the device is in now."""

    buried: Buried
    state: str


def digest_of(hashes: Iterable[bytes]) -> bytes:
    """SHA-256 over the SHA-256 of each deleted record, in the order of their cursors."""
    whole = hashlib.sha256(_DOMAIN)
    for one in hashes:
        whole.update(one)
    return whole.digest()


def expire(
    database: Database,
    *,
    now: int,
    go_on: Callable[[], bool] = lambda: True,
    thorough: bool = False,
    batch: int = BATCH,
) -> int:
    """Delete what each practice's policy says is too old; how many records. `go_on` is asked between batches.

    Records are looked at in the order of their arrival, until a whole batch is young enough; `thorough` looks
    at all, as is needed only after the server's clock was wrong for very long.
    """
    kept = select(Clinician.id).join(Practice).where(Practice.retention_days.is_not(None))
    with database.read() as connection:
        clinicians = list(connection.execute(kept.order_by(Clinician.id)).scalars())
    deleted = 0
    for clinician_id in clinicians:
        after: int | None = 0
        while after is not None and go_on():
            count, after = _expire_batch(database, clinician_id, after, now, thorough, batch)
            deleted += count
    return deleted


def erase(database: Database, clinician_id: bytes, device_id: bytes, *, now: int, actor: str) -> Erased:
    """Erase a device's client: records, shares, marks, cards, consents, label; the device is discharged.

    Raises RefusedError 404 for a device that is not this clinician's.
    """
    with database.write() as connection:
        _overwrite(connection)
        need_device(connection, clinician_id, device_id, hold=True)
        practice_id = practice_of(connection, clinician_id)
        wanted = select(*_BURIED).where(Record.device_id == device_id).order_by(Record.cursor)
        buried = _bury(connection, wanted, practice_id, Reason.ERASED, now)
        connection.execute(delete(Mark).where(_readers(practice_id), Mark.device_id == device_id))
        connection.execute(delete(Card).where(Card.device_id == device_id))
        connection.execute(delete(Consent).where(Consent.device_id == device_id))
        this = Device.id == device_id
        connection.execute(update(Device).where(this).values(label=None, outbox_depth=None))
        connection.execute(update(Device).where(this, Device.state != "revoked").values(state="discharged"))
        state = connection.execute(select(Device.state).where(this)).scalar_one()
        subject = buried.subject(Reason.ERASED, f"device:{device_id.hex()}")
        _account(connection, Act.CLIENT_ERASED, now, actor, subject, practice_id)
    scrub(database)
    return Erased(buried, state)


def delete_record(
    database: Database, clinician_id: bytes, device_id: bytes, record_id: bytes, *, now: int, actor: str
) -> Buried:
    """Delete one record. Raises RefusedError 404 for a device or record that is not theirs or not here."""
    with database.write() as connection:
        _overwrite(connection)
        need_device(connection, clinician_id, device_id, hold=True)
        wanted = select(*_BURIED).where(Record.device_id == device_id, Record.record_id == record_id)
        practice_id = practice_of(connection, clinician_id)
        buried = _bury(connection, wanted, practice_id, Reason.DELETED, now)
        if buried.count == 0:
            raise RefusedError(404, "record", "There is no such record.", "See GET /v1/records.")
        subject = buried.subject(Reason.DELETED, f"device:{device_id.hex()}")
        _account(connection, Act.RECORDS_DELETED, now, actor, subject, practice_id)
    scrub(database)
    return buried


def scrub(database: Database) -> bool:
    """Empty SQLite's write-ahead log, which may still hold what was deleted; False when readers held it.

    On PostgreSQL there is nothing that the server could do: see docs/deletion.md.
    """
    if database.engine.dialect.name != "sqlite":
        return True
    pooled = database.engine.raw_connection()
    try:
        cursor = pooled.cursor()
        cursor.execute(f"PRAGMA busy_timeout={SCRUB_WAIT_MS}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            found: Any = cursor.fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.close()
    finally:
        pooled.close()
    return bool(found[0] == 0)


def _expire_batch(
    database: Database, clinician_id: bytes, after: int, now: int, thorough: bool, batch: int
) -> tuple[int, int | None]:
    """How many of the next batch were deleted, and the cursor to go on after; None at the end."""
    theirs = Record.clinician_id == clinician_id
    policy = select(Practice.retention_days, Practice.id).join(Clinician).where(Clinician.id == clinician_id)
    following = (
        select(Record.cursor, Record.received_at)
        .where(theirs, Record.cursor > after)
        .order_by(Record.cursor)
        .limit(batch)
    )
    with database.read() as connection:
        days, _ = connection.execute(policy).one()
        rows = connection.execute(following).all()
    if not rows or days is None:
        return 0, None
    last = rows[-1].cursor
    if all(row.received_at >= now - days * DAY_S for row in rows):
        return 0, last if thorough else None
    with database.write() as connection:
        _overwrite(connection)
        # Read again: the practice may have been given another policy meanwhile.
        days, practice_id = connection.execute(policy).one()
        if days is None:
            return 0, None
        wanted = (
            select(*_BURIED)
            .where(theirs, Record.cursor > after, Record.cursor <= last)
            .where(Record.received_at < now - days * DAY_S)
            .order_by(Record.cursor)
        )
        buried = _bury(connection, wanted, practice_id, Reason.RETENTION, now)
        if buried.count:
            subject = buried.subject(Reason.RETENTION, f"clinician:{clinician_id.hex()}")
            _account(connection, Act.RECORDS_DELETED, now, audit.SYSTEM, subject, practice_id)
    return buried.count, last


def _bury(connection: Connection, wanted: Any, practice_id: bytes, reason: Reason, now: int) -> Buried:
    """Put a tombstone in each record's place; shares and marks go with it."""
    # Devices first: an erasure holds its device before it holds the records.
    hold_devices(connection, {row.device_id for row in connection.execute(wanted)})
    rows: Sequence[Row[Any]] = connection.execute(wanted.with_for_update()).all()
    if rows:
        stones = [{**row._mapping, "deleted_at": now, "reason": reason.value} for row in rows]
        connection.execute(insert(Tombstone), stones)
        keys = [{"of_device": row.device_id, "of_record": row.record_id} for row in rows]
        for model, scope in ((Share, None), (Mark, _readers(practice_id)), (Record, None)):
            table = cast(Table, model.__table__)
            gone = delete(table).where(
                table.c.device_id == bindparam("of_device"), table.c.record_id == bindparam("of_record")
            )
            connection.execute(gone if scope is None else gone.where(scope), keys)
    cursors = [row.cursor for row in rows] or [0]
    digest = digest_of(bytes(row.sha256) for row in rows)
    return Buried(len(rows), digest, cursors[0], cursors[-1])


def _readers(practice_id: bytes) -> Any:
    """Marks of anyone in the practice: a colleague to whom a record was shared may have marked it too."""
    return Mark.clinician_id.in_(select(Clinician.id).where(Clinician.practice_id == practice_id))


def _overwrite(connection: Connection) -> None:
    """Have SQLite write zeros over what is deleted, whatever it was built to do."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _account(
    connection: Connection, act: Act, now: int, actor: str, subject: str, practice_id: bytes
) -> None:
    audit.write(connection, act, now=now, actor=actor, subject=subject, practice_id=practice_id)
