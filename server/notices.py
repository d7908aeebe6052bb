"""Notices: "you have something to review". When one is due is pure; sending marks it in one transaction.

A notice says only that there is something, and it leaves at the turn of a window of time, not when a record
arrives: its time tells nothing about a client's night. It is marked as sent after the mail server took it. A
crash between the two sends it once more, never not at all.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from email.message import EmailMessage
from typing import Any, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Table, bindparam, case, select

from server import account_recovery, audit
from server.accounts_schema import Account
from server.audit import Act
from server.database import Database
from server.errors import ServerError
from server.mail import MailError, RecipientError, notice
from server.prepared import Prepared
from server.schema import Clinician
from server.turns import turn

LONGEST_WAIT_S: Final = 3600
FIRST_WAIT_S: Final = 60
CHORE: Final = "notices"

_log = logging.getLogger("onebreath.notices")
_accounts: Final = cast(Table, Account.__table__)
_a: Final[Any] = _accounts.c

_MARK: Final = Prepared(
    _accounts.update()
    .where(
        _a.clinician_id == bindparam("clinician"),
        _a.notice_waiting_since.is_(None),
        _a.email.is_not(None),
        _a.state == "active",
    )
    .values(notice_waiting_since=bindparam("since"))
)
"""Touches no row, and so takes no lock, when the account already waits or wants no mail."""

_WAITING: Final = (
    select(
        _a.id,
        _a.practice_id,
        _a.clinician_id,
        _a.email,
        _a.notice_waiting_since,
        _a.noticed_at,
        _a.quiet_from,
        _a.quiet_to,
        _a.zone,
        Clinician.last_cursor,
        _a.factor_reset_at,
    )
    .outerjoin(Clinician, Clinician.id == _a.clinician_id)
    .where(_a.notice_waiting_since.is_not(None), _a.email.is_not(None), _a.state == "active")
    .order_by(_a.notice_waiting_since, _a.id)
)


@dataclass(frozen=True)
class Waiting:
    """An account with something to review. Times are Unix seconds, quiet hours minutes after midnight."""

    account_id: bytes
    practice_id: bytes
    clinician_id: bytes | None
    email: str
    waiting_since: int
    noticed_at: int | None
    quiet_from: int | None
    quiet_to: int | None
    zone: str
    cursor: int | None
    """The newest record that the notice is about; None for an administrator, who has no records."""
    reset_at: int | None = None
    """From when on the second factor can be replaced, where someone asked for that."""

    @property
    def warned(self) -> bool:
        """Whether the owner has been told of a reset under way; true where there is none."""
        return self.reset_at is None or (
            self.noticed_at is not None and self.noticed_at >= self.reset_at - account_recovery.WAIT_S
        )


def mark_waiting(connection: Connection, clinician_id: bytes, now: int) -> None:
    """Note, in the transaction that keeps a record, that its clinician has something to review.

    One statement by a unique index; it changes nothing but the first time.
    """
    _MARK.run(connection, {"clinician": clinician_id, "since": now})


def due(accounts: Iterable[Waiting], now: int, batch_s: int) -> list[Waiting]:
    """Who gets a notice now: not two within `batch_s`, not in quiet hours, not in the record's window.

    That someone asked to replace a second factor is told at once, whatever the hour.
    """
    return [one for one in accounts if not one.warned or (_turned(one, now, batch_s) and not quiet(one, now))]


def quiet(account: Waiting, now: int) -> bool:
    """Whether it is night for an account; from and to the same minute means never."""
    if account.quiet_from is None or account.quiet_to is None or account.quiet_from == account.quiet_to:
        return False
    there = datetime.fromtimestamp(now, _zone(account.zone))
    minute = there.hour * 60 + there.minute
    if account.quiet_from < account.quiet_to:
        return account.quiet_from <= minute < account.quiet_to
    return minute >= account.quiet_from or minute < account.quiet_to


def wait_s(failures: int) -> int:
    """How long to leave the mail server alone after so many failures in a row."""
    return 0 if failures <= 0 else min(FIRST_WAIT_S << min(failures - 1, 10), LONGEST_WAIT_S)


class Notifier:
    """Sends what is due. One worker at a time does it, whichever asks first."""

    def __init__(
        self,
        database: Database,
        send: Callable[[EmailMessage], None],
        *,
        sender: str,
        url: str,
        batch_s: int,
        clock: Callable[[], int],
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._send = send
        self._sender = sender
        self._url = url
        self._batch_s = batch_s
        self._clock = clock
        self._count = count
        self._failures = 0
        self._not_before = 0
        self._refused: dict[bytes, int] = {}

    def run(self) -> int:
        """Send all notices that are due; how many. A mail server that fails is left alone for a while."""
        now = self._clock()
        if self._failures and self._not_before - wait_s(self._failures) <= now < self._not_before:
            return 0
        with turn(self._database, CHORE) as mine:
            return self._round(now) if mine else 0

    def _round(self, now: int) -> int:
        with self._database.read() as connection:
            waiting = [Waiting(*row) for row in connection.execute(_WAITING)]
        sent = 0
        for account in due(waiting, now, self._batch_s):
            refused_at = self._refused.get(account.account_id)
            if refused_at is not None and 0 <= now - refused_at < self._batch_s:
                continue
            message = notice(
                self._sender,
                account.email,
                self._url,
                now=now,
                random=secrets.token_bytes(16),
                reset_at=None if account.warned else account.reset_at,
            )
            try:
                self._send(message)
            except RecipientError:
                # Only this account's; its address may be mended, so it stays waiting.
                self._refused[account.account_id] = now
                self._count("refused")
                _log.warning("a notice was refused for account %s", account.account_id.hex())
                continue
            except (MailError, ServerError) as error:
                self._failures += 1
                self._not_before = now + wait_s(self._failures)
                self._count("failed")
                said = str(error) if isinstance(error, MailError) else type(error).__name__
                _log.warning(
                    "the mail server cannot be used: %s; next try in %d s", said, wait_s(self._failures)
                )
                return sent
            self._failures = 0
            self._refused.pop(account.account_id, None)
            self._sent(account)
            self._count("sent")
            sent += 1
        return sent

    def _sent(self, account: Waiting) -> None:
        """Mark it, with its audit entry. A record that came while the mail went out keeps it waiting."""
        now = self._clock()
        with self._database.write() as connection:
            # Intake holds the clinician's row while it keeps a record: after this line all are counted.
            cursor = connection.execute(
                select(Clinician.last_cursor).where(Clinician.id == account.clinician_id).with_for_update()
            ).scalar_one_or_none()
            more = cursor is not None and account.cursor is not None and cursor > account.cursor
            connection.execute(
                _accounts.update()
                .where(_a.id == account.account_id)
                .values(
                    noticed_at=now,
                    notice_waiting_since=case((bindparam("more"), bindparam("since")), else_=None),
                ),
                {"more": more, "since": now},
            )
            audit.write(
                connection,
                Act.NOTICE_SENT,
                now=now,
                actor=audit.SYSTEM,
                subject=f"account:{account.account_id.hex()}",
                practice_id=account.practice_id,
            )


def _turned(account: Waiting, now: int, batch_s: int) -> bool:
    """A clock that was set back must not silence anyone: a time to come counts as long ago."""
    if account.noticed_at is not None and 0 <= now - account.noticed_at < batch_s:
        return False
    return account.waiting_since > now or account.waiting_since // batch_s < now // batch_s


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
