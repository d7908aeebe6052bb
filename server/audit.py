"""The audit log: who did what, when, to which account, device or key. Never content.

Every entry's digest is over the digest before it, so that none can be changed, left out or put in between
unseen. Entries are written in the transaction of the act itself: neither is there without the other. Whoever
can rewrite the whole table can rewrite the chain, which is why its head is to be noted elsewhere (`onebreath
audit head`) and compared (`onebreath audit verify --head`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from server.schema import AuditEntry, AuditHead

NOTHING: Final = bytes(32)
"""The digest before the first entry."""

KEPT_DAYS: Final = 6 * 366
"""Six years, by default: 45 CFR 164.316(b)(2)(i)."""

SYSTEM: Final = "system"
_DOMAIN: Final = b"onebreath audit v1\x00"


class Act(StrEnum):
    """What can be done here that someone may have to account for."""

    ACCOUNT_ADDED = "account.added"
    ACCOUNT_SET_UP = "account.set_up"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_CLOSED = "account.closed"
    SIGNED_IN = "account.signed_in"
    SIGN_IN_FAILED = "account.sign_in_failed"
    SIGNED_OUT = "account.signed_out"
    LOCKED = "account.locked"
    FACTOR_CHANGED = "account.factor_changed"
    FACTOR_RESET_ASKED = "account.factor_reset_asked"
    PASSPHRASE_CHANGED = "account.passphrase_changed"  # noqa: S105 - the name of an act
    RECOVERED = "account.recovered"
    PRACTICE_ADDED = "practice.added"
    PRACTICE_CHANGED = "practice.changed"
    CLINICIAN_ADDED = "clinician.added"
    KEY_ADDED = "key.added"
    KEY_ROTATED = "key.rotated"
    KEY_SHREDDED = "key.shredded"
    KEY_SLOT_ADDED = "key.slot_added"
    KEY_SLOT_REMOVED = "key.slot_removed"
    KEYS_FETCHED = "key.fetched"
    RECOVERY_KEY_SET = "key.recovery_set"
    INVITED = "device.invited"
    DEVICE_PAIRED = "device.paired"
    DEVICE_APPROVED = "device.approved"
    DEVICE_STATE = "device.state"
    DEVICE_RENAMED = "device.renamed"
    CONSENT_KEPT = "device.consent_kept"
    CARD_SENT = "card.sent"
    CARD_REMOVED = "card.removed"
    RECORDS_FETCHED = "records.fetched"
    RECORDS_EXPORTED = "records.exported"
    RECORDS_SHARED = "records.shared"
    SHARE_REMOVED = "records.share_removed"
    SHARED_FETCHED = "records.shared_fetched"
    RECORDS_DELETED = "records.deleted"
    CLIENT_ERASED = "client.erased"
    AUDIT_FETCHED = "audit.fetched"
    AUDIT_PRUNED = "audit.pruned"
    NOTICE_SENT = "notice.sent"
    RESTORED = "backup.restored"


@dataclass(frozen=True)
class Entry:
    """One entry. `actor` is "clinician:HEX", "account:HEX", "device:HEX" or "system"; `subject` names ids and
    counts, and nothing that a client or clinician wrote. `at` is in Unix seconds."""

    sequence: int
    at: int
    practice_id: bytes | None
    actor: str
    act: str
    subject: str


@dataclass(frozen=True)
class Verdict:
    """What a look at the whole chain found. `broken_at` is the first entry that does not follow, or None."""

    entries: int
    first: int
    last: int
    head: bytes
    broken_at: int | None


def chained(previous: bytes, entry: Entry) -> bytes:
    """The digest of an entry that follows the one with digest `previous`, 32 bytes."""
    practice = None if entry.practice_id is None else entry.practice_id.hex()
    fields = [entry.sequence, entry.at, practice, entry.actor, entry.act, entry.subject]
    said = json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return hashlib.sha256(_DOMAIN + previous + said).digest()


def follow(before: int, digest: bytes, entries: Iterable[tuple[Entry, bytes]]) -> Verdict:
    """Follow entries, oldest first, each with the digest it is said to have, from entry number `before`."""
    last, count = before, 0
    for entry, said in entries:
        digest = chained(digest, entry)
        if entry.sequence != last + 1 or digest != said:
            return Verdict(count, before + 1, last, digest, entry.sequence)
        last, count = entry.sequence, count + 1
    return Verdict(count, before + 1, last, digest, None)


def write(
    connection: Connection,
    act: Act,
    *,
    now: int,
    actor: str,
    subject: str = "",
    practice_id: bytes | None = None,
) -> None:
    """Add one entry, in the transaction of the act itself."""
    sequence, previous = connection.execute(
        update(AuditHead)
        .where(AuditHead.id == 1)
        .values(sequence=AuditHead.sequence + 1)
        .returning(AuditHead.sequence, AuditHead.digest)
    ).one()
    entry = Entry(sequence, now, practice_id, actor, str(act), subject)
    digest = chained(previous, entry)
    connection.execute(
        insert(AuditEntry).values(
            sequence=sequence,
            at=now,
            practice_id=practice_id,
            actor=actor,
            act=str(act),
            subject=subject,
            digest=digest,
        )
    )
    connection.execute(update(AuditHead).where(AuditHead.id == 1).values(digest=digest))


def verify(connection: Connection) -> Verdict:
    """Follow the whole chain from its oldest entry to its head."""
    head = connection.execute(select(AuditHead.__table__)).one()
    wanted = select(AuditEntry.__table__).order_by(AuditEntry.sequence)
    with connection.execution_options(yield_per=1000).execute(wanted) as rows:
        said = ((_entry(row), bytes(row.digest)) for row in rows)
        found = follow(head.first_sequence - 1, head.first_digest, said)
    if found.broken_at is None and (found.last, found.head) != (head.sequence, head.digest):
        # The newest entries are gone, or the head was altered.
        return Verdict(found.entries, found.first, found.last, found.head, found.last + 1)
    return found


def entries(
    connection: Connection, *, after: int = 0, limit: int = 100, practice_id: bytes | None = None
) -> list[Entry]:
    """Entries after number `after`, oldest first; of one practice only, if given."""
    wanted = select(AuditEntry.__table__).where(AuditEntry.sequence > after)
    if practice_id is not None:
        wanted = wanted.where(AuditEntry.practice_id == practice_id)
    return [_entry(row) for row in connection.execute(wanted.order_by(AuditEntry.sequence).limit(limit))]


def prune(connection: Connection, *, before: int) -> int:
    """Remove the oldest entries, from before a time in Unix seconds; how many. The rest still verifies.

    Only a run of entries from the beginning goes, so that nothing can be taken out of the middle.
    """
    keep = connection.execute(
        select(AuditEntry.sequence).where(AuditEntry.at >= before).order_by(AuditEntry.sequence).limit(1)
    ).scalar()
    end = connection.execute(
        select(AuditEntry.sequence, AuditEntry.digest)
        .where(AuditEntry.sequence < keep if keep is not None else AuditEntry.at < before)
        .order_by(AuditEntry.sequence.desc())
        .limit(1)
    ).one_or_none()
    if end is None:
        return 0
    removed = connection.execute(delete(AuditEntry).where(AuditEntry.sequence <= end.sequence)).rowcount
    connection.execute(
        update(AuditHead)
        .where(AuditHead.id == 1)
        .values(first_sequence=end.sequence + 1, first_digest=end.digest)
    )
    return int(removed)


def _entry(row: Any) -> Entry:
    practice_id = None if row.practice_id is None else bytes(row.practice_id)
    return Entry(row.sequence, row.at, practice_id, row.actor, row.act, row.subject)
