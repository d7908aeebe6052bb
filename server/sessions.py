"""Signed-in browsers: a random token in a cookie, its hash here, and when it ends. Time is an argument.

A session ends 15 minutes after its last call, 12 hours after the sign-in, when its account is closed, or when
somebody signs out. What a stolen database holds of it, SHA-256 of 256 random bits, signs nobody in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from server.accounts_schema import Account, Session
from server.database import Database
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError

COOKIE: Final = "__Host-onebreath"
TOKEN_BYTES: Final = 32
IDLE_S: Final = 15 * 60
LONGEST_S: Final = 12 * 3600
RECENT_S: Final = 10 * 60
"""For changing what one signs in with, the sign-in must not be older than this."""

SEEN_EVERY_S: Final = 60
"""A write for every call would cost more than it tells; a session may end this much before its 15 minutes."""

_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"
_SESSION: Final = (
    select(
        Session.token_hash,
        Session.account_id,
        Account.practice_id,
        Account.clinician_id,
        Account.name,
        Account.role,
        Session.factor,
        Session.created_at,
        Session.seen_at,
        Session.expires_at,
    )
    .join(Account, Account.id == Session.account_id)
    .where(Account.state == "active")
)


@dataclass(frozen=True)
class NewSession:
    """A session to be opened: 32 fresh random bytes, and how long it lasts at most."""

    token: bytes
    longest_s: int = LONGEST_S


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in, and how. Times in Unix seconds; `factor` is "totp" or "passkey".

    `clinician_id` is None for an administrator, who reads nothing.
    """

    token_hash: bytes
    account_id: bytes
    practice_id: bytes
    clinician_id: bytes | None
    name: str
    role: str
    factor: str
    signed_in_at: int
    seen_at: int
    expires_at: int

    def recent(self, now: int) -> bool:
        """Whether the factor was shown lately enough for changing factors."""
        return 0 <= now - self.signed_in_at <= RECENT_S

    def over(self, now: int, idle_s: int) -> bool:
        """Whether it has ended."""
        return now >= self.expires_at or now - self.seen_at >= idle_s


def hash_of(token: bytes) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token).digest()


def open_session(
    connection: Connection, account_id: bytes, session: NewSession, *, factor: str, now: int
) -> None:
    """Begin a session; forget those that have ended."""
    connection.execute(delete(Session).where(Session.expires_at <= now))
    connection.execute(
        insert(Session).values(
            token_hash=hash_of(session.token),
            account_id=account_id,
            factor=factor,
            created_at=now,
            seen_at=now,
            expires_at=now + session.longest_s,
        )
    )


def find_session(database: Database, token: bytes, *, now: int, idle_s: int = IDLE_S) -> SignedIn | None:
    """Whose session this is, if it goes on; notes that it was used."""
    with database.read() as connection:
        row: Any = connection.execute(_SESSION.where(Session.token_hash == hash_of(token))).one_or_none()
    if row is None:
        return None
    found = SignedIn(*row)
    if found.over(now, idle_s):
        return None
    if now - found.seen_at >= SEEN_EVERY_S:
        with database.write() as connection:
            # Only forward: of two calls at once the later one counts.
            mine = (Session.token_hash == found.token_hash) & (Session.seen_at < now)
            connection.execute(update(Session).where(mine).values(seen_at=now))
    return found


def end_session(connection: Connection, token_hash: bytes) -> None:
    """Sign one browser out."""
    connection.execute(delete(Session).where(Session.token_hash == token_hash))


def end_sessions(connection: Connection, account_id: bytes, *, but: bytes = b"") -> int:
    """Sign an account out everywhere, but for the session with this token hash; how many there were."""
    theirs = (Session.account_id == account_id) & (Session.token_hash != but)
    return int(connection.execute(delete(Session).where(theirs)).rowcount)


def cookie_for(token: bytes) -> str:
    """The `Set-Cookie` value: `__Host-` binds it to this host and to https; closing the browser ends it."""
    return f"{COOKIE}={b64url(token)}; {_ATTRIBUTES}"


def no_cookie() -> str:
    """The `Set-Cookie` value that takes it away."""
    return f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0"


def token_in(cookies: list[str]) -> bytes | None:
    """The token in a request's `Cookie` headers; None when there is none, or more than one."""
    found = [
        value.strip()
        for header in cookies
        for name, _, value in (pair.partition("=") for pair in header.split(";"))
        if name.strip() == COOKIE
    ]
    if len(found) != 1:
        return None
    try:
        return from_b64url(found[0], TOKEN_BYTES)
    except FrameError:
        return None
