"""Calls about keys: epochs, slots, the endorsement, and shares between colleagues (FORMAT.md section 7).

Everything here is opaque or public to the server; what it can check is shape, growth and who is asking.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import keys_store, shares_store
from server.answers import iso
from server.auth import Call, receive, require_clinician
from server.device_api import id_in_path
from server.errors import RefusedError
from server.key_shapes import parse_slot
from server.keys_store import EpochRow, SlotRow
from server.shares_store import GivenRow, SharedRow
from voice.wire.encoding import b64url, from_b64url, signing_key
from voice.wire.endorsement import parse_endorsement
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import IDENTITY_EPOCH, WRAPPED_BYTES, parse_statement
from voice.wire.sharing import SHARE_BYTES, Share, verify_share

router = APIRouter(prefix="/v1")

MOST_SHARES = 100
PAGE = 100
LARGEST_PAGE = 200
_BATCH_LIMIT_BYTES = 65_536


@router.get("/keys")
async def keys(request: Request) -> JSONResponse:
    """The clinician's epochs and key slots."""
    return await run_in_threadpool(_keys, await receive(request))


@router.put("/keys/{epoch}")
async def put_epoch(epoch: str, request: Request) -> JSONResponse:
    """Take the next epoch's statement, or a wrapped copy of a key."""
    return await run_in_threadpool(_put_epoch, await receive(request), epoch)


@router.delete("/keys/{epoch}")
async def shred(epoch: str, request: Request) -> JSONResponse:
    """Forget an epoch's wrapped key for good."""
    return await run_in_threadpool(_shred, await receive(request), epoch)


@router.put("/key-slots/{slot}")
async def put_slot(slot: str, request: Request) -> JSONResponse:
    """Keep a key slot."""
    return await run_in_threadpool(_put_slot, await receive(request), slot)


@router.delete("/key-slots/{slot}")
async def delete_slot(slot: str, request: Request) -> JSONResponse:
    """Remove a key slot."""
    return await run_in_threadpool(_delete_slot, await receive(request), slot)


@router.put("/endorsement")
async def put_endorsement(request: Request) -> JSONResponse:
    """Take the clinician's signed word on who else their devices seal to."""
    return await run_in_threadpool(_put_endorsement, await receive(request))


@router.get("/colleagues")
async def colleagues(request: Request) -> JSONResponse:
    """The other clinicians of the practice."""
    return await run_in_threadpool(_colleagues, await receive(request))


@router.post("/shares")
async def share(request: Request) -> JSONResponse:
    """Keep shares for a colleague, up to a hundred at once, all or none."""
    return await run_in_threadpool(_share, await receive(request, _BATCH_LIMIT_BYTES))


@router.get("/shares")
async def shares(request: Request) -> JSONResponse:
    """A page of what colleagues shared with the caller."""
    call = await receive(request)
    return await run_in_threadpool(_shares, call, request.url.query)


@router.get("/shares/{clinician}")
async def given(clinician: str, request: Request) -> JSONResponse:
    """A page of what the caller shared with a colleague."""
    return await run_in_threadpool(_given, await receive(request), clinician, request.url.query)


@router.delete("/shares/{clinician}")
async def end_shares(clinician: str, request: Request) -> JSONResponse:
    """The cover has ended: remove what the caller shared with a colleague."""
    return await run_in_threadpool(_end_shares, await receive(request), clinician)


def _keys(call: Call) -> JSONResponse:
    clinician = require_clinician(call)
    found = keys_store.fetch_keys(call.store.database, clinician.clinician_id, now=call.now)
    return JSONResponse(
        {
            "epochs": [_epoch(row) for row in found.epochs],
            "slots": [_slot(row) for row in found.slots],
            "rotation_days": found.rotation_days,
        }
    )


def _put_epoch(call: Call, text: str) -> JSONResponse:
    epoch = _epoch_in_path(text)
    clinician = require_clinician(call, writes=True)
    document = _document(call)
    database = call.store.database
    if epoch == IDENTITY_EPOCH:
        if document.keys() != {"wrapped"}:
            raise _body("exactly: wrapped (for epoch 0, the identity key)")
        wrapped = _octets(document, "wrapped", WRAPPED_BYTES)
        created = keys_store.put_identity(database, clinician.clinician_id, wrapped, now=call.now)
        return JSONResponse({"epoch": epoch}, 201 if created else 200)
    if not {"statement"} <= document.keys() <= {"statement", "wrapped"}:
        raise _body("statement, and wrapped if a copy is to be kept")
    statement = _octets(document, "statement")
    copy = _octets(document, "wrapped", WRAPPED_BYTES) if "wrapped" in document else None
    try:
        stated = parse_statement(statement)
    except (FrameError, SealError) as error:
        raise RefusedError(400, "statement", f"The statement does not hold: {error}.") from error
    if stated.epoch != epoch:
        raise RefusedError(400, "statement", "The statement's epoch is not the one in the address.")
    created = keys_store.put_epoch(database, clinician.clinician_id, stated, statement, copy, now=call.now)
    return JSONResponse({"epoch": epoch}, 201 if created else 200)


def _shred(call: Call, text: str) -> JSONResponse:
    epoch = _epoch_in_path(text)
    clinician = require_clinician(call, writes=True)
    row = keys_store.shred_epoch(call.store.database, clinician.clinician_id, epoch, now=call.now)
    return JSONResponse(_epoch(row))


def _put_slot(call: Call, text: str) -> JSONResponse:
    slot_id = id_in_path(text)
    clinician = require_clinician(call, writes=True)
    try:
        slot = parse_slot(_document(call))
    except FrameError as error:
        raise RefusedError(400, "slot", f"The key slot is not of its shape: {error}.") from error
    created = keys_store.put_slot(call.store.database, clinician.clinician_id, slot_id, slot, now=call.now)
    return JSONResponse({"slot": slot_id.hex()}, 201 if created else 200)


def _delete_slot(call: Call, text: str) -> JSONResponse:
    slot_id = id_in_path(text)
    clinician = require_clinician(call, writes=True)
    keys_store.delete_slot(call.store.database, clinician.clinician_id, slot_id, now=call.now)
    return JSONResponse({"slot": slot_id.hex()})


def _put_endorsement(call: Call) -> JSONResponse:
    clinician = require_clinician(call, writes=True)
    data = call.octets(call.fields("endorsement"), "endorsement")
    try:
        said = parse_endorsement(data)
    except (FrameError, SealError) as error:
        raise RefusedError(400, "endorsement", f"The endorsement does not hold: {error}.") from error
    created = keys_store.put_endorsement(
        call.store.database, clinician.clinician_id, said, data, now=call.now
    )
    return JSONResponse({"number": said.number}, 201 if created else 200)


def _colleagues(call: Call) -> JSONResponse:
    clinician = require_clinician(call)
    found = shares_store.colleagues(call.store.database, clinician.clinician_id)
    return JSONResponse(
        {
            "colleagues": [
                {"clinician": one.clinician_id.hex(), "statement": b64url(one.statement)} for one in found
            ]
        }
    )


def _share(call: Call) -> JSONResponse:
    clinician = require_clinician(call, writes=True)
    document = _document(call)
    to, listed = document.get("to"), document.get("shares")
    if document.keys() != {"to", "shares"} or not isinstance(to, str) or not isinstance(listed, list):
        raise _body("exactly: to (a clinician id) and shares (a list)")
    if not 1 <= len(listed) <= MOST_SHARES:
        raise RefusedError(400, "body", f"1 to {MOST_SHARES} shares are taken at once.")
    identity = signing_key(clinician.identity)
    verified: list[tuple[Share, bytes]] = []
    for text in listed:
        data = _octets({"shares": text}, "shares", SHARE_BYTES)
        try:
            verified.append((verify_share(data, identity), data))
        except (FrameError, SealError) as error:
            raise RefusedError(400, "share", f"A share does not hold: {error}.") from error
    if len({(one.device_id, one.record_id) for one, _ in verified}) != len(verified):
        raise RefusedError(400, "share", "A record is shared twice in one call.")
    added = shares_store.add_shares(
        call.store.database, clinician.clinician_id, id_in_path(to), verified, now=call.now
    )
    return JSONResponse({"shared": len(verified), "added": added}, 201 if added else 200)


def _given(call: Call, text: str, query: str) -> JSONResponse:
    to_id = id_in_path(text)
    clinician = require_clinician(call)
    after, limit = _span(query)
    found = shares_store.given_to(
        call.store.database, clinician.clinician_id, to_id, after=_place(after), limit=limit + 1
    )
    page = found.rows[:limit]
    return JSONResponse(
        {
            "shares": [
                {
                    "device": row.device_id.hex(),
                    "record": row.record_id.hex(),
                    "sequence": row.sequence,
                    "recipient": row.recipient.hex(),
                    "shared_at": iso(row.created_at),
                }
                for row in page
            ],
            "next": _last(page) or after,
            "more": len(found.rows) > limit,
            "count": found.count,
        }
    )


def _shares(call: Call, query: str) -> JSONResponse:
    clinician = require_clinician(call)
    after, limit = _span(query)
    found = shares_store.shared_with(
        call.store.database,
        clinician.clinician_id,
        after=_place(after),
        limit=limit + 1,
        now=call.now,
    )
    page = found[:limit]
    return JSONResponse(
        {
            "shares": [
                {
                    "from": row.from_id.hex(),
                    "share": b64url(row.share),
                    "frame": b64url(row.frame),
                    "received_at": iso(row.received_at),
                    "shared_at": iso(row.created_at),
                }
                for row in page
            ],
            "next": _last(page) or after,
            "more": len(found) > limit,
        }
    )


def _end_shares(call: Call, text: str) -> JSONResponse:
    to_id = id_in_path(text)
    clinician = require_clinician(call, writes=True)
    removed = shares_store.end_shares(call.store.database, clinician.clinician_id, to_id, now=call.now)
    return JSONResponse({"removed": removed})


def _epoch_in_path(text: str) -> int:
    if not re.fullmatch("0|[1-9][0-9]{0,9}", text, re.ASCII) or int(text) >= 2**32:
        raise RefusedError(404, "not_found", "There is nothing at this address.")
    return int(text)


def _document(call: Call) -> dict[str, Any]:
    try:
        document: Any = json.loads(call.body)
    except (ValueError, RecursionError) as error:
        raise _body("what this call asks for") from error
    if not isinstance(document, dict):
        raise _body("what this call asks for")
    return document


def _octets(document: dict[str, Any], name: str, size: int | None = None) -> bytes:
    value = document[name]
    if not isinstance(value, str):
        raise RefusedError(400, "body", f"{name}: not base64url.", "Send canonical base64url.")
    try:
        return from_b64url(value, size)
    except FrameError as error:
        raise RefusedError(400, "body", f"{name}: {error}.", "Send canonical base64url.") from error


def _body(wanted: str) -> RefusedError:
    return RefusedError(400, "body", f"Expected a JSON object with {wanted}.")


def _span(query: str) -> tuple[str, int]:
    pairs = parse_qsl(query, keep_blank_values=True)
    wanted = dict(pairs)
    if len(wanted) != len(pairs) or not wanted.keys() <= {"after", "limit"}:
        raise RefusedError(400, "query", "Shares are asked for with `after` and `limit`, once each.")
    return wanted.get("after", ""), _limit(wanted.get("limit", str(PAGE)))


def _last(page: Sequence[SharedRow | GivenRow]) -> str:
    return page[-1].device_id.hex() + page[-1].sequence.to_bytes(8, "big").hex() if page else ""


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= LARGEST_PAGE:
        return int(text)
    raise RefusedError(400, "query", f"`limit` is a number from 1 to {LARGEST_PAGE}.")


def _place(text: str) -> shares_store.Place | None:
    if not text:
        return None
    if not re.fullmatch("[0-9a-f]{48}", text, re.ASCII) or int(text[32:], 16) >= 2**63:
        raise RefusedError(400, "query", "`after` is the last `next`.")
    return bytes.fromhex(text[:32]), int(text[32:], 16)


def _epoch(row: EpochRow) -> dict[str, Any]:
    return {
        "epoch": row.epoch,
        "statement": None if row.statement is None else b64url(row.statement),
        "wrapped": None if row.wrapped is None else b64url(row.wrapped),
        "created_at": iso(row.created_at),
        "shredded_at": None if row.shredded_at is None else iso(row.shredded_at),
    }


def _slot(row: SlotRow) -> dict[str, Any]:
    return {"slot": row.slot_id.hex(), "created_at": iso(row.created_at), "fields": json.loads(row.fields)}
