"""An invited person makes their own secrets: once, with a token, whose hash alone is kept.

A reader also brings the signed statement of their identity, proves that they hold its key, and may bring
their keys, wrapped, which are kept in the same transaction. Time and randomness are arguments.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from server import audit
from server.accounts import ADMINISTRATOR, AccountKeys, AccountRow, find_account
from server.accounts_schema import Account
from server.audit import Act
from server.database import Database
from server.errors import RefusedError
from server.first_keys import keep_first_keys
from server.key_shapes import FirstKeys
from server.schema import Clinician, ReadingKey
from server.second_factor import open_secret, seal_secret, taken_step
from server.sessions import NewSession, open_session
from server.sign_in import make_verifier
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import Statement, parse_statement
from voice.wire.secrets import parse_parameters, verify_set_up

PATH: Final = "/set-up#"
"""Where the page for setting up is; the token is in the fragment, which no server is sent."""


@dataclass(frozen=True)
class Secrets:
    """What a person chose: the passphrase's parameters as text, and two secrets of 32 bytes."""

    kdf: str
    sign_in: bytes
    recovery: bytes


@dataclass(frozen=True)
class Reader:
    """Who a reader is: a signed statement, the proof that they hold its identity key, their keys, wrapped."""

    statement: bytes
    proof: bytes
    keys: FirstKeys | None = None


def begin_set_up(
    database: Database, keys: AccountKeys, token: bytes, *, totp: bytes, nonce: bytes, now: int
) -> AccountRow:
    """Keep a fresh authenticator secret (20 bytes; `nonce` 12) for who has this token; it replaces any other.

    Raises RefusedError 404 `setup`: no such token, used, or expired, all alike.
    """
    with database.write() as connection:
        account = _invited(connection, token, now)
        sealed = seal_secret(keys.totp, account.account_id, totp, nonce)
        connection.execute(update(Account).where(Account.id == account.account_id).values(totp=sealed))
    return account


def finish_set_up(
    database: Database,
    keys: AccountKeys,
    token: bytes,
    chosen: Secrets,
    code: str,
    reader: Reader | None,
    *,
    salts: tuple[bytes, bytes],
    session: NewSession,
    now: int,
) -> AccountRow:
    """Make the account active and sign it in; of several at once with one token, one wins.

    `salts` are two times 16 fresh bytes, `session` is the one to open. Raises RefusedError: 404
    `setup`, 400 `body`, `code` or `statement`, 409 `clinician` or `keys`; the token then still serves.
    """
    kdf = checked_parameters(chosen.kdf)
    verifier, recovery = make_verifier(chosen.sign_in, salts[0]), make_verifier(chosen.recovery, salts[1])
    try:
        with database.write() as connection:
            account = _invited(connection, token, now)
            secret = account.totp and open_secret(keys.totp, account.account_id, account.totp)
            step = taken_step(secret, code, now=now, last_step=0) if secret else None
            if step is None:
                raise wrong_code()
            clinician_id = _reader(connection, account, token, reader, now)
            values = {
                "state": "active",
                "clinician_id": clinician_id,
                "setup_hash": None,
                "setup_expires_at": None,
                "kdf": kdf,
                "verifier": verifier,
                "recovery_verifier": recovery,
                "totp_step": step,
                "failures": 0,
                "locked_until": 0,
            }
            connection.execute(update(Account).where(Account.id == account.account_id).values(**values))
            open_session(connection, account.account_id, session, factor="totp", now=now)
            for act, subject in ((Act.ACCOUNT_SET_UP, account.actor), (Act.SIGNED_IN, "totp")):
                audit.write(
                    connection,
                    act,
                    now=now,
                    actor=account.actor,
                    subject=subject,
                    practice_id=account.practice_id,
                )
            return account
    except IntegrityError as error:  # two accounts, one clinician, at once
        raise _other_clinician() from error


def checked_parameters(text: str) -> bytes:
    """A passphrase's parameters as they are kept. Raises RefusedError 400.

    The client is who refuses weak ones; asking here too only keeps a faulty client from locking itself out.
    """
    try:
        return parse_parameters(text).text.encode("ascii")
    except (FrameError, SealError) as error:
        raise RefusedError(400, "body", f"kdf: {error}.") from error


def wrong_code() -> RefusedError:
    """The code of a new authenticator does not match: nothing was changed."""
    return RefusedError(
        400,
        "code",
        "This is not the authenticator's code.",
        "Check the clock of your phone; type the next code.",
    )


def _invited(connection: Connection, token: bytes, now: int) -> AccountRow:
    wanted = (Account.setup_hash == hashlib.sha256(token).digest()) & (Account.state == "invited")
    account = find_account(connection, wanted, hold=True)
    if account is None or account.setup_expires_at is None or now >= account.setup_expires_at:
        raise RefusedError(
            404,
            "setup",
            "This link was used, has expired, or never was.",
            "Ask your practice for a new one. Copy it whole.",
        )
    return account


def _reader(
    connection: Connection, account: AccountRow, token: bytes, reader: Reader | None, now: int
) -> bytes | None:
    if (reader is None) != (account.role == ADMINISTRATOR):
        raise RefusedError(
            400, "statement", "A reader states who they are; an administrator, who reads nothing, does not."
        )
    if reader is None:
        return None
    try:
        stated = parse_statement(reader.statement)
        verify_set_up(stated.identity, token, reader.statement, reader.proof)
    except (FrameError, SealError) as error:
        raise RefusedError(400, "statement", f"The statement does not hold: {error}.") from error
    same: ColumnElement[bool] = Clinician.id == stated.clinician_id
    same |= Clinician.identity == stated.identity.public_bytes_raw()
    wanted = select(Clinician.id, Clinician.identity, Clinician.statement, Clinician.practice_id).where(same)
    known: list[Any] = list(connection.execute(wanted).all())
    if not known:
        _add_clinician(connection, account, stated, reader.statement, now)
    elif [tuple(row) for row in known] != [
        (stated.clinician_id, stated.identity.public_bytes_raw(), reader.statement, account.practice_id)
    ]:
        raise _other_clinician()
    # Who has the identity key is that clinician: what a closed account of theirs held is theirs.
    held = (Account.clinician_id == stated.clinician_id) & (Account.state == "closed")
    connection.execute(update(Account).where(held).values(clinician_id=None))
    if reader.keys is not None:
        if (reader.keys.epoch, reader.keys.statement) != (stated.epoch, reader.statement):
            raise RefusedError(400, "statement", "The keys are not those of the statement.")
        keep_first_keys(connection, stated.clinician_id, account.practice_id, reader.keys, now=now)
    return stated.clinician_id


def _add_clinician(
    connection: Connection, account: AccountRow, stated: Statement, statement: bytes, now: int
) -> None:
    connection.execute(
        insert(Clinician).values(
            id=stated.clinician_id,
            practice_id=account.practice_id,
            identity=stated.identity.public_bytes_raw(),
            statement=statement,
            epoch=stated.epoch,
            created_at=now,
            last_cursor=0,
        )
    )
    connection.execute(
        insert(ReadingKey).values(
            clinician_id=stated.clinician_id, epoch=stated.epoch, statement=statement, created_at=now
        )
    )
    audit.write(
        connection,
        Act.CLINICIAN_ADDED,
        now=now,
        actor=account.actor,
        subject=f"clinician:{stated.clinician_id.hex()}",
        practice_id=account.practice_id,
    )


def _other_clinician() -> RefusedError:
    return RefusedError(
        409,
        "clinician",
        "This identity cannot be this account's: it is known here otherwise.",
        "Make a new identity, or bring the newest statement of this one.",
    )
