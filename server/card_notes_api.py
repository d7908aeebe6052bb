"""The clinician's calls about their own sealed notes on parts (FORMAT.md section 7)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server import card_notes_store
from server.auth import Call, receive, require_clinician
from server.card_notes_store import NoteRow
from server.device_api import id_in_path
from server.errors import RefusedError
from server.rows import ClinicianRow
from voice.wire.boxes import PART_NOTE_BYTES, Box, Purpose, parse_box, verify_box
from voice.wire.encoding import b64url, signing_key
from voice.wire.errors import FrameError, SealError

router = APIRouter(prefix="/v1")

NOTE_LIMIT_BYTES = PART_NOTE_BYTES * 4 // 3 + 1024
"""The JSON around a note in base64url."""


@router.put("/devices/{device}/cards/{card}/note")
async def put_note(device: str, card: str, request: Request) -> JSONResponse:
    """Keep the caller's sealed note on a part."""
    return await run_in_threadpool(_put_note, await receive(request, NOTE_LIMIT_BYTES), device, card)


@router.get("/devices/{device}/notes")
async def notes(device: str, request: Request) -> JSONResponse:
    """The caller's sealed notes on the parts of a device."""
    return await run_in_threadpool(_notes, await receive(request), device)


def _put_note(call: Call, device: str, card: str) -> JSONResponse:
    device_id, card_id = id_in_path(device), id_in_path(card)
    clinician = require_clinician(call, writes=True)
    sealed = call.octets(call.fields("sealed"), "sealed")
    box = _own(sealed, clinician)
    if (box.clinician_id, box.device_id, box.record_id) != (clinician.clinician_id, device_id, card_id):
        raise RefusedError(400, "note", "The note is on another part, or another clinician's.")
    note = NoteRow(card_id, box.version, sealed)
    kept = card_notes_store.put_note(call.store.database, clinician.clinician_id, device_id, note)
    return JSONResponse(_note(kept))


def _notes(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call)
    found = card_notes_store.notes(call.store.database, clinician.clinician_id, device_id)
    return JSONResponse({"notes": [_note(row) for row in found]})


def _own(sealed: bytes, clinician: ClinicianRow) -> Box:
    try:
        box = parse_box(sealed)
        verify_box(box, signing_key(clinician.identity))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "note", f"The note does not hold: {error}.") from error
    if box.purpose is not Purpose.PART:
        raise RefusedError(400, "note", "What is sealed there is no note on a part.")
    return box


def _note(row: NoteRow) -> dict[str, Any]:
    return {"card": row.card_id.hex(), "version": row.version, "sealed": b64url(row.sealed)}
