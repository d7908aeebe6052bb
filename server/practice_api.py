"""Calls of a practice's administrator: accounts and policy (docs/account_calls.md); never records."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server.account_roles import change_role
from server.account_set_up import PATH
from server.accounts import (
    ADMINISTRATOR,
    TOKEN_BYTES,
    AccountRow,
    accounts_of,
    close_account,
    invite_account,
    renew_invitation,
)
from server.answers import iso
from server.audit_state import look
from server.auth import Call, receive, require_account
from server.device_api import id_in_path
from server.errors import RefusedError
from server.practices import PracticeRow, find_practice, set_policy
from server.queries import asked
from server.sessions import SignedIn
from voice.wire.encoding import b64url

router = APIRouter(prefix="/v1/practice")


@router.get("")
async def practice(request: Request) -> JSONResponse:
    """The practice of whoever is signed in, with its policies."""
    return await run_in_threadpool(_practice, await receive(request))


@router.put("")
async def policy(request: Request) -> JSONResponse:
    """Change the practice's name and policies."""
    return await run_in_threadpool(_policy, await receive(request))


@router.get("/accounts")
async def accounts(request: Request) -> JSONResponse:
    """Everybody of the practice."""
    return await run_in_threadpool(_accounts, await receive(request))


@router.post("/accounts")
async def invite(request: Request) -> JSONResponse:
    """Invite somebody; the answer holds their one-time link, this once."""
    return await run_in_threadpool(_invite, await receive(request))


@router.post("/accounts/{account}/invitation")
async def invite_again(account: str, request: Request) -> JSONResponse:
    """A new link for somebody who has not set up yet."""
    return await run_in_threadpool(_invite_again, await receive(request), account)


@router.put("/accounts/{account}/role")
async def role(account: str, request: Request) -> JSONResponse:
    """Give somebody another role."""
    return await run_in_threadpool(_role, await receive(request), account)


@router.get("/audit")
async def audit(request: Request) -> JSONResponse:
    """Whether the audit log holds."""
    return await run_in_threadpool(_audit, await receive(request), request.url.query)


@router.delete("/accounts/{account}")
async def close(account: str, request: Request) -> JSONResponse:
    """Close an account for good, at once."""
    return await run_in_threadpool(_close, await receive(request), account)


def _administrator(call: Call, *, writes: bool = False) -> SignedIn:
    return require_account(call, roles=(ADMINISTRATOR,), writes=writes)


def _practice(call: Call) -> JSONResponse:
    signed_in = require_account(call)
    with call.store.database.read() as connection:
        found = find_practice(connection, signed_in.practice_id)
    assert found is not None  # noqa: S101 (a foreign key holds this)
    return JSONResponse(_practice_document(found))


def _policy(call: Call) -> JSONResponse:
    signed_in = _administrator(call, writes=True)
    document = _object(call, ("name", "retention_days", "rotation_days"))
    name, retention, rotation = (document[key] for key in ("name", "retention_days", "rotation_days"))
    whole = type(rotation) is int and (retention is None or type(retention) is int)
    if not isinstance(name, str) or not whole:
        raise RefusedError(400, "body", "name is a text, rotation_days a number, retention_days one or null.")
    changed = set_policy(
        call.store.database,
        signed_in.practice_id,
        name=name,
        retention_days=retention,
        rotation_days=rotation,
        now=call.now,
        actor=_actor(signed_in),
    )
    return JSONResponse(_practice_document(changed))


def _accounts(call: Call) -> JSONResponse:
    signed_in = _administrator(call)
    with call.store.database.read() as connection:
        found = accounts_of(connection, signed_in.practice_id)
    return JSONResponse({"accounts": [_account(row) for row in found]})


def _invite(call: Call) -> JSONResponse:
    signed_in = _administrator(call, writes=True)
    document = _object(call, ("name", "role", "email"))
    name, role, email = (document[key] for key in ("name", "role", "email"))
    if not isinstance(name, str) or not isinstance(role, str) or not isinstance(email, str | None):
        raise RefusedError(400, "body", "name and role are texts, email is one or null.")
    token = secrets.token_bytes(TOKEN_BYTES)
    row = invite_account(
        call.store.database,
        signed_in.practice_id,
        name=name,
        role=role,
        email=email,
        token=token,
        now=call.now,
        actor=_actor(signed_in),
    )
    return JSONResponse({**_account(row), "set_up": _link(call, token)}, 201)


def _invite_again(call: Call, account: str) -> JSONResponse:
    account_id = id_in_path(account)
    signed_in = _administrator(call, writes=True)
    token = secrets.token_bytes(TOKEN_BYTES)
    row = renew_invitation(
        call.store.database,
        signed_in.practice_id,
        account_id,
        token=token,
        now=call.now,
        actor=_actor(signed_in),
    )
    return JSONResponse({**_account(row), "set_up": _link(call, token)})


def _role(call: Call, account: str) -> JSONResponse:
    account_id = id_in_path(account)
    signed_in = _administrator(call, writes=True)
    wanted = _object(call, ("role",))["role"]
    if not isinstance(wanted, str):
        raise RefusedError(400, "body", "role is a text.")
    row = change_role(
        call.store.database,
        signed_in.practice_id,
        account_id,
        wanted,
        now=call.now,
        actor=_actor(signed_in),
    )
    return JSONResponse(_account(row))


def _audit(call: Call, query: str) -> JSONResponse:
    signed_in = _administrator(call)
    text = asked(query, ("head",)).get("head")
    if text is not None and not re.fullmatch("[0-9a-f]{64}", text, re.ASCII):
        raise RefusedError(400, "query", "`head` is 64 hex digits in lower case.")
    found = look(
        call.store.database,
        signed_in.practice_id,
        noted=None if text is None else bytes.fromhex(text),
        now=call.now,
        actor=_actor(signed_in),
    )
    return JSONResponse(
        {
            "entries": found.entries,
            "first": found.first,
            "last": found.last,
            "digest": found.head.hex(),
            "broken_at": found.broken_at,
            "noted": found.noted,
            "problems": found.problems,
        }
    )


def _close(call: Call, account: str) -> JSONResponse:
    account_id = id_in_path(account)
    signed_in = _administrator(call, writes=True)
    row = close_account(
        call.store.database, signed_in.practice_id, account_id, now=call.now, actor=_actor(signed_in)
    )
    return JSONResponse(_account(row))


def _object(call: Call, names: tuple[str, ...]) -> dict[str, Any]:
    try:
        document: Any = json.loads(call.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.keys() != set(names):
        raise RefusedError(400, "body", f"Expected a JSON object with exactly: {', '.join(names)}.")
    return document


def _link(call: Call, token: bytes) -> str:
    origin = "/".join(call.url.split("/")[:3])
    return f"{origin}{PATH}{b64url(token)}"


def _actor(signed_in: SignedIn) -> str:
    return f"account:{signed_in.account_id.hex()}"


def _account(row: AccountRow) -> dict[str, Any]:
    expires_at = row.setup_expires_at
    return {
        "account": row.account_id.hex(),
        "name": row.name.split(" ")[0],
        "role": row.role,
        "state": row.state,
        "clinician": None if row.clinician_id is None else row.clinician_id.hex(),
        "email": row.email,
        "created_at": iso(row.created_at),
        "set_up_expires_at": None if expires_at is None else iso(expires_at),
    }


def _practice_document(row: PracticeRow) -> dict[str, Any]:
    return {
        "practice": row.practice_id.hex(),
        "name": row.name,
        "retention_days": row.retention_days,
        "rotation_days": row.rotation_days,
    }
