"""People who sign in, and who they are in their practice. Time is an argument.

Every act is one transaction with its audit entry. What an account can
do follows from its role: an administrator has no clinician, and so neither records, devices nor keys.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from server import audit
from server.accounts_schema import ROLES, Account, Challenge, Passkey, Session
from server.audit import Act
from server.database import Database
from server.errors import RefusedError
from server.practices import find_practice, no_practice
from server.schema import Practice, ServerKey
from server.sign_in import account_name

ADMINISTRATOR: Final = "administrator"
INVITED_FOR_S: Final = 7 * 24 * 3600
TOKEN_BYTES: Final = 32


@dataclass(frozen=True)
class AccountKeys:
    """Keys of this server, the same for all workers, 32 bytes each: none of them opens a record.

    `totp` seals authenticator secrets; `names` makes the answers for names that nobody has.
    """

    totp: bytes
    names: bytes

    @classmethod
    def of(cls, database: Database) -> AccountKeys:
        """The keys in the database; made at first use."""
        return cls(server_key(database, "totp"), server_key(database, "names"))


@dataclass(frozen=True)
class AccountRow:
    """An account as stored; times in Unix seconds."""

    account_id: bytes
    practice_id: bytes
    clinician_id: bytes | None
    name: str
    role: str
    state: str
    created_at: int
    setup_hash: bytes | None
    setup_expires_at: int | None
    kdf: bytes | None
    verifier: bytes | None
    recovery_verifier: bytes | None
    totp: bytes | None
    totp_step: int
    failures: int
    locked_until: int
    factor_reset_at: int | None
    email: str | None

    @property
    def actor(self) -> str:
        """How the audit log names them."""
        return f"account:{self.account_id.hex()}"


_ACCOUNT: Final = select(
    Account.id,
    Account.practice_id,
    Account.clinician_id,
    Account.name,
    Account.role,
    Account.state,
    Account.created_at,
    Account.setup_hash,
    Account.setup_expires_at,
    Account.kdf,
    Account.verifier,
    Account.recovery_verifier,
    Account.totp,
    Account.totp_step,
    Account.failures,
    Account.locked_until,
    Account.factor_reset_at,
    Account.email,
)


def server_key(database: Database, name: str) -> bytes:
    """A key that all workers share, 32 bytes; of workers that make it at once, one's is kept."""
    wanted = select(ServerKey.value).where(ServerKey.name == name)
    with database.read() as connection:
        found = connection.execute(wanted).scalar_one_or_none()
    if found is None:
        try:
            with database.write() as connection:
                connection.execute(insert(ServerKey).values(name=name, value=secrets.token_bytes(32)))
        except IntegrityError:
            pass  # another worker was first
        with database.read() as connection:
            found = connection.execute(wanted).scalar_one()
    return bytes(found)


def find_account(connection: Connection, where: Any, *, hold: bool = False) -> AccountRow | None:
    """The one account of which this holds; `hold`: nobody else changes it until the transaction ends."""
    wanted = _ACCOUNT.where(where)
    found: Any = connection.execute(wanted.with_for_update() if hold else wanted)
    row = found.one_or_none()
    return None if row is None else AccountRow(*row)


def accounts_of(connection: Connection, practice_id: bytes) -> list[AccountRow]:
    """A practice's accounts, oldest first."""
    wanted = _ACCOUNT.where(Account.practice_id == practice_id).order_by(Account.created_at, Account.id)
    rows: Any = connection.execute(wanted)
    return [AccountRow(*row) for row in rows]


def reader_closed(database: Database, clinician_id: bytes) -> bool:
    """Whether this clinician's account was closed: their identity key then signs no calls either."""
    theirs = select(Account.state).where(Account.clinician_id == clinician_id)
    with database.read() as connection:
        return connection.execute(theirs).scalar_one_or_none() == "closed"


def invite_account(
    database: Database,
    practice_id: bytes,
    *,
    name: str,
    role: str,
    token: bytes,
    now: int,
    actor: str,
    email: str | None = None,
) -> AccountRow:
    """Add an account that is yet to be set up by whoever has the token (32 fresh bytes; 7 days).

    Raises RefusedError: 400 for what cannot be a name, role or e-mail address, 404 `practice`, 409 `name`.
    """
    spelt = account_name(name)
    if spelt is None:
        raise RefusedError(
            400, "body", "A name to sign in with has letters, digits and . _ @ + - alone, 1 to 100 of them."
        )
    if role not in ROLES:
        raise RefusedError(400, "body", f"A role is one of: {', '.join(ROLES)}.")
    if email is not None and not _is_address(email):
        raise RefusedError(400, "body", "This is not an e-mail address.")
    account_id = secrets.token_bytes(16)
    try:
        with database.write() as connection:
            if find_practice(connection, practice_id) is None:
                raise no_practice()
            connection.execute(
                insert(Account).values(
                    id=account_id,
                    practice_id=practice_id,
                    name=spelt,
                    role=role,
                    state="invited",
                    created_at=now,
                    setup_hash=hashlib.sha256(token).digest(),
                    setup_expires_at=now + INVITED_FOR_S,
                    totp_step=0,
                    failures=0,
                    locked_until=0,
                    email=email,
                    zone="UTC",
                )
            )
            _tell(connection, Act.ACCOUNT_ADDED, practice_id, account_id, actor, now, f" {role}")
            made = find_account(connection, Account.id == account_id)
    except IntegrityError as error:
        raise RefusedError(
            409, "name", "Someone signs in with this name already.", "Choose another name."
        ) from error
    assert made is not None  # noqa: S101
    return made


def renew_invitation(
    database: Database, practice_id: bytes, account_id: bytes, *, token: bytes, now: int, actor: str
) -> AccountRow:
    """Give an invited account a new token; the old one is void. Raises RefusedError 404, 409 `set_up`."""
    with database.write() as connection:
        account = _theirs(connection, practice_id, account_id)
        if account.state != "invited":
            raise RefusedError(
                409, "set_up", "This account is set up, or closed.", "Close it and invite the person anew."
            )
        values = {
            "setup_hash": hashlib.sha256(token).digest(),
            "setup_expires_at": now + INVITED_FOR_S,
            "totp": None,
        }
        connection.execute(update(Account).where(Account.id == account_id).values(**values))
        _tell(connection, Act.ACCOUNT_CHANGED, practice_id, account_id, actor, now, " invited")
        changed = find_account(connection, Account.id == account_id)
    assert changed is not None  # noqa: S101
    return changed


def close_account(
    database: Database, practice_id: bytes, account_id: bytes, *, now: int, actor: str, last: bool = False
) -> AccountRow:
    """Close an account for good: its sessions, passkeys and secrets are gone at once, its name is free again.

    `last`: also the practice's only administrator, which only the server's machine may do.
    Raises RefusedError 404, 409 `last_administrator`. Closing it again changes nothing.
    """
    with database.write() as connection:
        # Held first, so that of two administrators who close each other one stays.
        connection.execute(select(Practice.id).where(Practice.id == practice_id).with_for_update()).all()
        account = _theirs(connection, practice_id, account_id)
        if account.state == "closed":
            return account
        if account.role == ADMINISTRATOR and account.state == "active" and not last:
            others = (Account.practice_id == practice_id) & (Account.role == ADMINISTRATOR)
            others &= (Account.state == "active") & (Account.id != account_id)
            if connection.execute(select(Account.id).where(others).limit(1)).first() is None:
                raise RefusedError(
                    409,
                    "last_administrator",
                    "This is the practice's only administrator.",
                    "Invite another one first.",
                )
        for table in (Session, Passkey, Challenge):
            connection.execute(delete(table).where(table.account_id == account_id))
        connection.execute(
            update(Account)
            .where(Account.id == account_id)
            .values(
                state="closed",
                # Unique among accounts, and no name that can be typed, since it holds a space.
                name=f"{account.name} {account_id.hex()}",
                setup_hash=None,
                setup_expires_at=None,
                kdf=None,
                verifier=None,
                recovery_verifier=None,
                totp=None,
                factor_reset_at=None,
                notice_waiting_since=None,
                email=None,
            )
        )
        _tell(connection, Act.ACCOUNT_CLOSED, practice_id, account_id, actor, now)
        closed = find_account(connection, Account.id == account_id)
    assert closed is not None  # noqa: S101
    return closed


def _theirs(connection: Connection, practice_id: bytes, account_id: bytes) -> AccountRow:
    wanted = (Account.id == account_id) & (Account.practice_id == practice_id)
    account = find_account(connection, wanted, hold=True)
    if account is None:
        raise RefusedError(404, "account", "There is no such account.", "See GET /v1/practice/accounts.")
    return account


def _tell(
    connection: Connection,
    act: Act,
    practice_id: bytes,
    account_id: bytes,
    actor: str,
    now: int,
    more: str = "",
) -> None:
    subject = f"account:{account_id.hex()}{more}"
    audit.write(connection, act, now=now, actor=actor, subject=subject, practice_id=practice_id)


def _is_address(text: str) -> bool:
    """Shape alone: one @, no spaces or controls, of a length that mail allows (RFC 5321 section 4.5.3.1)."""
    local, at, domain = text.rpartition("@")
    plain = text.isprintable() and not set(text) & set(' <>(),;:"\\')
    return bool(local and at and domain and plain and "@" not in local and len(text) <= 254)
