"""Practices: their names and policies. Every act is one transaction with its audit entry; time is given."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from server import audit
from server.audit import Act
from server.database import Database
from server.errors import RefusedError
from server.schema import Practice

LONGEST_RETENTION_DAYS: Final = 36_500
ROTATION_DAYS: Final = (1, 366)
MOST_PRACTICE_NAME: Final = 200


@dataclass(frozen=True)
class PracticeRow:
    """A practice as stored. `retention_days` None: records are kept until someone deletes them."""

    practice_id: bytes
    name: str
    created_at: int
    retention_days: int | None
    rotation_days: int


_PRACTICE: Final = select(
    Practice.id, Practice.name, Practice.created_at, Practice.retention_days, Practice.rotation_days
)


def add_practice(database: Database, name: str, *, now: int) -> PracticeRow:
    """Add a practice. An act on the server's machine. Raises RefusedError 400."""
    made = PracticeRow(secrets.token_bytes(16), _practice_name(name), now, None, 30)
    with database.write() as connection:
        connection.execute(
            insert(Practice).values(
                id=made.practice_id,
                name=made.name,
                created_at=now,
                retention_days=made.retention_days,
                rotation_days=made.rotation_days,
            )
        )
        audit.write(
            connection,
            Act.PRACTICE_ADDED,
            now=now,
            actor=audit.SYSTEM,
            subject=f"practice:{made.practice_id.hex()}",
            practice_id=made.practice_id,
        )
    return made


def find_practice(connection: Connection, practice_id: bytes) -> PracticeRow | None:
    """One practice."""
    row: Any = connection.execute(_PRACTICE.where(Practice.id == practice_id)).one_or_none()
    return None if row is None else PracticeRow(*row)


def practices(connection: Connection) -> list[PracticeRow]:
    """All practices, oldest first."""
    wanted = _PRACTICE.order_by(Practice.created_at, Practice.id)
    return [PracticeRow(*row) for row in connection.execute(wanted)]


def set_policy(
    database: Database,
    practice_id: bytes,
    *,
    name: str,
    retention_days: int | None,
    rotation_days: int,
    now: int,
    actor: str,
) -> PracticeRow:
    """Change a practice's name and policies. Raises RefusedError 400, 404."""
    if retention_days is not None and not 1 <= retention_days <= LONGEST_RETENTION_DAYS:
        raise RefusedError(
            400, "body", f"Records are kept for 1 to {LONGEST_RETENTION_DAYS} days, or without end."
        )
    if not ROTATION_DAYS[0] <= rotation_days <= ROTATION_DAYS[1]:
        raise RefusedError(400, "body", f"Reading keys serve {ROTATION_DAYS[0]} to {ROTATION_DAYS[1]} days.")
    values = {
        "name": _practice_name(name),
        "retention_days": retention_days,
        "rotation_days": rotation_days,
    }
    with database.write() as connection:
        changed = connection.execute(update(Practice).where(Practice.id == practice_id).values(**values))
        if changed.rowcount == 0:
            raise no_practice()
        kept = "without end" if retention_days is None else f"{retention_days} days"
        audit.write(
            connection,
            Act.PRACTICE_CHANGED,
            now=now,
            actor=actor,
            subject=f"practice:{practice_id.hex()} kept {kept}, keys {rotation_days} days",
            practice_id=practice_id,
        )
        found = find_practice(connection, practice_id)
    assert found is not None  # noqa: S101
    return found


def no_practice() -> RefusedError:
    """There is no such practice."""
    return RefusedError(404, "practice", "There is no such practice.", "See: onebreath practice list")


def _practice_name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > MOST_PRACTICE_NAME or not name.isprintable():
        raise RefusedError(400, "body", f"A practice's name has 1 to {MOST_PRACTICE_NAME} characters.")
    return name
