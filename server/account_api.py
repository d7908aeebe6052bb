"""Calls of somebody who is signed in, about their own account (docs/account_calls.md)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import account_recovery as recovery
from server import audit
from server.account_set_up import checked_parameters
from server.accounts import AccountRow, find_account
from server.accounts_schema import Account
from server.answers import iso
from server.attempts import Proofs, begin_attempt, prove
from server.audit import Act
from server.auth import Call, receive, require_account
from server.errors import RefusedError
from server.passkey_slots import unlocking
from server.passkeys import (
    CHALLENGE_BYTES,
    Created,
    PasskeyRow,
    Site,
    add_passkey,
    passkeys_of,
    registration_options,
    remove_passkey,
)
from server.practices import find_practice
from server.second_factor import NONCE_BYTES, enrolment_uri
from server.second_factor import SECRET_BYTES as TOTP_BYTES
from server.sessions import NewSession, SignedIn, end_session, end_sessions, no_cookie
from server.sign_in import SALT_BYTES, SECRET_BYTES, make_verifier
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError

router = APIRouter(prefix="/v1")

ISSUER: Final = "Onebreath"


@router.get("/account")
async def me(request: Request) -> JSONResponse:
    """Who is signed in."""
    return await run_in_threadpool(_me, await receive(request))


@router.post("/sign-out")
async def sign_out(request: Request) -> JSONResponse:
    """End this session."""
    return await run_in_threadpool(_sign_out, await receive(request))


@router.post("/sign-out/everywhere")
async def sign_out_everywhere(request: Request) -> JSONResponse:
    """End all of the account's sessions."""
    return await run_in_threadpool(_sign_out_everywhere, await receive(request))


@router.put("/account/passphrase")
async def passphrase(request: Request) -> JSONResponse:
    """A new passphrase, by the old one."""
    return await run_in_threadpool(_passphrase, await receive(request), "secret")


@router.put("/account/passphrase/recovered")
async def passphrase_recovered(request: Request) -> JSONResponse:
    """A new passphrase, by the recovery code, after a recent sign-in with the second factor."""
    return await run_in_threadpool(_passphrase, await receive(request), "recovery")


@router.put("/account/recovery")
async def recovery_code(request: Request) -> JSONResponse:
    """The secret of a newly printed recovery code, by the passphrase."""
    return await run_in_threadpool(_recovery, await receive(request))


@router.post("/account/factor/start")
async def factor_start(request: Request) -> JSONResponse:
    """The secret for a new authenticator."""
    return await run_in_threadpool(_factor_start, await receive(request))


@router.post("/account/factor/finish")
async def factor_finish(request: Request) -> JSONResponse:
    """Take the new authenticator, by its first code and the passphrase."""
    return await run_in_threadpool(_factor_finish, await receive(request))


@router.delete("/account/factor-reset")
async def cancel_reset(request: Request) -> JSONResponse:
    """Nothing is lost: end a reset of the second factor that somebody asked for."""
    return await run_in_threadpool(_cancel_reset, await receive(request))


@router.get("/account/passkeys")
async def passkeys(request: Request) -> JSONResponse:
    """The account's passkeys."""
    return await run_in_threadpool(_passkeys, await receive(request))


@router.post("/account/passkeys/start")
async def passkey_start(request: Request) -> JSONResponse:
    """What the browser makes a passkey from."""
    return await run_in_threadpool(_passkey_start, await receive(request))


@router.post("/account/passkeys")
async def passkey_add(request: Request) -> JSONResponse:
    """Keep a passkey that the browser made."""
    return await run_in_threadpool(_passkey_add, await receive(request))


@router.delete("/account/passkeys/{credential}")
async def passkey_remove(credential: str, request: Request) -> JSONResponse:
    """Remove a passkey."""
    return await run_in_threadpool(_passkey_remove, await receive(request), credential)


def account_document(call: Call, signed_in: SignedIn) -> dict[str, Any]:
    """What a page knows of who is signed in."""
    with call.store.database.read() as connection:
        practice = find_practice(connection, signed_in.practice_id)
        account = find_account(connection, Account.id == signed_in.account_id)
    assert practice is not None  # noqa: S101 (foreign keys hold this)
    assert account is not None  # noqa: S101
    clinician_id = signed_in.clinician_id
    return {
        "account": signed_in.account_id.hex(),
        "name": signed_in.name,
        "role": signed_in.role,
        "clinician": None if clinician_id is None else clinician_id.hex(),
        "practice": {"practice": practice.practice_id.hex(), "name": practice.name},
        "factor": signed_in.factor,
        "signed_in_at": iso(signed_in.signed_in_at),
        "ends_at": iso(signed_in.expires_at),
        "idle_s": call.context.settings.session_idle_minutes * 60,
        "factor_reset_at": None if account.factor_reset_at is None else iso(account.factor_reset_at),
        "server_time": iso(call.now),
    }


def fresh_session(call: Call) -> NewSession:
    """A session with a new token, of the length that the settings say."""
    return NewSession(secrets.token_bytes(32), call.context.settings.session_absolute_minutes * 60)


def check_salt() -> bytes:
    """A fresh salt for a verifier."""
    return secrets.token_bytes(SALT_BYTES)


def shown_once(totp: bytes, name: str) -> dict[str, str]:
    """How an authenticator app takes its secret: by the page's QR code of this address."""
    return {"otpauth": enrolment_uri(totp, name, ISSUER)}


def need_text(text: str, field: str, most: int) -> str:
    """A text of at most so many characters. Raises RefusedError 400."""
    if len(text) > most:
        raise RefusedError(400, "body", f"{field}: at most {most} characters.")
    return text


def require_recent(call: Call) -> SignedIn:
    """Who signed in within the last ten minutes. Raises RefusedError: 401 `session`, 403 `recent`."""
    signed_in = require_account(call, writes=True)
    if not signed_in.recent(call.now):
        raise RefusedError(
            403, "recent", "This needs a sign-in of the last ten minutes.", "Sign in again, then repeat it."
        )
    return signed_in


def _me(call: Call) -> JSONResponse:
    return JSONResponse(account_document(call, require_account(call)))


def _sign_out(call: Call) -> JSONResponse:
    signed_in = require_account(call, writes=True)
    with call.store.database.write() as connection:
        end_session(connection, signed_in.token_hash)
        _tell(connection, Act.SIGNED_OUT, signed_in, call.now)
    return _gone({"ended": 1})


def _sign_out_everywhere(call: Call) -> JSONResponse:
    signed_in = require_account(call, writes=True)
    with call.store.database.write() as connection:
        ended = end_sessions(connection, signed_in.account_id)
        _tell(connection, Act.SIGNED_OUT, signed_in, call.now, "everywhere")
    return _gone({"ended": ended})


def _passphrase(call: Call, by: str) -> JSONResponse:
    signed_in = require_account(call, writes=True) if by == "secret" else require_recent(call)
    fields = call.fields(by, "kdf", "new_secret")
    shown = call.octets(fields, by, SECRET_BYTES)
    proofs = Proofs(passphrase=shown) if by == "secret" else Proofs(recovery=shown)
    kdf = checked_parameters(fields["kdf"])
    verifier = make_verifier(call.octets(fields, "new_secret", SECRET_BYTES), check_salt())
    act = Act.PASSPHRASE_CHANGED if by == "secret" else Act.RECOVERED

    def then(connection: Connection, account: AccountRow) -> None:
        recovery.change_passphrase(
            connection, account, kdf, verifier, keep=signed_in.token_hash, act=act, now=call.now
        )

    _proved(call, signed_in, proofs, then)
    return _me(call)


def _recovery(call: Call) -> JSONResponse:
    signed_in = require_recent(call)
    fields = call.fields("secret", "recovery")
    verifier = make_verifier(call.octets(fields, "recovery", SECRET_BYTES), check_salt())

    def then(connection: Connection, account: AccountRow) -> None:
        recovery.change_recovery(connection, account, verifier, now=call.now)

    _proved(call, signed_in, Proofs(passphrase=call.octets(fields, "secret", SECRET_BYTES)), then)
    return _me(call)


def _factor_start(call: Call) -> JSONResponse:
    signed_in = require_recent(call)
    call.fields()
    token, totp = secrets.token_bytes(32), secrets.token_bytes(TOTP_BYTES)
    with call.store.database.write() as connection:
        recovery.begin_factor(
            connection,
            call.context.account_keys,
            _held(connection, signed_in),
            token=token,
            totp=totp,
            nonce=secrets.token_bytes(NONCE_BYTES),
            now=call.now,
        )
    return JSONResponse({"token": b64url(token), **shown_once(totp, signed_in.name)})


def _factor_finish(call: Call) -> JSONResponse:
    signed_in = require_recent(call)
    fields = call.fields("token", "secret", "code")
    token = call.octets(fields, "token")

    def then(connection: Connection, account: AccountRow) -> None:
        recovery.finish_factor(
            connection,
            call.context.account_keys,
            account,
            token=token,
            code=fields["code"],
            lost=False,
            keep=signed_in.token_hash,
            now=call.now,
        )

    _proved(call, signed_in, Proofs(passphrase=call.octets(fields, "secret", SECRET_BYTES)), then)
    return _me(call)


def _cancel_reset(call: Call) -> JSONResponse:
    signed_in = require_account(call, writes=True)
    recovery.cancel_for(call.store.database, signed_in.account_id, now=call.now)
    return _me(call)


def _passkeys(call: Call) -> JSONResponse:
    signed_in = require_account(call)
    with call.store.database.read() as connection:
        found = passkeys_of(connection, signed_in.account_id)
        opens = unlocking(connection, signed_in.clinician_id)
    return JSONResponse({"passkeys": [_passkey(row, row.credential_id in opens) for row in found]})


def _passkey_start(call: Call) -> JSONResponse:
    signed_in = require_recent(call)
    call.fields()
    site = Site.of(call.context.settings.public_url)
    with call.store.database.read() as connection:
        account = find_account(connection, Account.id == signed_in.account_id)
    assert account is not None  # noqa: S101
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    options = registration_options(call.store.database, site, account, ISSUER, challenge, now=call.now)
    return JSONResponse({"options": options})


def _passkey_add(call: Call) -> JSONResponse:
    signed_in = require_recent(call)
    site = Site.of(call.context.settings.public_url)
    fields = call.fields("credential", "client_data", "attestation", "label")
    made = Created(
        call.octets(fields, "credential"),
        call.octets(fields, "client_data"),
        call.octets(fields, "attestation"),
        fields["label"],
    )
    row = add_passkey(call.store.database, site, signed_in.account_id, made, now=call.now)
    return JSONResponse(_passkey(row, False), 201)


def _passkey_remove(call: Call, credential: str) -> JSONResponse:
    signed_in = require_recent(call)
    try:
        credential_id = from_b64url(credential)
    except FrameError:
        credential_id = b""
    remove_passkey(call.store.database, signed_in.account_id, credential_id, now=call.now)
    return _passkeys(call)


def _proved(
    call: Call, signed_in: SignedIn, proofs: Proofs, then: Callable[[Connection, AccountRow], None]
) -> None:
    database, keys = call.store.database, call.context.account_keys
    attempt = begin_attempt(database, keys, signed_in.name, now=call.now)
    prove(database, keys, attempt, proofs, then, now=call.now)


def _held(connection: Connection, signed_in: SignedIn) -> AccountRow:
    account = find_account(connection, Account.id == signed_in.account_id, hold=True)
    assert account is not None  # noqa: S101 (accounts are closed, never deleted)
    return account


def _passkey(row: PasskeyRow, unlocks: bool) -> dict[str, Any]:
    return {
        "credential": b64url(row.credential_id),
        "label": row.label,
        "created_at": iso(row.created_at),
        "used_at": None if row.used_at is None else iso(row.used_at),
        "unlocks": unlocks,
    }


def _gone(document: dict[str, int]) -> JSONResponse:
    return JSONResponse(document, headers={"Set-Cookie": no_cookie()})


def _tell(connection: Connection, act: Act, signed_in: SignedIn, now: int, subject: str = "") -> None:
    audit.write(
        connection,
        act,
        now=now,
        actor=f"account:{signed_in.account_id.hex()}",
        subject=subject,
        practice_id=signed_in.practice_id,
    )
