"""Changing and recovering what one signs in with: never with one secret alone. Time and randomness are given.

| lost | what is shown instead |
|---|---|
| passphrase | recovery code, and the second factor (a code, or a recent sign-in) |
| second factor | passphrase, recovery code, and 24 hours in which a sign-in or an open session cancels it |
| both | nothing: an administrator closes the account and invites a new one, which has none of the old keys |

Each function runs in the transaction of the proof (`attempts.prove`), or in one of its own.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from server import audit
from server.account_set_up import wrong_code
from server.accounts import AccountKeys, AccountRow, find_account
from server.accounts_schema import Account, Challenge, Passkey
from server.audit import Act
from server.database import Database
from server.errors import RefusedError
from server.passkey_slots import end_slots, unlocking
from server.second_factor import open_secret, seal_secret, taken_step
from server.sessions import NewSession, end_sessions, open_session

WAIT_S: Final = 24 * 3600
OPEN_FOR_S: Final = 7 * 24 * 3600
"""How long a reset can be used once it may; then it must be asked for, and waited for, anew."""

PENDING_S: Final = 15 * 60
_PENDING: Final = "factor"


def signed_in(
    connection: Connection, account: AccountRow, session: NewSession, *, factor: str, now: int
) -> None:
    """Open a session. Who has the second factor has not lost it: a reset under way ends here."""
    if account.factor_reset_at is not None:
        cancel_reset(connection, account, now)
    open_session(connection, account.account_id, session, factor=factor, now=now)
    _tell(connection, Act.SIGNED_IN, account, now, factor)


def change_passphrase(
    connection: Connection,
    account: AccountRow,
    kdf: bytes,
    verifier: bytes,
    *,
    keep: bytes,
    act: Act,
    now: int,
) -> None:
    """Put a new passphrase in; every session but the one with the token hash `keep` ends."""
    values = {"kdf": kdf, "verifier": verifier}
    connection.execute(update(Account).where(Account.id == account.account_id).values(**values))
    end_sessions(connection, account.account_id, but=keep)
    _tell(connection, act, account, now, "passphrase")


def change_recovery(connection: Connection, account: AccountRow, verifier: bytes, *, now: int) -> None:
    """Put the secret of a newly printed recovery code in."""
    values = {"recovery_verifier": verifier}
    connection.execute(update(Account).where(Account.id == account.account_id).values(**values))
    _tell(connection, Act.FACTOR_CHANGED, account, now, "recovery")


def ask_reset(connection: Connection, account: AccountRow, *, now: int) -> int:
    """When a lost second factor may be replaced, Unix seconds. Asking again neither hurries nor delays it.

    The account's address is to be noticed: `notice_waiting_since` is set beside `factor_reset_at`.
    """
    if account.factor_reset_at is not None and now < account.factor_reset_at + OPEN_FOR_S:
        return account.factor_reset_at
    ready_at = now + WAIT_S
    waiting = select(Account.notice_waiting_since).where(Account.id == account.account_id)
    since = connection.execute(waiting).scalar_one()
    values = {"factor_reset_at": ready_at, "notice_waiting_since": now if since is None else since}
    connection.execute(update(Account).where(Account.id == account.account_id).values(**values))
    _tell(connection, Act.FACTOR_RESET_ASKED, account, now)
    return ready_at


def cancel_reset(connection: Connection, account: AccountRow, now: int) -> None:
    """End a reset under way."""
    connection.execute(update(Account).where(Account.id == account.account_id).values(factor_reset_at=None))
    _forget_pending(connection, account)
    _tell(connection, Act.FACTOR_CHANGED, account, now, "reset cancelled")


def need_reset_open(account: AccountRow, now: int) -> None:
    """Raise RefusedError 403 `wait` unless the reset was asked for 24 hours ago, and less than 8 days."""
    ready_at = account.factor_reset_at
    if ready_at is None or not ready_at <= now < ready_at + OPEN_FOR_S:
        raise RefusedError(
            403,
            "wait",
            "A lost second factor is replaced 24 hours after that was asked for, and within 7 days.",
            "Ask for it, or wait; any sign-in with the old factor cancels it.",
        )


def begin_factor(
    connection: Connection,
    keys: AccountKeys,
    account: AccountRow,
    *,
    token: bytes,
    totp: bytes,
    nonce: bytes,
    now: int,
) -> None:
    """Keep a fresh authenticator secret (20 bytes) aside, sealed, until its code has been shown."""
    connection.execute(delete(Challenge).where(Challenge.expires_at <= now))
    _forget_pending(connection, account)
    connection.execute(
        insert(Challenge).values(
            token_hash=hashlib.sha256(token).digest(),
            purpose=_PENDING,
            account_id=account.account_id,
            challenge=seal_secret(keys.totp, account.account_id, totp, nonce),
            expires_at=now + PENDING_S,
        )
    )


def finish_factor(
    connection: Connection,
    keys: AccountKeys,
    account: AccountRow,
    *,
    token: bytes,
    code: str,
    lost: bool,
    keep: bytes,
    now: int,
) -> None:
    """Take the new authenticator by its code; every session but `keep` ends.

    `lost`: passkeys go as well, with the key slots that they open.
    Raises RefusedError 400 `code`, 404 `setup`.
    """
    wanted = select(Challenge.challenge).where(
        Challenge.token_hash == hashlib.sha256(token).digest(),
        Challenge.purpose == _PENDING,
        Challenge.account_id == account.account_id,
        Challenge.expires_at > now,
    )
    sealed: Any = connection.execute(wanted.with_for_update()).scalar_one_or_none()
    secret = None if sealed is None else open_secret(keys.totp, account.account_id, sealed)
    if secret is None:
        raise RefusedError(404, "setup", "This change was made, or has expired.", "Begin it again.")
    step = taken_step(secret, code, now=now, last_step=0)
    if step is None:
        raise wrong_code()
    values = {"totp": sealed, "totp_step": step, "factor_reset_at": None}
    connection.execute(update(Account).where(Account.id == account.account_id).values(**values))
    _forget_pending(connection, account)
    if lost:
        connection.execute(delete(Passkey).where(Passkey.account_id == account.account_id))
        end_slots(connection, account.clinician_id, unlocking(connection, account.clinician_id), now=now)
    end_sessions(connection, account.account_id, but=keep)
    _tell(connection, Act.FACTOR_CHANGED, account, now, "totp, lost" if lost else "totp")


def cancel_for(database: Database, account_id: bytes, *, now: int) -> bool:
    """Cancel a reset from an open session; False when none was under way."""
    with database.write() as connection:
        account = find_account(connection, Account.id == account_id, hold=True)
        if account is None or account.factor_reset_at is None:
            return False
        cancel_reset(connection, account, now)
    return True


def _forget_pending(connection: Connection, account: AccountRow) -> None:
    pending = (Challenge.account_id == account.account_id) & (Challenge.purpose == _PENDING)
    connection.execute(delete(Challenge).where(pending))


def _tell(connection: Connection, act: Act, account: AccountRow, now: int, subject: str = "") -> None:
    audit.write(
        connection, act, now=now, actor=account.actor, subject=subject, practice_id=account.practice_id
    )
