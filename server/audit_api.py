"""The access log: the part of the audit chain that is the caller's to see (FORMAT.md section 7)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import audit_log
from server.answers import iso
from server.audit_log import Scope
from server.auth import Call, receive, require_account, require_clinician
from server.queries import asked, limit_in, number
from server.records_store import LAST_CURSOR

router = APIRouter(prefix="/v1")


@router.get("/audit")
async def entries(request: Request) -> JSONResponse:
    """A page of the audit log, oldest first, and the head of the whole chain."""
    return await run_in_threadpool(_entries, await receive(request), request.url.query)


def _caller(call: Call) -> tuple[Scope, str]:
    """Whose entries, and who asks: an administrator sees their practice's, a clinician what concerns them."""
    if "cookie" in call.headers and "signature" not in call.headers:
        signed_in = require_account(call, roles=("clinician", "cover", "administrator"))
        if signed_in.clinician_id is None:
            return Scope(signed_in.practice_id), f"account:{signed_in.account_id.hex()}"
    clinician = require_clinician(call)
    return (
        Scope(clinician.practice_id, clinician.clinician_id),
        f"clinician:{clinician.clinician_id.hex()}",
    )


def _entries(call: Call, query: str) -> JSONResponse:
    scope, actor = _caller(call)
    wanted = asked(query, ("after", "limit"))
    after = number("after", wanted.get("after", "0"), 0, LAST_CURSOR)
    found = audit_log.fetch(
        call.store.database, scope, after=after, limit=limit_in(wanted), now=call.now, actor=actor
    )
    listed: list[dict[str, Any]] = [
        {
            "sequence": entry.sequence,
            "at": iso(entry.at),
            "actor": entry.actor,
            "act": entry.act,
            "subject": entry.subject,
        }
        for entry in found.entries
    ]
    return JSONResponse(
        {
            "entries": listed,
            "next": listed[-1]["sequence"] if listed else after,
            "more": found.more,
            "head": {"sequence": found.head.sequence, "digest": found.head.digest.hex()},
        }
    )
