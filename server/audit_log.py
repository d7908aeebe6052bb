"""Reading the audit chain: whose entries whom concern, its head, and whether it bears out the tombstones.

Times are Unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select

from server import audit
from server.accounts_schema import Account
from server.audit import Act, Entry
from server.database import Database
from server.deletion import Reason, digest_of
from server.schema import AuditEntry, AuditHead, Device, Record, Tombstone

_SUBJECT: Final = re.compile(
    r"(?P<reason>retention|erased|deleted) (?P<kind>clinician|device):(?P<id>[0-9a-f]{32}) "
    r"cursors:(?P<first>\d+)-(?P<last>\d+) count:(?P<count>\d+) sha256:(?P<digest>[0-9a-f]{64})",
    re.ASCII,
)
_DELETIONS: Final = (str(Act.RECORDS_DELETED), str(Act.CLIENT_ERASED))


@dataclass(frozen=True)
class Scope:
    """Whose entries: a whole practice's, or those that concern one of its clinicians."""

    practice_id: bytes
    clinician_id: bytes | None = None


@dataclass(frozen=True)
class Head:
    """The chain's newest link."""

    sequence: int
    digest: bytes


@dataclass(frozen=True)
class Entries:
    """A page; `head` is the whole chain's as it was when the page was read."""

    entries: tuple[Entry, ...]
    more: bool
    head: Head


def head(connection: Connection) -> Head:
    """The chain's newest link, to be noted elsewhere."""
    return Head(*connection.execute(select(AuditHead.sequence, AuditHead.digest)).one())


def entries(
    connection: Connection, *, after: int | None, last: int, practice_id: bytes | None = None
) -> list[Entry]:
    """Entries after a number, or so many of the newest; oldest first, of one practice or of all."""
    wanted = select(AuditEntry.__table__)
    if practice_id is not None:
        wanted = wanted.where(AuditEntry.practice_id == practice_id)
    if after is not None:
        wanted = wanted.where(AuditEntry.sequence > after).order_by(AuditEntry.sequence)
        return [_entry(row) for row in connection.execute(wanted)]
    newest = connection.execute(wanted.order_by(AuditEntry.sequence.desc()).limit(last)).all()
    return [_entry(row) for row in reversed(newest)]


def fetch(database: Database, scope: Scope, *, after: int, limit: int, now: int, actor: str) -> Entries:
    """A page for a person; that it was fetched is itself an entry, after those given."""
    with database.write() as connection:
        wanted = (
            select(AuditEntry.__table__)
            .where(AuditEntry.practice_id == scope.practice_id, AuditEntry.sequence > after)
            .order_by(AuditEntry.sequence)
            .limit(limit + 1)
        )
        if scope.clinician_id is not None:
            wanted = wanted.where(_concerns(connection, scope.clinician_id))
        rows = connection.execute(wanted).all()
        given = tuple(_entry(row) for row in rows[:limit])
        found = Entries(given, len(rows) > limit, head(connection))
        about = "" if not given else f"entries:{given[0].sequence}-{given[-1].sequence} "
        audit.write(
            connection,
            Act.AUDIT_FETCHED,
            now=now,
            actor=actor,
            subject=f"{about}count:{len(given)}",
            practice_id=scope.practice_id,
        )
    return found


def holds(connection: Connection, digest: bytes) -> bool:
    """Whether the chain still has a link with this digest: one that was its head when it was noted.

    The chain is to be verified besides. The digest before the oldest entry that age left counts too.
    """
    link = select(AuditEntry.sequence).where(AuditEntry.digest == digest).limit(1)
    before = select(AuditHead.id).where(or_(AuditHead.first_digest == digest, AuditHead.digest == digest))
    return any(connection.execute(one).first() is not None for one in (link, before))


def check_deletions(connection: Connection) -> list[str]:
    """What speaks against the tombstones, in plain words; nothing when entries and tombstones agree.

    Each deletion's entry names count and digest of what it deleted, and its tombstones must give the same.
    Tombstones that no entry covers are told too, unless age has removed the entry.
    """
    problems = []
    covered = 0
    for entry, said in _deletions(connection):
        if said is None:
            problems.append(f"Entry {entry.sequence} does not say what it deleted.")
            continue
        hashes = _buried(connection, entry, said)
        covered += len(hashes)
        if len(hashes) != int(said["count"]) or digest_of(hashes).hex() != said["digest"]:
            problems.append(
                f"Entry {entry.sequence} tells of {said['count']} deleted records; "
                f"their {len(hashes)} tombstones are not the same."
            )
    stones = connection.execute(select(func.count()).select_from(Tombstone)).scalar_one()
    pruned = connection.execute(select(AuditHead.first_sequence)).scalar_one() > 1
    if not pruned and not problems and stones != covered:
        problems.append(f"{stones - covered} tombstones have no entry that tells of their deletion.")
    same_place = or_(Record.record_id == Tombstone.record_id, Record.sequence == Tombstone.sequence)
    both = (
        select(func.count())
        .select_from(Record)
        .join(Tombstone, (Record.device_id == Tombstone.device_id) & same_place)
    )
    left = connection.execute(both).scalar_one()
    if left:
        problems.append(f"{left} records are here although a tombstone says that they were deleted.")
    return problems


def _deletions(connection: Connection) -> Iterator[tuple[Entry, dict[str, str] | None]]:
    wanted = select(AuditEntry.__table__).where(AuditEntry.act.in_(_DELETIONS)).order_by(AuditEntry.sequence)
    for row in connection.execute(wanted).all():
        said = _SUBJECT.fullmatch(row.subject)
        yield _entry(row), None if said is None else said.groupdict()


def _buried(connection: Connection, entry: Entry, said: dict[str, str]) -> list[bytes]:
    """The hashes of what this entry's tombstones stand for, in the order of their cursors."""
    owner = bytes.fromhex(said["id"])
    whose = Tombstone.clinician_id if said["kind"] == "clinician" else Tombstone.device_id
    wanted = (
        select(Tombstone.sha256)
        .where(whose == owner, Tombstone.reason == Reason(said["reason"]).value)
        .where(Tombstone.deleted_at == entry.at)
        .where(Tombstone.cursor.between(int(said["first"]), int(said["last"])))
        .order_by(Tombstone.cursor)
    )
    return [bytes(one) for one in connection.execute(wanted).scalars()]


def _concerns(connection: Connection, clinician_id: bytes) -> Any:
    """What a clinician, their account or their devices did, and what was done to their records."""
    devices = connection.execute(select(Device.id).where(Device.clinician_id == clinician_id)).scalars()
    accounts = connection.execute(select(Account.id).where(Account.clinician_id == clinician_id)).scalars()
    them = f"clinician:{clinician_id.hex()}"
    actors = [
        them,
        *(f"device:{one.hex()}" for one in devices),
        *(f"account:{one.hex()}" for one in accounts),
    ]
    return or_(AuditEntry.actor.in_(actors), AuditEntry.subject.contains(them, autoescape=True))


def _entry(row: Any) -> Entry:
    practice_id = None if row.practice_id is None else bytes(row.practice_id)
    return Entry(row.sequence, row.at, practice_id, row.actor, row.act, row.subject)
