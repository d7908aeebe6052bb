"""How answers are spelled: times, and the headers that every answer carries."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Final

SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), interest-cohort=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer that does not say otherwise itself; the clinician's page has a policy of its own."""

HSTS: Final = "max-age=63072000; includeSubDomains"
"""Two years, where clients come by https."""


@lru_cache(maxsize=4)
def iso(seconds: int) -> str:
    """Unix seconds as `2026-11-22T22:04:06Z`."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return "9999-12-31T23:59:59Z"


@lru_cache(maxsize=4)
def http_date(seconds: int) -> str:
    """Unix seconds as a `Date` header."""
    return formatdate(seconds, usegmt=True)


def standing_headers(*, secure: bool) -> list[tuple[bytes, bytes]]:
    """The headers of every answer but its date, as ASGI spells them; `secure`: clients come by https."""
    headers = {**SECURITY_HEADERS, **({"Strict-Transport-Security": HSTS} if secure else {})}
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def completed(
    headers: list[tuple[bytes, bytes]], standing: list[tuple[bytes, bytes]], now: int
) -> list[tuple[bytes, bytes]]:
    """An answer's own headers, and those of the standing ones and the server's date that it lacks."""
    own = {name.lower() for name, _ in headers}
    missing = [header for header in standing if header[0] not in own]
    if b"date" not in own:
        missing.append((b"date", http_date(now).encode("ascii")))
    return [*headers, *missing]
