"""The clinician's page as files: exactly those of this release, each with its policy, and their hashes.

What can be asked for is a fixed table made from the installed package; no path that a caller wrote is ever
joined to another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

router = APIRouter(include_in_schema=False)
"""Not calls: what a browser loads. None of these is in the OpenAPI document."""

TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, by its ending; anything else in the folder is not."""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types onebreath-workers",
    )
)
"""Fonts, frames and all else are 'none' by default. The one Trusted Types policy is in page/workers.js."""

HASHES: Final = "/page/hashes.json"
START: Final = "index.html"
PAIRING: Final = "pair.html"


@dataclass(frozen=True)
class PageFile:
    """One file: its bytes, its media type, and SHA-256 of the bytes in hex."""

    body: bytes
    media_type: str
    sha256: str


@cache
def page_files() -> Mapping[str, PageFile]:
    """Every file of this release by its path within the page ("wire/bytes.js")."""
    return dict(sorted(_found(files("server") / "page", "")))


@cache
def hashes() -> Mapping[str, str]:
    """SHA-256 in hex of what each address answers, as this release has it."""
    return {address: page_files()[name].sha256 for address, name in _addresses().items()}


def manifest() -> bytes:
    """`hashes` as JSON, with the release that they are of."""
    document = {"release": version("onebreath"), "sha256": dict(hashes())}
    return json.dumps(document, indent=1, sort_keys=True).encode("ascii") + b"\n"


@router.get("/")
@router.get("/set-up")
async def start() -> Response:
    """The page. What follows `#` in a set-up link is never sent."""
    return _answer(START)


@router.get("/pair/{pairing}")
async def pairing_link(pairing: str) -> Response:
    """What a pairing link says to somebody who opens it in a browser, whichever link it is."""
    return _answer(PAIRING)


@router.get(HASHES)
async def listed() -> Response:
    """The hashes of every file, as this server has them."""
    return Response(manifest(), media_type="application/json")


@router.get("/page/{name:path}")
async def file(name: str) -> Response:
    """One file of the page."""
    return _answer(name)


def _answer(name: str) -> Response:
    found = page_files().get(name)
    if found is None:
        raise HTTPException(404)
    headers = {
        "Content-Type": found.media_type,
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "ETag": f'"{found.sha256}"',
    }
    return Response(found.body, headers=headers)


def _found(folder: Traversable, path: str) -> Iterator[tuple[str, PageFile]]:
    for entry in folder.iterdir():
        name = f"{path}{entry.name}"
        if entry.is_dir():
            yield from _found(entry, f"{name}/")
            continue
        ending = entry.name[entry.name.rfind(".") :]
        if ending in TYPES:
            body = entry.read_bytes()
            yield name, PageFile(body, TYPES[ending], hashlib.sha256(body).hexdigest())


def _addresses() -> dict[str, str]:
    return {"/": START, "/set-up": START, **{f"/page/{name}": name for name in page_files()}}
