"""Tries of secrets and codes: counted before they are checked, one answer for every failure.

A try counts as failed from its beginning, in a transaction of its own, and is forgiven when it succeeds: a
hundred tries at once are a hundred failures, not one. Names that nobody has are counted alike, in rows that
tell nothing of the name, so that neither the answer nor the lock tells whether somebody is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from server import audit
from server.accounts import AccountKeys, AccountRow, find_account
from server.accounts_schema import Account, Challenge
from server.audit import Act
from server.database import Database
from server.errors import RefusedError
from server.second_factor import open_secret, taken_step
from server.sign_in import FORGOTTEN_AFTER_S, LONGEST_LOCK_S, Throttle, account_name, same_secret, unknown_row

_UNKNOWN: Final = "unknown name"
_KEPT_S: Final = FORGOTTEN_AFTER_S + LONGEST_LOCK_S
_NO_SECRET: Final = bytes(20)
T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """One try, counted. `account` None: nobody who can sign in has this name."""

    account: AccountRow | None
    before: Throttle
    after: Throttle


@dataclass(frozen=True)
class Proofs:
    """What is shown of oneself; None: not asked for. Secrets are 32 bytes, the code is as it was typed."""

    passphrase: bytes | None = None
    recovery: bytes | None = None
    code: str | None = None


def begin_attempt(database: Database, keys: AccountKeys, name: str, *, now: int) -> Attempt:
    """Count a try for a name. Raises RefusedError 429 while it is locked; nobody is locked for ever."""
    try:
        return _begin(database, keys, name, now)
    except IntegrityError:  # two first tries of one unknown name at once: its row is here now
        return _begin(database, keys, name, now)


def prove(
    database: Database,
    keys: AccountKeys,
    attempt: Attempt,
    proofs: Proofs,
    then: Callable[[Connection, AccountRow], T],
    *,
    now: int,
) -> T:
    """Check all proofs together; if they hold, do `then` in the transaction that takes the code's step.

    Every failure takes the same work and raises the same RefusedError 401 `sign_in`; what `then` raises is
    passed on. Only a taken code clears earlier failures: a success without one would let its holder guess
    codes without end.
    """
    account = attempt.account
    right = account is not None
    if proofs.passphrase is not None:
        right &= same_secret(account.verifier if account else None, proofs.passphrase)
    if proofs.recovery is not None:
        right &= same_secret(account.recovery_verifier if account else None, proofs.recovery)
    outcome: list[T] = []
    refused = refused_sign_in()
    with database.write() as connection:
        wanted = Account.id == (account.account_id if account else b"")
        held = find_account(connection, wanted, hold=True)
        step = None if proofs.code is None else _step(keys, held, proofs.code, now)
        if (
            account
            and held
            and right
            and _unchanged(account, held)
            and (proofs.code is None or step is not None)
        ):
            _forgive(connection, attempt, held, step)
            # The person is who they say: what `then` refuses is undone alone, and is no failed try.
            try:
                with connection.begin_nested():
                    outcome.append(then(connection, held))
            except RefusedError as error:
                refused = error
        else:
            _tell_failure(connection, attempt, now)
    if not outcome:
        raise refused
    return outcome[0]


def refused_sign_in() -> RefusedError:
    """The one answer to everything that does not sign in."""
    return RefusedError(
        401,
        "sign_in",
        "This does not sign anyone in.",
        "Check name, passphrase and code. A code serves once: wait for the next one.",
    )


def throttled(wait_s: int) -> RefusedError:
    """Too many tries; when to come back."""
    return RefusedError(
        429,
        "throttled",
        "There were too many tries.",
        f"Try again in {wait_s} seconds.",
        headers={"Retry-After": str(wait_s)},
    )


def _begin(database: Database, keys: AccountKeys, name: str, now: int) -> Attempt:
    # No account has the empty name: what cannot be a name is looked for all the same.
    spelt = account_name(name)
    with database.write() as connection:
        account = find_account(connection, Account.name == (spelt or ""), hold=True)
        if account is not None and account.state != "active":
            account = None
        row = unknown_row(keys.names, spelt or name)
        before = _unknown(connection, row, now) if account is None else _known(account)
        wait_s = before.wait_s(now)
        if wait_s:
            raise throttled(wait_s)
        after = before.failed(now)
        if account is None:
            _count_unknown(connection, row, after, now)
        else:
            _count(connection, account.account_id, after)
    return Attempt(account, before, after)


def _known(account: AccountRow) -> Throttle:
    return Throttle(account.failures, account.locked_until)


def _unknown(connection: Connection, row: bytes, now: int) -> Throttle:
    """The count of a name that nobody has; its row is made first, so that those who count take turns."""
    wanted = select(Challenge.challenge).where(Challenge.token_hash == row)
    found = connection.execute(wanted.with_for_update()).scalar_one_or_none()
    if found is not None:
        return Throttle.unpacked(found)
    connection.execute(delete(Challenge).where(Challenge.expires_at <= now))
    fresh = {"challenge": Throttle().packed(), "expires_at": now + _KEPT_S}
    connection.execute(insert(Challenge).values(token_hash=row, purpose=_UNKNOWN, **fresh))
    return Throttle()


def _count(connection: Connection, account_id: bytes, after: Throttle) -> None:
    values = {"failures": after.failures, "locked_until": after.locked_until}
    connection.execute(update(Account).where(Account.id == account_id).values(**values))


def _count_unknown(connection: Connection, row: bytes, after: Throttle, now: int) -> None:
    values = {"challenge": after.packed(), "expires_at": now + _KEPT_S}
    connection.execute(update(Challenge).where(Challenge.token_hash == row).values(**values))


def _step(keys: AccountKeys, account: AccountRow | None, code: str, now: int) -> int | None:
    secret = None
    if account is not None and account.totp is not None:
        secret = open_secret(keys.totp, account.account_id, account.totp)
    last_step = account.totp_step if account is not None else 0
    step = taken_step(secret or _NO_SECRET, code, now=now, last_step=last_step)
    return step if secret is not None else None


def _unchanged(account: AccountRow, held: AccountRow) -> bool:
    """Whether what was checked outside the transaction is still what counts."""
    checked = (account.state, account.verifier, account.recovery_verifier)
    return checked == (held.state, held.verifier, held.recovery_verifier)


def _forgive(connection: Connection, attempt: Attempt, held: AccountRow, step: int | None) -> None:
    if step is not None:
        values = {"failures": 0, "locked_until": 0, "totp_step": step}
        connection.execute(update(Account).where(Account.id == held.account_id).values(**values))
    elif _known(held) == attempt.after:
        _count(connection, held.account_id, attempt.before)
    else:  # others failed meanwhile: their failures, and the lock that they brought, stay
        _count(connection, held.account_id, Throttle(max(held.failures - 1, 0), held.locked_until))


def _tell_failure(connection: Connection, attempt: Attempt, now: int) -> None:
    account = attempt.account
    subject = "unknown name" if account is None else account.actor
    practice_id = None if account is None else account.practice_id
    locked = attempt.after.wait_s(now) > 0
    for act in (Act.SIGN_IN_FAILED, Act.LOCKED) if locked else (Act.SIGN_IN_FAILED,):
        audit.write(connection, act, now=now, actor=audit.SYSTEM, subject=subject, practice_id=practice_id)
