"""Every group of calls that the server answers."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from server import (
    account_api,
    audit_api,
    card_notes_api,
    cards_api,
    clinician_api,
    consents_api,
    device_api,
    keys_api,
    practice_api,
    records_api,
    sign_in_api,
    watching,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    device_api.router,
    clinician_api.router,
    keys_api.router,
    cards_api.router,
    card_notes_api.router,
    consents_api.router,
    records_api.router,
    audit_api.router,
    sign_in_api.router,
    account_api.router,
    practice_api.router,
    watching.router,
)
