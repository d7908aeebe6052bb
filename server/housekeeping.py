"""What goes away by itself: records that are too old, and whatever has expired. Times are Unix seconds.

`housekeep` does it all once. `kept` does it every hour while the server runs, by one worker at a time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool

from server import audit, deletion
from server.accounts_schema import Challenge, Session
from server.audit import Act
from server.database import Database
from server.schema import Device, Invitation, ServerKey, UsedNonce

_log = logging.getLogger("onebreath.server")

EVERY_S: Final = 3600
TICK_S: Final = 300
"""How often each worker looks whether it is time."""

INVITATIONS_KEPT_S: Final = 30 * deletion.DAY_S
"""How long after its expiry an invitation that no device used is kept, so that a late device is told why."""

_LEASE: Final = "housekeeping"


@dataclass(frozen=True)
class Report:
    """How much of each went away; `scrubbed`: nothing of it is left in SQLite's write-ahead log."""

    records: int
    nonces: int
    challenges: int
    sessions: int
    invitations: int
    audit_entries: int
    scrubbed: bool


def housekeep(
    database: Database,
    now: int,
    *,
    go_on: Callable[[], bool] = lambda: True,
    thorough: bool = False,
    audit_kept_days: int = audit.KEPT_DAYS,
) -> Report:
    """Remove what is due, each kind in a transaction of its own. `go_on` is asked between batches."""
    records = deletion.expire(database, now=now, go_on=go_on, thorough=thorough)
    expired = []
    for due in (
        delete(UsedNonce).where(UsedNonce.expires_at < now),
        delete(Challenge).where(Challenge.expires_at < now),
        delete(Session).where(Session.expires_at < now),
        delete(Invitation)
        .where(Invitation.expires_at < now - INVITATIONS_KEPT_S)
        .where(~exists().where(Device.pairing_id == Invitation.pairing_id)),
    ):
        with database.write() as connection:
            expired.append(connection.execute(due).rowcount)
    nonces, challenges, sessions, invitations = expired
    entries = prune_audit(database, now, kept_days=audit_kept_days, actor=audit.SYSTEM)
    return Report(records, nonces, challenges, sessions, invitations, entries, deletion.scrub(database))


def prune_audit(database: Database, now: int, *, kept_days: int, actor: str) -> int:
    """Remove audit entries that are older than this; how many. What was removed is itself accounted for."""
    with database.write() as connection:
        removed = audit.prune(connection, before=now - kept_days * deletion.DAY_S)
        if removed:
            subject = f"entries:{removed} kept_days:{kept_days}"
            audit.write(connection, Act.AUDIT_PRUNED, now=now, actor=actor, subject=subject)
    return removed


def take_turn(database: Database, now: int, every_s: int = EVERY_S) -> bool:
    """Whether it is time, and this worker's turn: true for one caller in `every_s`, of all workers.

    A turn far in the future is from a clock that was wrong, and does not count.
    """
    this = ServerKey.name == _LEASE
    following = (now + every_s).to_bytes(8, "big")
    try:
        with database.write() as connection:
            found = connection.execute(select(ServerKey.value).where(this).with_for_update()).scalar()
            if found is None:
                connection.execute(insert(ServerKey).values(name=_LEASE, value=following))
                return True
            due = int.from_bytes(found, "big")
            if now < due <= now + 2 * every_s:
                return False
            connection.execute(update(ServerKey).where(this).values(value=following))
            return True
    except IntegrityError:  # Another worker's first turn came first.
        return False


def turn(database: Database, now: int, go_on: Callable[[], bool], every_s: int = EVERY_S) -> Report | None:
    """Housekeeping, if it is due and this worker's to do."""
    return housekeep(database, now, go_on=go_on) if take_turn(database, now, every_s) else None


@asynccontextmanager
async def kept(
    database: Database,
    clock: Callable[[], int],
    *,
    every_s: int = EVERY_S,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """Housekeeping beside the server, until the block ends; a batch under way is finished first."""
    stopping = threading.Event()

    async def keep() -> None:
        while True:
            try:
                report = await run_in_threadpool(
                    turn, database, clock(), lambda: not stopping.is_set(), every_s
                )
            except Exception as error:
                # The next turn tries again; why this one failed must not end the server.
                _log.error("housekeeping failed: %s", type(error).__name__)
            else:
                if report is not None and report.records:
                    _log.info("housekeeping deleted %d records", report.records)
            await sleep(min(TICK_S, every_s))

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        stopping.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
