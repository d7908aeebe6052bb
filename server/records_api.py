"""The clinician's calls about what becomes of records: marks, deletion, tombstones, exports.

Each sees and changes only what belongs to the caller; anything else is not there.
"""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import deletion, marks_store, records_store
from server.answers import iso
from server.auth import Call, receive, require_clinician
from server.device_api import id_in_path
from server.errors import RefusedError
from server.marks_store import MarkRow
from server.queries import asked, limit_in, span_in
from server.records_store import TombstoneRow
from server.rows import ClinicianRow
from voice.wire.boxes import MAX_VERSION, Box, Purpose, parse_box, verify_box
from voice.wire.encoding import b64url, signing_key
from voice.wire.errors import FrameError, SealError

router = APIRouter(prefix="/v1")

MOST_EXPORTED = 10**9


@router.put("/marks/{device}/{record}")
async def put_mark(device: str, record: str, request: Request) -> JSONResponse:
    """Keep a sealed mark on a record."""
    return await run_in_threadpool(_put_mark, await receive(request), device, record)


@router.get("/marks")
async def marks(request: Request) -> JSONResponse:
    """A page of the caller's marks."""
    return await run_in_threadpool(_marks, await receive(request), request.url.query)


@router.get("/tombstones")
async def tombstones(request: Request) -> JSONResponse:
    """A page of what was deleted, and the practice's policy."""
    return await run_in_threadpool(_tombstones, await receive(request), request.url.query)


@router.get("/devices/{device}/records")
async def count(device: str, request: Request) -> JSONResponse:
    """How much is here of one device, without giving any of it."""
    return await run_in_threadpool(_count, await receive(request), device)


@router.delete("/devices/{device}/records")
async def erase(device: str, request: Request) -> JSONResponse:
    """Erase a device's client."""
    return await run_in_threadpool(_erase, await receive(request), device)


@router.delete("/records/{device}/{record}")
async def delete(device: str, record: str, request: Request) -> JSONResponse:
    """Delete one record."""
    return await run_in_threadpool(_delete, await receive(request), device, record)


@router.post("/exports")
async def export(request: Request) -> JSONResponse:
    """Account for an export that is about to be written."""
    return await run_in_threadpool(_export, await receive(request))


def actor_of(clinician: ClinicianRow) -> str:
    """The caller, as the audit log names them."""
    return f"clinician:{clinician.clinician_id.hex()}"


def _put_mark(call: Call, device: str, record: str) -> JSONResponse:
    device_id, record_id = id_in_path(device), id_in_path(record)
    clinician = require_clinician(call, writes=True)
    fields = _document(call, {"version": int, "sealed": str})
    version: int = fields["version"]
    if not 1 <= version <= MAX_VERSION:
        raise RefusedError(400, "body", f"A mark's version is 1 to {MAX_VERSION}.")
    sealed = call.octets(fields, "sealed")
    box = _own_box(sealed, clinician)
    named = (box.clinician_id, box.device_id, box.record_id, box.version)
    if named != (clinician.clinician_id, device_id, record_id, version):
        raise RefusedError(400, "mark", "The mark is of another record, clinician or version.")
    row = marks_store.put_mark(
        call.store.database,
        clinician.clinician_id,
        device_id,
        record_id,
        version=version,
        sealed=sealed,
        now=call.now,
    )
    return JSONResponse(_mark(row))


def _marks(call: Call, query: str) -> JSONResponse:
    clinician = require_clinician(call)
    wanted = asked(query, ("after", "limit"))
    after = wanted.get("after")
    if after is not None and not re.fullmatch("[0-9a-f]{64}", after, re.ASCII):
        raise RefusedError(400, "query", "`after` is 64 hex digits in lower case, as `next` was.")
    place = None if after is None else (bytes.fromhex(after[:32]), bytes.fromhex(after[32:]))
    found, more = marks_store.marks(
        call.store.database, clinician.clinician_id, after=place, limit=limit_in(wanted)
    )
    following = (found[-1].device_id + found[-1].record_id).hex() if found else after
    return JSONResponse({"marks": [_mark(row) for row in found], "next": following, "more": more})


def _tombstones(call: Call, query: str) -> JSONResponse:
    clinician = require_clinician(call)
    span = span_in(query)
    found, more, days = records_store.tombstones(call.store.database, clinician.clinician_id, span)
    return JSONResponse(
        {
            "tombstones": [_tombstone(row) for row in found],
            "next": found[-1].cursor if found else span.before or span.after,
            "more": more,
            "retention_days": days,
        }
    )


def _count(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call)
    found = records_store.count(call.store.database, clinician.clinician_id, device_id)
    return JSONResponse(
        {
            "device": device,
            "records": found.records,
            "deleted": found.deleted,
            "oldest_at": None if found.oldest_at is None else iso(found.oldest_at),
            "newest_at": None if found.newest_at is None else iso(found.newest_at),
        }
    )


def _erase(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call, writes=True)
    erased = deletion.erase(
        call.store.database, clinician.clinician_id, device_id, now=call.now, actor=actor_of(clinician)
    )
    deleted = {"deleted": erased.buried.count, "sha256": erased.buried.digest.hex()}
    return JSONResponse({"device": device, "state": erased.state, **deleted})


def _delete(call: Call, device: str, record: str) -> JSONResponse:
    device_id, record_id = id_in_path(device), id_in_path(record)
    clinician = require_clinician(call, writes=True)
    buried = deletion.delete_record(
        call.store.database,
        clinician.clinician_id,
        device_id,
        record_id,
        now=call.now,
        actor=actor_of(clinician),
    )
    return JSONResponse({"device": device, "deleted": buried.count, "sha256": buried.digest.hex()})


def _export(call: Call) -> JSONResponse:
    clinician = require_clinician(call, writes=True)
    fields = _document(call, {"device": str, "count": int})
    if not re.fullmatch("[0-9a-f]{32}", fields["device"], re.ASCII):
        raise RefusedError(400, "body", "`device` is 32 hex digits in lower case.")
    if not 0 <= fields["count"] <= MOST_EXPORTED:
        raise RefusedError(400, "body", f"`count` is a number from 0 to {MOST_EXPORTED}.")
    records_store.export(
        call.store.database,
        clinician.clinician_id,
        bytes.fromhex(fields["device"]),
        count=fields["count"],
        now=call.now,
        actor=actor_of(clinician),
    )
    return JSONResponse({"exported_at": iso(call.now)}, 201)


def _document(call: Call, kinds: dict[str, type]) -> dict[str, Any]:
    """The JSON body: an object with exactly these keys, of exactly these kinds. Raises RefusedError 400."""
    try:
        document: Any = json.loads(call.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.keys() != kinds.keys():
        raise RefusedError(400, "body", f"Expected a JSON object with exactly: {', '.join(kinds)}.")
    if any(type(document[name]) is not kind for name, kind in kinds.items()):
        raise RefusedError(400, "body", f"A field is of the wrong kind; expected: {', '.join(kinds)}.")
    return document


def _own_box(sealed: bytes, clinician: ClinicianRow) -> Box:
    try:
        box = parse_box(sealed)
        verify_box(box, signing_key(clinician.identity))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "mark", f"The mark does not hold: {error}.") from error
    if box.purpose is not Purpose.MARK:
        raise RefusedError(400, "mark", "What is sealed there is not a mark.")
    return box


def _mark(row: MarkRow) -> dict[str, Any]:
    return {
        "device": row.device_id.hex(),
        "record": row.record_id.hex(),
        "version": row.version,
        "sealed": b64url(row.sealed),
        "updated_at": iso(row.updated_at),
    }


def _tombstone(row: TombstoneRow) -> dict[str, Any]:
    return {
        "cursor": row.cursor,
        "device": row.device_id.hex(),
        "record": row.record_id.hex(),
        "sequence": row.sequence,
        "sha256": row.sha256.hex(),
        "received_at": iso(row.received_at),
        "deleted_at": iso(row.deleted_at),
        "reason": row.reason,
    }
