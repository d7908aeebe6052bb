"""Whether a running server's page is this release's: every file fetched and compared by SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from server.errors import ServerError
from server.page_files import HASHES, POLICY, hashes
from voice.wire.pairing import is_loopback

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Compared:
    """What was found. `other`, `missing`, `more` are addresses; `policy`: those under another policy."""

    release: str
    same: int
    other: tuple[str, ...]
    missing: tuple[str, ...]
    more: tuple[str, ...]
    policy: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the server gives exactly this release's page."""
        return not (self.other or self.missing or self.more or self.policy)


def compare(url: str, client: httpx.Client | None = None) -> Compared:
    """Fetch every file of the page at this origin and hold it against this release's.

    Raises ServerError when `url` is not an origin, is plain http to another machine, or does not answer.
    """
    origin = _origin(url)
    with client or httpx.Client(timeout=TIMEOUT, trust_env=False) as asking:
        try:
            return _compared(asking, origin, hashes())
        except httpx.HTTPError as error:
            raise ServerError(
                f"The server at {origin} does not answer: {type(error).__name__}.",
                "Check the address, and that this machine is online.",
            ) from error


def _compared(client: httpx.Client, origin: str, expected: Mapping[str, str]) -> Compared:
    release, told = _told(client, origin)
    other, missing, policy = [], [], []
    for address, digest in expected.items():
        status, body, said = _fetched(client, origin + address)
        if status != 200:
            missing.append(address)
            continue
        if hashlib.sha256(body).hexdigest() != digest:
            other.append(address)
        if said != POLICY:
            policy.append(address)
    same = len(expected) - len(other) - len(missing)
    more = sorted(set(told) - set(expected))
    return Compared(release, same, tuple(other), tuple(missing), tuple(more), tuple(policy))


def _told(client: httpx.Client, origin: str) -> tuple[str, dict[str, str]]:
    """What the server itself says that it has: its release, and addresses with hashes."""
    status, body, _ = _fetched(client, origin + HASHES)
    try:
        document: Any = json.loads(body) if status == 200 else None
        release, told = document["release"], document["sha256"]
        if not isinstance(release, str) or not isinstance(told, dict):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ServerError(
            f"{origin} gives no list of its page's files.",
            "It may be another program, or a server without the page.",
        ) from error
    shown = "".join(letter for letter in release[:40] if letter.isprintable())
    return shown, {str(address): str(digest) for address, digest in told.items()}


def _fetched(client: httpx.Client, address: str) -> tuple[int, bytes, str]:
    """Status, body cut at the most that a file may have, and its policy. Redirects are not followed."""
    body = bytearray()
    with client.stream("GET", address, follow_redirects=False) as answer:
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                break
        return answer.status_code, bytes(body), answer.headers.get("content-security-policy", "")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise ServerError(f"{url!r} is not a server's address.", "Give it as in https://clinic.example.")
    if parts.scheme == "http" and not is_loopback(host):
        raise ServerError(
            "Over plain http anyone on the way could answer.", f"Give the address with https://{host}."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")
