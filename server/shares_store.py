"""Shares, as the server keeps them: from a record's own clinician, to a colleague of the same practice.

Time is an argument (Unix seconds). The server checks who, what and for which key; it opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, true

from server import audit
from server.accounts_schema import Account
from server.audit import Act
from server.database import Database
from server.errors import RefusedError
from server.schema import Clinician, Record, Share
from voice.wire import sharing
from voice.wire.encoding import key_id
from voice.wire.keys import parse_statement

_RECIPIENT = slice(110, 126)
"""Where a share names its reading key (FORMAT.md section 13)."""

Place = tuple[bytes, int]
"""A shared record's place in the listing: device id of 16 bytes, sequence."""


@dataclass(frozen=True)
class Colleague:
    """Another clinician of the same practice, with their newest statement."""

    clinician_id: bytes
    statement: bytes


@dataclass(frozen=True)
class SharedRow:
    """A record that a colleague shared: the share, and the frame byte for byte."""

    from_id: bytes
    device_id: bytes
    sequence: int
    share: bytes
    frame: bytes
    received_at: int
    created_at: int


@dataclass(frozen=True)
class GivenRow:
    """A record that a clinician shared with a colleague. `recipient` is the key id it was sealed to."""

    device_id: bytes
    record_id: bytes
    sequence: int
    recipient: bytes
    created_at: int


@dataclass(frozen=True)
class Given:
    """A page of them, and how many there are in all."""

    rows: tuple[GivenRow, ...]
    count: int


def colleagues(database: Database, clinician_id: bytes) -> list[Colleague]:
    """The other clinicians of a clinician's practice whose accounts are not closed, oldest first."""
    with database.read() as connection:
        mine = select(Clinician.practice_id).where(Clinician.id == clinician_id).scalar_subquery()
        rows = connection.execute(
            select(Clinician.id, Clinician.statement)
            .where(Clinician.practice_id == mine, Clinician.id != clinician_id, ~_closed())
            .order_by(Clinician.created_at, Clinician.id)
        ).all()
    return [Colleague(*row) for row in rows]


def add_shares(
    database: Database,
    clinician_id: bytes,
    to_id: bytes,
    shares: Sequence[tuple[sharing.Share, bytes]],
    *,
    now: int,
) -> int:
    """Keep verified shares; how many records the colleague did not have before. All or none.

    Raises RefusedError: 404 for a colleague or record that is not the caller's to name, 400 for a share that
    is not of the record or device that it names, 409 for one that is sealed to an older reading key.
    """
    with database.write() as connection:
        practice, statement = _colleague(connection, clinician_id, to_id)
        newest = key_id(parse_statement(statement).reading.public_bytes_raw())
        added = 0
        # In one order, so that two batches of one clinician wait for each other and never in a circle.
        for share, data in sorted(shares, key=lambda one: (one[0].device_id, one[0].record_id)):
            _check(connection, clinician_id, share, newest)
            this = (
                (Share.device_id == share.device_id)
                & (Share.record_id == share.record_id)
                & (Share.to_id == to_id)
            )
            added += 1 - connection.execute(delete(Share).where(this)).rowcount
            connection.execute(
                insert(Share).values(
                    device_id=share.device_id,
                    record_id=share.record_id,
                    to_id=to_id,
                    from_id=clinician_id,
                    share=data,
                    created_at=now,
                )
            )
        subject = f"clinician:{to_id.hex()} {len(shares)}"
        _told(connection, Act.RECORDS_SHARED, clinician_id, practice, now, subject)
    return added


def shared_with(
    database: Database, clinician_id: bytes, *, after: Place | None, limit: int, now: int
) -> list[SharedRow]:
    """What colleagues shared with a clinician, by device and sequence; that it was fetched is audited."""
    wanted = (
        select(
            Share.from_id,
            Share.device_id,
            Record.sequence,
            Share.share,
            Record.frame,
            Record.received_at,
            Share.created_at,
        )
        .join(Record, and_(Record.device_id == Share.device_id, Record.record_id == Share.record_id))
        .where(Share.to_id == clinician_id, _beyond(after))
        .order_by(Share.device_id, Record.sequence)
        .limit(limit)
    )
    with database.write() as connection:
        rows = [SharedRow(*row) for row in connection.execute(wanted)]
        practice = _practice(connection, clinician_id)
        _told(connection, Act.SHARED_FETCHED, clinician_id, practice, now, f"{len(rows)}")
    return rows


def given_to(
    database: Database, clinician_id: bytes, to_id: bytes, *, after: Place | None, limit: int
) -> Given:
    """What a clinician shared with a colleague, by device and sequence; whether the colleague's account is
    closed or not. Raises RefusedError 404 for a clinician who is not a colleague."""
    mine = (Share.from_id == clinician_id) & (Share.to_id == to_id)
    same = and_(Record.device_id == Share.device_id, Record.record_id == Share.record_id)
    with database.read() as connection:
        _colleague(connection, clinician_id, to_id, closed_too=True)
        rows = connection.execute(
            select(Share.device_id, Share.record_id, Record.sequence, Share.share, Share.created_at)
            .join(Record, same)
            .where(mine, _beyond(after))
            .order_by(Share.device_id, Record.sequence)
            .limit(limit)
        ).all()
        count = connection.execute(select(func.count()).select_from(Share).where(mine)).scalar_one()
    given = (
        GivenRow(row.device_id, row.record_id, row.sequence, bytes(row.share[_RECIPIENT]), row.created_at)
        for row in rows
    )
    return Given(tuple(given), count)


def end_shares(database: Database, clinician_id: bytes, to_id: bytes, *, now: int) -> int:
    """The cover has ended: remove all that a clinician shared with a colleague; how many records.

    Raises RefusedError 404 for a clinician who is not a colleague.
    """
    with database.write() as connection:
        practice, _ = _colleague(connection, clinician_id, to_id, closed_too=True)
        mine = (Share.from_id == clinician_id) & (Share.to_id == to_id)
        removed = connection.execute(delete(Share).where(mine)).rowcount
        subject = f"clinician:{to_id.hex()} {removed}"
        _told(connection, Act.SHARE_REMOVED, clinician_id, practice, now, subject)
    return int(removed)


def _colleague(
    connection: Connection, clinician_id: bytes, to_id: bytes, *, closed_too: bool = False
) -> tuple[bytes, bytes]:
    """The practice that both belong to, and the colleague's newest statement."""
    practice = _practice(connection, clinician_id)
    wanted = select(Clinician.statement).where(Clinician.id == to_id, Clinician.practice_id == practice)
    if not closed_too:
        wanted = wanted.where(~_closed())
    statement = connection.execute(wanted).scalar_one_or_none()
    if statement is None or to_id == clinician_id:
        raise RefusedError(404, "clinician", "There is no such colleague.", "See GET /v1/colleagues.")
    return practice, statement


def _check(connection: Connection, clinician_id: bytes, share: sharing.Share, newest: bytes) -> None:
    found = connection.execute(
        select(Record.sha256, Record.sequence)
        .where(
            Record.device_id == share.device_id,
            Record.record_id == share.record_id,
            Record.clinician_id == clinician_id,
        )
        .with_for_update()
    ).one_or_none()
    if found is None:
        raise RefusedError(404, "record", "There is no such record.", "See GET /v1/records.")
    if (found.sha256, found.sequence) != (share.sha256, share.sequence):
        raise RefusedError(400, "share", "The share is of another record than the one it names.")
    if share.recipient != newest:
        raise RefusedError(
            409, "stale_key", "The colleague has another reading key now.", "Share again with their newest."
        )


def _practice(connection: Connection, clinician_id: bytes) -> bytes:
    wanted = select(Clinician.practice_id).where(Clinician.id == clinician_id)
    return bytes(connection.execute(wanted).scalar_one())


def _beyond(after: Place | None) -> ColumnElement[bool]:
    if after is None:
        return true()
    device_id, sequence = after
    return or_(Share.device_id > device_id, and_(Share.device_id == device_id, Record.sequence > sequence))


def _closed() -> ColumnElement[bool]:
    return select(Account.id).where(Account.clinician_id == Clinician.id, Account.state == "closed").exists()


def _told(
    connection: Connection, act: Act, clinician_id: bytes, practice: bytes, now: int, subject: str
) -> None:
    actor = f"clinician:{clinician_id.hex()}"
    audit.write(connection, act, now=now, actor=actor, subject=subject, practice_id=practice)
