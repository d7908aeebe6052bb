"""Calls of a browser in which nobody is signed in yet: sign in, set up, recover (docs/account_calls.md).

Each is taken from our own page alone, and throttled by address besides what is counted for the account.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import account_recovery as recovery
from server.account_api import account_document, check_salt, fresh_session, need_text, shown_once
from server.account_set_up import Reader, Secrets, begin_set_up, checked_parameters, finish_set_up
from server.accounts import AccountRow, find_account
from server.accounts_schema import Account
from server.answers import iso
from server.attempts import Attempt, Proofs, begin_attempt, prove, refused_sign_in
from server.audit import Act
from server.auth import Call, receive, require_own_page
from server.deletion import scrub
from server.errors import RefusedError
from server.key_shapes import FirstKeys, parse_first_keys
from server.limits import throttle
from server.passkeys import CHALLENGE_BYTES, Asserted, Site, sign_in_by_passkey, sign_in_options
from server.practices import find_practice
from server.second_factor import NONCE_BYTES
from server.second_factor import SECRET_BYTES as TOTP_BYTES
from server.sessions import NewSession, cookie_for, end_session, find_session, hash_of, token_in
from server.sign_in import SECRET_BYTES, account_name, make_verifier, unknown_parameters
from voice.wire.encoding import b64url
from voice.wire.errors import FrameError

router = APIRouter(prefix="/v1", dependencies=[Depends(throttle)])

MOST_NAME_TYPED: Final = 400


@router.post("/sign-in/start")
async def start(request: Request) -> JSONResponse:
    """The parameters of a name's passphrase; for a name that nobody has, ones that look the same."""
    return await run_in_threadpool(_start, await receive(request))


@router.post("/sign-in/passphrase")
async def by_passphrase(request: Request) -> JSONResponse:
    """Sign in with what the passphrase became, and a code, together."""
    return await run_in_threadpool(_by_passphrase, await receive(request))


@router.post("/sign-in/passkey/start")
async def passkey_start(request: Request) -> JSONResponse:
    """The question that a passkey answers, once."""
    return await run_in_threadpool(_passkey_start, await receive(request))


@router.post("/sign-in/passkey")
async def by_passkey(request: Request) -> JSONResponse:
    """Sign in with a passkey that verified its person."""
    return await run_in_threadpool(_by_passkey, await receive(request))


@router.post("/set-up/start")
async def set_up_start(request: Request) -> JSONResponse:
    """What an invited person is invited to, and the secret for their authenticator."""
    return await run_in_threadpool(_set_up_start, await receive(request))


@router.post("/set-up/finish")
async def set_up_finish(request: Request) -> JSONResponse:
    """Take the invited person's secrets, make the account active, sign in."""
    return await run_in_threadpool(_set_up_finish, await receive(request))


@router.post("/recovery/passphrase")
async def recover_passphrase(request: Request) -> JSONResponse:
    """A lost passphrase: a new one, by recovery code and second factor."""
    return await run_in_threadpool(_recover_passphrase, await receive(request))


@router.post("/recovery/factor")
async def ask_factor(request: Request) -> JSONResponse:
    """A lost second factor: ask, by passphrase and recovery code, and wait a day."""
    return await run_in_threadpool(_ask_factor, await receive(request))


@router.post("/recovery/factor/start")
async def recover_factor_start(request: Request) -> JSONResponse:
    """After the day: the secret for a new authenticator."""
    return await run_in_threadpool(_recover_factor_start, await receive(request))


@router.post("/recovery/factor/finish")
async def recover_factor_finish(request: Request) -> JSONResponse:
    """Take the new authenticator by its first code; sign in."""
    return await run_in_threadpool(_recover_factor_finish, await receive(request))


def _start(call: Call) -> JSONResponse:
    require_own_page(call)
    typed = need_text(call.fields("name")["name"], "name", MOST_NAME_TYPED)
    name = account_name(typed)
    made_up = unknown_parameters(call.context.account_keys.names, name or typed)
    with call.store.database.read() as connection:
        account = find_account(connection, Account.name == (name or ""))
    if account is None or account.state != "active" or account.kdf is None:
        return JSONResponse({"kdf": made_up.text})
    return JSONResponse({"kdf": account.kdf.decode("ascii")})


def _by_passphrase(call: Call) -> JSONResponse:
    require_own_page(call)
    fields = call.fields("name", "secret", "code")
    proofs = Proofs(passphrase=call.octets(fields, "secret", SECRET_BYTES), code=fields["code"])
    session = fresh_session(call)

    def then(connection: Connection, account: AccountRow) -> None:
        recovery.signed_in(connection, account, session, factor="totp", now=call.now)

    _proved(call, fields["name"], proofs, then)
    return _signed_in(call, session)


def _passkey_start(call: Call) -> JSONResponse:
    require_own_page(call)
    call.fields()
    site = Site.of(call.context.settings.public_url)
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    options = sign_in_options(call.store.database, site, challenge, now=call.now)
    return JSONResponse({"options": options})


def _by_passkey(call: Call) -> JSONResponse:
    require_own_page(call)
    site = Site.of(call.context.settings.public_url)
    names = ("credential", "client_data", "authenticator_data", "signature", "user_handle")
    fields = call.fields(*names)
    shown = Asserted(*(call.octets(fields, name) for name in names))
    session = fresh_session(call)
    sign_in_by_passkey(call.store.database, site, shown, session, now=call.now)
    return _signed_in(call, session)


def _set_up_start(call: Call) -> JSONResponse:
    require_own_page(call)
    token = call.octets(call.fields("token"), "token")
    totp = secrets.token_bytes(TOTP_BYTES)
    database = call.store.database
    account = begin_set_up(
        database,
        call.context.account_keys,
        token,
        totp=totp,
        nonce=secrets.token_bytes(NONCE_BYTES),
        now=call.now,
    )
    with database.read() as connection:
        practice = find_practice(connection, account.practice_id)
    assert practice is not None  # noqa: S101 (a foreign key holds this)
    answer = {"name": account.name, "role": account.role, "practice": practice.name}
    return JSONResponse({**answer, **shown_once(totp, account.name)})


def _set_up_finish(call: Call) -> JSONResponse:
    require_own_page(call)
    names = ("token", "kdf", "secret", "recovery", "code")
    texts, keys = _first_keys(call)
    as_reader = keys is not None or b'"statement"' in texts.body
    fields = texts.fields(*names, *(("statement", "proof") if as_reader else ()))
    chosen = Secrets(
        fields["kdf"],
        call.octets(fields, "secret", SECRET_BYTES),
        call.octets(fields, "recovery", SECRET_BYTES),
    )
    reader = None
    if as_reader:
        reader = Reader(call.octets(fields, "statement"), call.octets(fields, "proof"), keys)
    session = fresh_session(call)
    finish_set_up(
        call.store.database,
        call.context.account_keys,
        call.octets(fields, "token"),
        chosen,
        fields["code"],
        reader,
        salts=(check_salt(), check_salt()),
        session=session,
        now=call.now,
    )
    return _signed_in(call, session, 201)


def _recover_passphrase(call: Call) -> JSONResponse:
    require_own_page(call)
    fields = call.fields("name", "recovery", "code", "kdf", "new_secret")
    proofs = Proofs(recovery=call.octets(fields, "recovery", SECRET_BYTES), code=fields["code"])
    kdf = checked_parameters(fields["kdf"])
    verifier = make_verifier(call.octets(fields, "new_secret", SECRET_BYTES), check_salt())
    session = fresh_session(call)

    def then(connection: Connection, account: AccountRow) -> None:
        recovery.change_passphrase(
            connection, account, kdf, verifier, keep=b"", act=Act.RECOVERED, now=call.now
        )
        recovery.signed_in(connection, account, session, factor="totp", now=call.now)

    _proved(call, fields["name"], proofs, then)
    return _signed_in(call, session)


def _ask_factor(call: Call) -> JSONResponse:
    require_own_page(call)
    name, proofs = _both_secrets(call, call.fields("name", "secret", "recovery"))
    ready: list[int] = []

    def then(connection: Connection, account: AccountRow) -> None:
        ready.append(recovery.ask_reset(connection, account, now=call.now))

    _proved(call, name, proofs, then)
    return JSONResponse({"ready_at": iso(ready[0])}, 202)


def _recover_factor_start(call: Call) -> JSONResponse:
    require_own_page(call)
    name, proofs = _both_secrets(call, call.fields("name", "secret", "recovery"))
    token, totp = secrets.token_bytes(32), secrets.token_bytes(TOTP_BYTES)
    names: list[str] = []

    def then(connection: Connection, account: AccountRow) -> None:
        recovery.need_reset_open(account, call.now)
        recovery.begin_factor(
            connection,
            call.context.account_keys,
            account,
            token=token,
            totp=totp,
            nonce=secrets.token_bytes(NONCE_BYTES),
            now=call.now,
        )
        names.append(account.name)

    _proved(call, name, proofs, then)
    return JSONResponse({"token": b64url(token), **shown_once(totp, names[0])})


def _recover_factor_finish(call: Call) -> JSONResponse:
    require_own_page(call)
    fields = call.fields("token", "name", "secret", "recovery", "code")
    name, proofs = _both_secrets(call, fields)
    token = call.octets(fields, "token")
    session = fresh_session(call)

    def then(connection: Connection, account: AccountRow) -> None:
        recovery.need_reset_open(account, call.now)
        recovery.finish_factor(
            connection,
            call.context.account_keys,
            account,
            token=token,
            code=fields["code"],
            lost=True,
            keep=b"",
            now=call.now,
        )
        with_new = find_account(connection, Account.id == account.account_id)
        assert with_new is not None  # noqa: S101
        recovery.signed_in(connection, with_new, session, factor="totp", now=call.now)

    _proved(call, name, proofs, then)
    scrub(call.store.database)
    return _signed_in(call, session)


def _first_keys(call: Call) -> tuple[Call, FirstKeys | None]:
    """The call with a body of texts alone, and the keys beside them. Raises RefusedError 400 `keys`."""
    try:
        document = json.loads(call.body)
    except (ValueError, RecursionError):
        return call, None
    if not isinstance(document, dict) or "keys" not in document:
        return call, None
    try:
        keys = parse_first_keys(document.pop("keys"))
    except FrameError as error:
        raise RefusedError(400, "keys", f"The keys are not of their shape: {error}.") from error
    return replace(call, body=json.dumps(document).encode()), keys


def _both_secrets(call: Call, fields: dict[str, str]) -> tuple[str, Proofs]:
    passphrase = call.octets(fields, "secret", SECRET_BYTES)
    return fields["name"], Proofs(passphrase, call.octets(fields, "recovery", SECRET_BYTES))


def _proved(call: Call, name: str, proofs: Proofs, then: Callable[[Connection, AccountRow], None]) -> None:
    database, keys = call.store.database, call.context.account_keys
    attempt: Attempt = begin_attempt(database, keys, need_text(name, "name", MOST_NAME_TYPED), now=call.now)
    prove(database, keys, attempt, proofs, then, now=call.now)


def _signed_in(call: Call, session: NewSession, status: int = 200) -> JSONResponse:
    """The account, with its new cookie; the session that this browser came with, if any, is over."""
    database = call.store.database
    old = token_in(call.headers.getlist("cookie"))
    if old is not None:
        with database.write() as connection:
            end_session(connection, hash_of(old))
    found = find_session(database, session.token, now=call.now)
    if found is None:  # closed in between
        raise refused_sign_in()
    document = account_document(call, found)
    return JSONResponse(document, status, headers={"Set-Cookie": cookie_for(session.token)})
