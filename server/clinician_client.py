"""The clinician's side of the server's calls: signed with the identity key, believed only in shape.

What the answers say is checked elsewhere (reader.py): nothing here trusts the server with more than delivery.
"""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from server.errors import ServerError
from server.keyfile import Clinician
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError
from voice.wire.pairing import is_loopback
from voice.wire.requests import clinician_key_id, sign_headers

PAGE: Final = 200
TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)


@dataclass(frozen=True)
class DeviceEntry:
    """A device as the server lists it; nothing of it is verified."""

    device_id: bytes
    signing: bytes
    encryption: bytes
    proof: bytes
    pairing_id: bytes
    invitation: bytes
    approval: bytes | None
    state: str
    last_seen_at: str | None


@dataclass(frozen=True)
class RecordEntry:
    """A record as the server lists it: `device` in hex as the server says, `frame` as it came."""

    cursor: int
    device: str
    received_at: str
    frame: bytes


@dataclass(frozen=True)
class Listing:
    """All pages. `broken` counts entries without the right shape; not `whole`: the pages ran in a circle."""

    records: tuple[RecordEntry, ...]
    broken: int = 0
    whole: bool = True


class ClinicianClient:
    """Calls as one clinician. Every call raises ServerError with cause and remedy."""

    def __init__(
        self,
        server: str,
        clinician: Clinician,
        *,
        client: httpx.Client | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ServerError(f"{server!r} is not a server.", "Give it as in --server https://clinic.example")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ServerError(f"{server} is not reached over TLS.", "Use https:// for another machine.")
        self.server = server.rstrip("/")
        self._clinician = clinician
        self._clock = clock
        self._client = client or httpx.Client(
            timeout=TIMEOUT, verify=ssl.create_default_context(), follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def invite(self, invitation: bytes) -> None:
        """Give the server an invitation to keep."""
        self._call("POST", "/v1/invitations", {"invitation": b64url(invitation)})

    def devices(self) -> tuple[DeviceEntry, ...]:
        """The clinician's devices; entries without the right shape are left out."""
        entries = self._call("GET", "/v1/devices")
        found = [_device(fields) for fields in _list(entries, "devices")]
        return tuple(device for device in found if device is not None)

    def approve(self, device_id: bytes, approval: bytes) -> None:
        """Give the server the signed approval of a device."""
        self._call("PUT", f"/v1/devices/{device_id.hex()}/approval", {"approval": b64url(approval)})

    def set_state(self, device_id: bytes, state: str) -> None:
        """Set a device to active, paused, discharged or revoked."""
        self._call("PUT", f"/v1/devices/{device_id.hex()}/state", {"state": state})

    def records(self, *, page: int = PAGE) -> Listing:
        """Every page of records, in the server's order."""
        after, broken = 0, 0
        records: list[RecordEntry] = []
        while True:
            answer = self._call("GET", f"/v1/records?after={after}&limit={page}")
            for fields in _list(answer, "records"):
                record = _record(fields)
                if record is None:
                    broken += 1
                else:
                    records.append(record)
            if answer.get("more") is not True:
                return Listing(tuple(records), broken)
            following = answer.get("next")
            if type(following) is not int or following <= after:
                return Listing(tuple(records), broken, whole=False)
            after = following

    def _call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = b"" if fields is None else json.dumps(fields).encode()
        status, answer = self._signed(method, path, body, secrets.token_urlsafe(18))
        if status == 401 and answer.get("error") == "clock":
            # This machine's clock is wrong; a nonce of the server's own takes the clock's place, once.
            status, answer = self._signed(method, path, body, str(answer.get("nonce")))
        if status < 300:
            return answer
        raise ServerError(*_explain(answer, self._clinician.name))

    def _signed(self, method: str, path: str, body: bytes, nonce: str) -> tuple[int, dict[str, Any]]:
        url = self.server + path
        try:
            headers = sign_headers(
                self._clinician.identity,
                clinician_key_id(self._clinician.id),
                method,
                url,
                body,
                created=max(0, int(self._clock())),
                nonce=nonce,
            )
            kind = {"Content-Type": "application/json"} if body else {}
            response = self._client.request(method, url, content=body, headers={**headers, **kind})
            answer = response.json()
        except httpx.HTTPError as error:
            raise ServerError(
                f"The server at {self.server} did not answer ({error or type(error).__name__}).",
                "Check that it runs (onebreath serve), the address, and the network.",
            ) from error
        except ValueError as error:
            raise self._stranger() from error
        if not isinstance(answer, dict):
            raise self._stranger()
        return response.status_code, answer

    def _stranger(self) -> ServerError:
        return ServerError(f"What answers at {self.server} is not an Onebreath server.", "Check --server.")


def _explain(answer: Mapping[str, Any], name: str) -> tuple[str, str]:
    code = answer.get("error")
    if code == "unknown_clinician":
        return (
            f"The server does not know {name}.",
            "On the server's machine: onebreath clinician add --existing --key-file PATH --database URL",
        )
    if code == "signature":
        return (
            "The server does not take this key file's signature.",
            "Check that --server is exactly the address it is run under (its public URL).",
        )
    message = answer.get("message") if isinstance(answer.get("message"), str) else "no reason"
    remedy = answer.get("remedy") if isinstance(answer.get("remedy"), str) else ""
    return f"The server refused: {plain(str(message))}", plain(str(remedy))


def plain(text: str) -> str:
    """A server's words without characters that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:500])


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    entries = answer.get(name)
    if not isinstance(entries, list):
        raise ServerError(
            "The server's answer is not of this version.", "Update Onebreath, or check --server."
        )
    return entries


def _device(fields: object) -> DeviceEntry | None:
    if not isinstance(fields, dict):
        return None
    try:
        approval, seen = fields["approval"], fields["last_seen_at"]
        return DeviceEntry(
            bytes.fromhex(fields["device"]),
            from_b64url(fields["signing"], 32),
            from_b64url(fields["encryption"], 32),
            from_b64url(fields["proof"], 32),
            from_b64url(fields["pairing"], 16),
            from_b64url(fields["invitation"]),
            None if approval is None else from_b64url(approval),
            plain(str(fields["state"])),
            None if seen is None else plain(str(seen)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, FrameError):
        return None


def _record(fields: object) -> RecordEntry | None:
    if not isinstance(fields, dict):
        return None
    try:
        cursor, device = fields["cursor"], plain(str(fields["device"]))
        frame = from_b64url(fields["frame"])
        return RecordEntry(int(cursor), device, plain(str(fields["received_at"])), frame)
    except (KeyError, TypeError, ValueError, AttributeError, FrameError):
        return None
