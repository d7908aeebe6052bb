"""The mailbox's calls: a clinician sends sealed cards, their device fetches its own and reports how the
enrolment goes (FORMAT.md section 7)."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server.answers import iso
from server.auth import Call, receive, require_clinician
from server.cards_store import CardRow, CardStore
from server.device_api import allowed_device, id_in_path
from server.errors import RefusedError
from server.rows import ClinicianRow, DeviceRow
from voice.wire.card_reports import ReportFrame, parse_report, verify_report
from voice.wire.cards import MAX_VERSION, CardFrame, parse_card, verify_card
from voice.wire.encoding import b64url, key_id, signing_key
from voice.wire.errors import FrameError, SealError

router = APIRouter(prefix="/v1")

CARD_LIMIT_BYTES = 65_536
REPORT_LIMIT_BYTES = 4_096
PAGE_BYTES = 40_000
"""Sealed bytes in one answer to a device: in base64url they stay below the 64 KiB that it reads."""


@router.put("/devices/{device}/cards/{card}")
async def send(device: str, card: str, request: Request) -> JSONResponse:
    """Keep a sealed card for a device."""
    return await run_in_threadpool(_send, await receive(request, CARD_LIMIT_BYTES), device, card)


@router.get("/devices/{device}/cards")
async def sent(device: str, request: Request) -> JSONResponse:
    """What was sent to a device, and whether it has it."""
    return await run_in_threadpool(_sent, await receive(request), device)


@router.delete("/devices/{device}/cards/{card}")
async def remove(device: str, card: str, request: Request) -> JSONResponse:
    """Take a card out of the mailbox."""
    return await run_in_threadpool(_remove, await receive(request), device, card)


@router.get("/cards")
async def waiting(request: Request) -> JSONResponse:
    """A page of the device's own cards, in the order of their versions."""
    return await run_in_threadpool(_waiting, await receive(request), request.url.query)


@router.put("/cards/{card}/{version}/fetched")
async def fetched(card: str, version: str, request: Request) -> JSONResponse:
    """Note that the device has this version of a card."""
    return await run_in_threadpool(_fetched, await receive(request), card, version)


@router.put("/cards/{card}/{version}/report")
async def report(card: str, version: str, request: Request) -> JSONResponse:
    """Keep how the enrolment that this version of a card asked for goes."""
    return await run_in_threadpool(_report, await receive(request, REPORT_LIMIT_BYTES), card, version)


def _send(call: Call, device: str, card: str) -> JSONResponse:
    device_id, card_id = id_in_path(device), id_in_path(card)
    clinician = require_clinician(call, writes=True)
    frame = _checked(call.body, clinician)
    known = call.store.device_of(clinician.clinician_id, device_id)
    if not _is_for(frame, known, card_id):
        raise RefusedError(400, "card", "The card is for another device or key, or has another id.")
    row, first = _cards(call).put(clinician, device_id, card_id, frame.version, call.body, now=call.now)
    return JSONResponse(_card(row), 201 if first else 200)


def _sent(call: Call, device: str) -> JSONResponse:
    device_id = id_in_path(device)
    clinician = require_clinician(call)
    return JSONResponse({"cards": [_listed(row) for row in _cards(call).listed(clinician, device_id)]})


def _remove(call: Call, device: str, card: str) -> JSONResponse:
    device_id, card_id = id_in_path(device), id_in_path(card)
    clinician = require_clinician(call, writes=True)
    _cards(call).remove(clinician, device_id, card_id, now=call.now)
    return JSONResponse({"card": card_id.hex()})


def _waiting(call: Call, query: str) -> JSONResponse:
    device = allowed_device(call)
    said = re.fullmatch("after=(0|[1-9][0-9]{0,18})", query, re.ASCII)
    if query and (said is None or int(said[1]) > MAX_VERSION):
        raise RefusedError(400, "query", f"Cards are asked for with `after`, once: 0 to {MAX_VERSION}.")
    after = 0 if said is None else int(said[1])
    page, more = _cards(call).waiting(device, after=after, most_bytes=PAGE_BYTES)
    cards = [
        {"card": row.card_id.hex(), "version": row.version, "sealed": b64url(row.sealed)} for row in page
    ]
    return JSONResponse({"cards": cards, "more": more})


def _fetched(call: Call, card: str, version: str) -> JSONResponse:
    card_id, number = id_in_path(card), _version_in_path(version)
    device = allowed_device(call)
    return JSONResponse(_card(_cards(call).fetched(device, card_id, number, now=call.now)))


def _report(call: Call, card: str, version: str) -> JSONResponse:
    card_id, card_version = id_in_path(card), _version_in_path(version)
    device = allowed_device(call)
    frame = _checked_report(call.body, device)
    if (frame.card_id, frame.version) != (card_id, card_version):
        raise RefusedError(400, "report", "The report is about another card or version than its address.")
    row, new = _cards(call).report(device, card_id, card_version, frame.number, call.body, now=call.now)
    return JSONResponse(_reported(row), 201 if new else 200)


def _version_in_path(version: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,18}", version, re.ASCII) or int(version) > MAX_VERSION:
        raise RefusedError(404, "not_found", "There is nothing at this address.")
    return int(version)


def _checked_report(data: bytes, device: DeviceRow) -> ReportFrame:
    try:
        frame = parse_report(data)
        verify_report(frame, signing_key(device.signing))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "report", f"The report does not hold: {error}.") from error
    return frame


def _checked(data: bytes, clinician: ClinicianRow) -> CardFrame:
    try:
        frame = parse_card(data)
        verify_card(frame, signing_key(clinician.identity))
    except (FrameError, SealError) as error:
        raise RefusedError(400, "card", f"The card does not hold: {error}.") from error
    return frame


def _is_for(frame: CardFrame, device: DeviceRow, card_id: bytes) -> bool:
    meant = (frame.device_id, frame.card_id, frame.recipient)
    return meant == (device.device_id, card_id, key_id(device.encryption))


def _cards(call: Call) -> CardStore:
    return CardStore(call.store.database)


def _card(row: CardRow) -> dict[str, Any]:
    return {
        "card": row.card_id.hex(),
        "version": row.version,
        "created_at": iso(row.created_at),
        "fetched_at": None if row.fetched_at is None else iso(row.fetched_at),
    }


def _listed(row: CardRow) -> dict[str, Any]:
    report = None if row.report is None else b64url(row.report)
    return {**_card(row), **_reported(row), "report": report}


def _reported(row: CardRow) -> dict[str, Any]:
    reported_at = None if row.reported_at is None else iso(row.reported_at)
    return {"card": row.card_id.hex(), "version": row.version, "reported_at": reported_at}
