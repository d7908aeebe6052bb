"""The clinician's calls about what was agreed with a client, sealed to themselves (FORMAT.md section 7)."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import consents_store
from server.answers import iso
from server.auth import Call, receive, require_clinician
from server.consents_store import ConsentRow
from server.device_api import id_in_path
from server.errors import RefusedError
from server.rows import ClinicianRow
from voice.wire.boxes import CONSENT_BYTES, Box, Purpose, parse_box, verify_box
from voice.wire.encoding import b64url, signing_key
from voice.wire.errors import FrameError, SealError

router = APIRouter(prefix="/v1")

CONSENT_LIMIT_BYTES = CONSENT_BYTES * 4 // 3 + 1024
"""The JSON around a consent in base64url."""


@router.put("/devices/{device}/consents/{version}")
async def put_consent(device: str, version: str, request: Request) -> JSONResponse:
    """Keep a version of what was agreed with a device's client."""
    return await run_in_threadpool(_put, await receive(request, CONSENT_LIMIT_BYTES), device, version)


@router.get("/devices/{device}/consents")
async def consents(device: str, request: Request) -> JSONResponse:
    """Every version of what was agreed with a device's client."""
    return await run_in_threadpool(_listed, await receive(request), device)


def _put(call: Call, device: str, version: str) -> JSONResponse:
    device_id = id_in_path(device)
    if not re.fullmatch("[1-9][0-9]{0,8}", version, re.ASCII):
        raise RefusedError(404, "not_found", "There is nothing at this address.")
    clinician = require_clinician(call, writes=True)
    sealed = call.octets(call.fields("sealed"), "sealed")
    box = _own(sealed, clinician)
    if (box.clinician_id, box.device_id, box.version) != (clinician.clinician_id, device_id, int(version)):
        raise RefusedError(400, "consent", "What is sealed there is of another device, clinician or version.")
    row, new = consents_store.put_consent(
        call.store.database,
        clinician.clinician_id,
        device_id,
        version=box.version,
        sealed=sealed,
        now=call.now,
    )
    return JSONResponse(_consent(row), 201 if new else 200)


def _listed(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call)
    found = consents_store.consents(call.store.database, clinician.clinician_id, device_id)
    return JSONResponse({"consents": [_consent(row) for row in found]})


def _own(sealed: bytes, clinician: ClinicianRow) -> Box:
    try:
        box = parse_box(sealed)
        verify_box(box, signing_key(clinician.identity))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "consent", f"What is sealed there does not hold: {error}.") from error
    if box.purpose is not Purpose.CONSENT:
        raise RefusedError(400, "consent", "What is sealed there is no consent.")
    return box


def _consent(row: ConsentRow) -> dict[str, Any]:
    return {"version": row.version, "sealed": b64url(row.sealed), "created_at": iso(row.created_at)}
