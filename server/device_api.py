"""The device's calls: pair, ask for the state, deliver a record (FORMAT.md section 7)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Any

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server.answers import iso
from server.auth import Call, Context, receive, require_device, require_sender
from server.errors import RefusedError
from server.intake import check_frame, resting
from server.keys_store import endorsement_of
from server.limits import throttle
from server.nonces import make_nonce
from server.rows import DeviceRow, Receipt
from voice.wire.encoding import KEY_BYTES, agreement_key, b64url, from_b64url, key_id, signing_key
from voice.wire.envelope import MAX_FRAME_BYTES, digest
from voice.wire.errors import FrameError

router = APIRouter(prefix="/v1")

MOST_OUTBOX = 1_000_000


@router.put("/records/{record}")
async def deliver(record: str, request: Request) -> JSONResponse:
    """Take one sealed record, once; the receipt says that it is on disk."""
    call = await receive(request, MAX_FRAME_BYTES)
    return await run_in_threadpool(_deliver, call, record)


@router.get("/nonce", dependencies=[Depends(throttle)])
async def give_nonce(request: Request) -> JSONResponse:
    """A server nonce, for a device that knows that its clock is wrong."""
    context: Context = request.app.state.context
    now = context.clock()
    nonce = make_nonce(context.nonce_key, now, secrets.token_bytes(16))
    return JSONResponse({"nonce": nonce, "server_time": iso(now)})


@router.post("/pairings/{pairing}", dependencies=[Depends(throttle)])
async def pair(pairing: str, request: Request) -> JSONResponse:
    """Use a pairing link. The same device may ask again: a lost answer must not use the link up."""
    call = await receive(request)
    return await run_in_threadpool(_pair, call, pairing)


@router.get("/device")
async def state(request: Request) -> JSONResponse:
    """The device's state and its clinician's statement."""
    call = await receive(request)
    return await run_in_threadpool(_state, call, request.url.query)


def id_in_path(text: str) -> bytes:
    """A 16-byte id in lower-case hex. Raises RefusedError 404."""
    if not re.fullmatch("[0-9a-f]{32}", text, re.ASCII):
        raise RefusedError(404, "not_found", "There is nothing at this address.")
    return bytes.fromhex(text)


def _pair(call: Call, pairing: str) -> JSONResponse:
    fields = call.fields("claim", "signing", "encryption", "proof")
    claim = call.octets(fields, "claim", KEY_BYTES)
    signing = call.octets(fields, "signing", KEY_BYTES)
    encryption = call.octets(fields, "encryption", KEY_BYTES)
    proof = call.octets(fields, "proof", KEY_BYTES)
    try:
        invitation = call.store.invitation(from_b64url(pairing, 16))
        signing_key(signing)
        agreement_key(encryption)
    except FrameError as error:
        raise RefusedError(
            404, "pairing", "There is no such pairing link.", "Copy the link again."
        ) from error
    if invitation is None:
        raise RefusedError(404, "pairing", "There is no such pairing link.", "Copy the link again, whole.")
    if not hmac.compare_digest(hashlib.sha256(claim).digest(), invitation.claim_hash):
        call.store.count_wrong_claim(invitation.pairing_id)
        raise RefusedError(
            403, "claim", "The secret part of the pairing link is wrong.", "Copy the link again."
        )
    device = DeviceRow(
        device_id=key_id(signing),
        clinician_id=invitation.clinician_id,
        pairing_id=invitation.pairing_id,
        signing=signing,
        encryption=encryption,
        proof=proof,
        invitation=invitation.invitation,
        approval=None,
        state="active",
        created_at=call.now,
        last_seen_at=call.now,
    )
    paired = call.store.pair_device(device, expired=call.now >= invitation.expires_at)
    answer = {"device": device.device_id.hex(), **_from_clinician(call, invitation.clinician_id)}
    return JSONResponse(answer, 201 if paired else 200)


def allowed_device(call: Call) -> DeviceRow:
    """The device that signed this call, unless it was revoked. Raises RefusedError: 401, 403 `revoked`."""
    device = require_device(call)
    if device.state == "revoked":
        raise resting(device.state)
    return device


def _state(call: Call, query: str) -> JSONResponse:
    device = allowed_device(call)
    call.store.see_device(device, now=call.now, outbox_depth=_outbox_depth(query))
    theirs = _from_clinician(call, device.clinician_id)
    return JSONResponse({"device": device.device_id.hex(), "state": device.state, **theirs})


def _outbox_depth(query: str) -> int | None:
    """How many records the device says it holds, if it says so: `outbox=3` and nothing else."""
    if not query:
        return None
    said = re.fullmatch("outbox=(0|[1-9][0-9]{0,6})", query, re.ASCII)
    if said is None or int(said[1]) > MOST_OUTBOX:
        raise RefusedError(400, "query", f"A device says `outbox`, once: a number from 0 to {MOST_OUTBOX}.")
    return int(said[1])


def _deliver(call: Call, record: str) -> JSONResponse:
    record_id = id_in_path(record)
    frame = check_frame(call.body, record_id, require_sender(call))
    receipt = call.store.take_record(frame, call.body, digest(call.body), now=call.now)
    return JSONResponse(_receipt(receipt), 201 if receipt.created else 200)


def _receipt(receipt: Receipt) -> dict[str, str]:
    return {
        "received_at": iso(receipt.received_at),
        "record": receipt.record_id.hex(),
        "sha256": receipt.sha256.hex(),
    }


def _from_clinician(call: Call, clinician_id: bytes) -> dict[str, Any]:
    clinician = call.store.clinician(clinician_id)
    assert clinician is not None  # noqa: S101 (a foreign key holds this)
    endorsement = endorsement_of(call.store.database, clinician_id)
    return {
        "statement": b64url(clinician.statement),
        "endorsement": None if endorsement is None else b64url(endorsement),
        "server_time": iso(call.now),
    }
