"""Whether the audit log holds, for an administrator who looks. Time is an argument (Unix seconds)."""

from __future__ import annotations

from dataclasses import dataclass

from server import audit, audit_log
from server.audit import Act
from server.database import Database


@dataclass(frozen=True)
class State:
    """What was found. `broken_at`: the first entry that does not follow. `noted`: whether the chain still has
    the link that was noted elsewhere; None when none was given. `problems`: deletions that do not agree."""

    entries: int
    first: int
    last: int
    head: bytes
    broken_at: int | None
    noted: bool | None
    problems: int


def look(database: Database, practice_id: bytes, *, noted: bytes | None, now: int, actor: str) -> State:
    """Follow the whole chain, and compare what it says of deletions; that it was looked at is in it."""
    with database.write() as connection:
        # First, and in a transaction of its own: following a long chain holds up nobody who writes.
        audit.write(
            connection,
            Act.AUDIT_FETCHED,
            now=now,
            actor=actor,
            subject="verification",
            practice_id=practice_id,
        )
    with database.read() as connection:
        found = audit.verify(connection)
        problems = audit_log.check_deletions(connection)
        held = None if noted is None else audit_log.holds(connection, noted)
    return State(found.entries, found.first, found.last, found.head, found.broken_at, held, len(problems))
