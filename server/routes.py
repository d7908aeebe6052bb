"""Every group of calls that the server answers."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from server import clinician_api, device_api

ROUTERS: Final[tuple[APIRouter, ...]] = (
    device_api.router,
    clinician_api.router,
)
