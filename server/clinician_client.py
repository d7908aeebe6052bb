"""The clinician's side of the server's calls: signed with the identity key, believed only in shape.

What the answers say is checked elsewhere (reader.py): nothing here trusts the server with more than delivery.
"""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from server.errors import ServerError
from server.keyfile import Clinician
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError
from voice.wire.pairing import is_loopback
from voice.wire.requests import clinician_key_id, sign_headers

PAGE: Final = 200
MOST_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""A page of the largest records is 22 MB."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)

T = TypeVar("T")


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
    outbox_depth: int | None = None
    label: bytes | None = None


@dataclass(frozen=True)
class CardEntry:
    """A card as the server lists it. `fetched_at`: when the device said that it has it, or None.

    `report` is the device's newest sealed report as it came, not verified (b"": it cannot be read); None when
    there is none. `reported_at`: when the server got it.
    """

    card_id: bytes
    version: int
    created_at: str
    fetched_at: str | None
    report: bytes | None = None
    reported_at: str | None = None


@dataclass(frozen=True)
class RecordEntry:
    """A record as the server lists it: `device` in hex as the server says, `frame` as it came."""

    cursor: int
    device: str
    received_at: str
    frame: bytes


@dataclass(frozen=True)
class Listing:
    """All pages. `broken` counts entries without the right shape; not `whole`: the pages did not go on."""

    records: tuple[RecordEntry, ...]
    broken: int = 0
    whole: bool = True


class CallRefusedError(ServerError):
    """The server answered with an error; `code` is the contract's word for it, or empty."""

    def __init__(self, code: str, cause: str, remedy: str) -> None:
        super().__init__(cause, remedy)
        self.code = code


class Pages(Generic[T]):
    """Follows the pages of a list until there are no more, or until they do not go on.

    `broken` counts entries without the right shape; not `whole`: the pages ran in a circle, or one was empty
    and promised another. `last` is the newest answer.
    """

    def __init__(self, client: ClinicianClient, path: str, name: str, *, numbered: bool = False) -> None:
        """`path` has a query; `numbered`: pages go on by whole numbers that grow, else by ids."""
        self._client, self._path, self._name, self._numbered = client, path, name, numbered
        self.broken, self.whole = 0, True
        self.last: Mapping[str, Any] = {}

    def each(self, shaped: Callable[[Any], T | None]) -> Iterator[T]:
        """Every entry; `shaped` answers None for one without the right shape."""
        seen, after = set[str](), "0" if self._numbered else ""
        while True:
            place = f"&after={after}" if after else ""
            self.last = self._client.call("GET", self._path + place)
            entries = entries_of(self.last, self._name)
            for fields in entries:
                made = shaped(fields)
                if made is None:
                    self.broken += 1
                else:
                    yield made
            if self.last.get("more") is not True:
                return
            seen.add(after)
            following = self.last.get("next")
            if not entries or not self._goes_on(after, following) or str(following) in seen:
                self.whole = False
                return
            after = str(following)

    def _goes_on(self, after: str, following: object) -> bool:
        if self._numbered:
            return type(following) is int and following > int(after)
        return isinstance(following, str) and following.isascii() and following.isalnum()


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
        found = [_device(fields) for fields in entries_of(entries, "devices")]
        return tuple(device for device in found if device is not None)

    def approve(self, device_id: bytes, approval: bytes) -> None:
        """Give the server the signed approval of a device."""
        self._call("PUT", f"/v1/devices/{device_id.hex()}/approval", {"approval": b64url(approval)})

    def set_state(self, device_id: bytes, state: str) -> None:
        """Set a device to active, paused, discharged or revoked."""
        self._call("PUT", f"/v1/devices/{device_id.hex()}/state", {"state": state})

    def records(self, *, page: int = PAGE, device: str | None = None) -> Listing:
        """Every page of records, of one device (its id in hex) or of all, in the server's order."""
        of = "" if device is None else f"&device={device}"
        pages = Pages[RecordEntry](self, f"/v1/records?limit={page}{of}", "records", numbered=True)
        records = tuple(pages.each(_record))
        return Listing(records, pages.broken, pages.whole)

    def call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call of FORMAT.md section 7; its answer. Raises CallRefusedError and other ServerErrors."""
        return self._call(method, path, fields)

    def cards(self, device_id: bytes) -> tuple[CardEntry, ...]:
        """What was sent to a device; entries without the right shape are left out."""
        found = [_card(fields) for fields in entries_of(self._call("GET", _cards_path(device_id)), "cards")]
        return tuple(card for card in found if card is not None)

    def send_card(self, device_id: bytes, card_id: bytes, sealed: bytes) -> None:
        """Put a sealed card into a device's mailbox."""
        self._call("PUT", f"{_cards_path(device_id)}/{card_id.hex()}", sealed)

    def remove_card(self, device_id: bytes, card_id: bytes) -> None:
        """Take a card out of a device's mailbox; what the device has taken stays there."""
        self._call("DELETE", f"{_cards_path(device_id)}/{card_id.hex()}")

    def label(self, device_id: bytes, sealed: bytes) -> None:
        """Keep the client's sealed name beside a device."""
        self._call("PUT", f"/v1/devices/{device_id.hex()}/label", {"label": b64url(sealed)})

    def _call(
        self, method: str, path: str, fields: Mapping[str, Any] | bytes | None = None
    ) -> dict[str, Any]:
        """`fields` go as JSON, bytes as they are."""
        kind = "application/octet-stream" if isinstance(fields, bytes) else "application/json"
        body = fields if isinstance(fields, bytes) else b"" if fields is None else json.dumps(fields).encode()
        status, answer = self._signed(method, path, body, secrets.token_urlsafe(18), kind)
        if status == 401 and answer.get("error") == "clock":
            # This machine's clock is wrong; a nonce of the server's own takes the clock's place, once.
            status, answer = self._signed(method, path, body, str(answer.get("nonce")), kind)
        if status < 300:
            return answer
        raise CallRefusedError(plain(str(answer.get("error", ""))), *_explain(answer, self._clinician.name))

    def _signed(
        self, method: str, path: str, body: bytes, nonce: str, content_type: str
    ) -> tuple[int, dict[str, Any]]:
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
            kind = {"Content-Type": content_type} if body else {}
            with self._client.stream(method, url, content=body, headers={**headers, **kind}) as response:
                data = bytearray()
                for part in response.iter_bytes():
                    data += part
                    if len(data) > MOST_ANSWER_BYTES:
                        raise self._stranger()
            answer = json.loads(bytes(data))
        except httpx.HTTPError as error:
            raise ServerError(
                f"The server at {self.server} did not answer ({error or type(error).__name__}).",
                "Check that it runs (onebreath serve), the address, and the network.",
            ) from error
        except (ValueError, RecursionError) as error:
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


def listed(document: Mapping[str, Any]) -> tuple[tuple[DeviceEntry, ...], Listing]:
    """Devices and records of a document that holds them in the shape of the calls' answers, on one page."""
    devices = [_device(fields) for fields in entries_of(document, "devices")]
    records = [_record(fields) for fields in entries_of(document, "records")]
    whole = tuple(record for record in records if record is not None)
    return tuple(device for device in devices if device is not None), Listing(whole, records.count(None))


def entries_of(answer: Mapping[str, Any], name: str) -> list[Any]:
    """A list of an answer. Raises ServerError when there is none: the server is of another version."""
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
            depth if type(depth := fields.get("outbox_depth")) is int else None,
            None if (label := fields.get("label")) is None else from_b64url(label),
        )
    except (KeyError, TypeError, ValueError, AttributeError, FrameError):
        return None


def _cards_path(device_id: bytes) -> str:
    return f"/v1/devices/{device_id.hex()}/cards"


def _card(fields: object) -> CardEntry | None:
    if not isinstance(fields, dict):
        return None
    try:
        fetched = fields["fetched_at"]
        return CardEntry(
            bytes.fromhex(fields["card"]),
            int(fields["version"]),
            plain(str(fields["created_at"])),
            None if fetched is None else plain(str(fetched)),
            _report(fields.get("report")),
            None if fields.get("reported_at") is None else plain(str(fields["reported_at"])),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _report(text: object) -> bytes | None:
    if text is None:
        return None
    try:
        return from_b64url(str(text))
    except FrameError:
        return b""


def _record(fields: object) -> RecordEntry | None:
    if not isinstance(fields, dict):
        return None
    try:
        cursor, device = fields["cursor"], plain(str(fields["device"]))
        frame = from_b64url(fields["frame"])
        return RecordEntry(int(cursor), device, plain(str(fields["received_at"])), frame)
    except (KeyError, TypeError, ValueError, AttributeError, FrameError):
        return None
