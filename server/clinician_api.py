"""The clinician's calls, for command-line tools: invitations, devices, records (FORMAT.md section 7).

Every one is signed with the clinician's identity key and sees only what belongs to that clinician.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import records_store
from server.answers import iso
from server.auth import Call, receive, require_clinician
from server.device_api import id_in_path
from server.errors import RefusedError
from server.queries import span_in
from server.rows import DeviceRow, InvitationRow
from server.schema import STATES
from voice.wire.boxes import Purpose, parse_box, verify_box
from voice.wire.encoding import b64url, signing_key
from voice.wire.errors import FrameError, SealError
from voice.wire.pairing import verify_approval, verify_invitation

router = APIRouter(prefix="/v1")


@router.get("/clinician")
async def me(request: Request) -> JSONResponse:
    """Who the server takes the caller for."""
    return await run_in_threadpool(_me, await receive(request))


@router.post("/invitations")
async def invite(request: Request) -> JSONResponse:
    """Keep an invitation until a device uses it."""
    return await run_in_threadpool(_invite, await receive(request))


@router.get("/devices")
async def devices(request: Request) -> JSONResponse:
    """The clinician's devices, with what is needed to check and approve them."""
    return await run_in_threadpool(_devices, await receive(request))


@router.put("/devices/{device}/approval")
async def approve(device: str, request: Request) -> JSONResponse:
    """Keep the clinician's approval of a device's keys."""
    return await run_in_threadpool(_approve, await receive(request), device)


@router.put("/devices/{device}/state")
async def set_state(device: str, request: Request) -> JSONResponse:
    """Pause, discharge or revoke a device, or let it speak again."""
    return await run_in_threadpool(_set_state, await receive(request), device)


@router.put("/devices/{device}/label")
async def label(device: str, request: Request) -> JSONResponse:
    """Keep the client's name beside a device, sealed by and for the clinician."""
    return await run_in_threadpool(_label, await receive(request), device)


@router.get("/records")
async def records(request: Request) -> JSONResponse:
    """A page of sealed records, oldest or newest first."""
    call = await receive(request)
    return await run_in_threadpool(_records, call, request.url.query)


def _me(call: Call) -> JSONResponse:
    clinician = require_clinician(call)
    return JSONResponse(
        {
            "clinician": clinician.clinician_id.hex(),
            "statement": b64url(clinician.statement),
            "server_time": iso(call.now),
        }
    )


def _invite(call: Call) -> JSONResponse:
    clinician = require_clinician(call, writes=True)
    data = call.octets(call.fields("invitation"), "invitation")
    try:
        invitation = verify_invitation(data, signing_key(clinician.identity))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "invitation", f"The invitation does not hold: {error}.") from error
    if invitation.expires_at <= call.now:
        raise RefusedError(400, "invitation", "The invitation has already expired.", "Make a new one.")
    row = InvitationRow(
        invitation.pairing_id, clinician.clinician_id, data, invitation.claim_hash, invitation.expires_at
    )
    created = call.store.add_invitation(row, now=call.now)
    answer = {"pairing": b64url(row.pairing_id), "expires_at": iso(row.expires_at)}
    return JSONResponse(answer, 201 if created else 200)


def _devices(call: Call) -> JSONResponse:
    clinician = require_clinician(call)
    found = call.store.devices(clinician.clinician_id)
    return JSONResponse({"devices": [_device(device) for device in found]})


def _approve(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call, writes=True)
    data = call.octets(call.fields("approval"), "approval")
    try:
        approval = verify_approval(data, signing_key(clinician.identity))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "approval", f"The approval does not hold: {error}.") from error
    known = call.store.device_of(clinician.clinician_id, device_id)
    if (approval.signing, approval.encryption) != (known.signing, known.encryption):
        raise RefusedError(400, "approval", "The approval is of other keys than this device's.")
    changed = call.store.approve_device(clinician.clinician_id, device_id, data, now=call.now)
    return JSONResponse(_device(changed))


def _set_state(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call, writes=True)
    state = call.fields("state")["state"]
    if state not in STATES:
        raise RefusedError(400, "body", f"A device's state is one of: {', '.join(STATES)}.")
    changed = call.store.set_state(clinician.clinician_id, device_id, state, now=call.now)
    return JSONResponse(_device(changed))


def _label(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call, writes=True)
    sealed = call.octets(call.fields("label"), "label")
    call.store.device_of(clinician.clinician_id, device_id)
    try:
        box = parse_box(sealed)
        verify_box(box, signing_key(clinician.identity))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "label", f"The sealed label does not hold: {error}.") from error
    if (box.purpose, box.clinician_id, box.device_id) != (
        Purpose.LABEL,
        clinician.clinician_id,
        device_id,
    ):
        raise RefusedError(400, "label", "The sealed note is not a label of this device.")
    changed = call.store.label_device(clinician.clinician_id, device_id, sealed, now=call.now)
    return JSONResponse(_device(changed))


def _records(call: Call, query: str) -> JSONResponse:
    clinician = require_clinician(call)
    span = span_in(query)
    actor = f"clinician:{clinician.clinician_id.hex()}"
    page, more = records_store.fetch(
        call.store.database, clinician.clinician_id, span, now=call.now, actor=actor
    )
    return JSONResponse(
        {
            "records": [
                {
                    "cursor": row.cursor,
                    "device": row.device_id.hex(),
                    "received_at": iso(row.received_at),
                    "frame": b64url(row.frame),
                }
                for row in page
            ],
            "next": page[-1].cursor if page else span.before or span.after,
            "more": more,
        }
    )


def _device(device: DeviceRow) -> dict[str, Any]:
    return {
        "device": device.device_id.hex(),
        "signing": b64url(device.signing),
        "encryption": b64url(device.encryption),
        "proof": b64url(device.proof),
        "pairing": b64url(device.pairing_id),
        "invitation": b64url(device.invitation),
        "approval": None if device.approval is None else b64url(device.approval),
        "state": device.state,
        "created_at": iso(device.created_at),
        "last_seen_at": None if device.last_seen_at is None else iso(device.last_seen_at),
        "outbox_depth": device.outbox_depth,
        "label": None if device.label is None else b64url(device.label),
    }
