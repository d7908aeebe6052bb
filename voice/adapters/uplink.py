"""The way to the server: signed requests over HTTPS; answers are believed only in the contract's shape."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import httpx

from voice.adapters.identity import (
    DeviceKeys,
    device_keys,
    load_pairing,
    not_paired,
    renew_endorsement,
    renew_statement,
)
from voice.adapters.mailbox import Page
from voice.outbox import DeviceState, Receipt, Refused, UnreachableError
from voice.wire.encoding import from_b64url
from voice.wire.errors import FrameError, SealError
from voice.wire.requests import device_key_id, sign_headers

TIMEOUT: Final = httpx.Timeout(20.0, connect=10.0)
"""Seconds for an answer, and for a connection."""

MOST_ANSWER_BYTES: Final = 65_536

WHOLE_ANSWER_WAITS: Final = 3
"""A whole answer may take as long as so many waits for a part of it: one drip after another must end."""

MOST_OUTBOX: Final = 1_000_000
"""The server takes no higher number."""

_NOTHING_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True)
class Answer:
    """A status and the JSON object that came with it."""

    status: int
    fields: Mapping[str, Any]

    def refusal(self) -> Refused:
        """It, as the outbox takes it."""
        return Refused(self.status, _text(self.fields.get("error")), _text(self.fields.get("message")))


def http_client() -> httpx.Client:
    """A client that trusts what this system trusts, and follows no redirect: a signed URL is the only URL."""
    return httpx.Client(
        timeout=TIMEOUT,
        verify=ssl.create_default_context(),
        follow_redirects=False,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "onebreath-device",
        },
    )


def exchange(client: httpx.Client, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """One request. Raises UnreachableError when no answer came, or one that no Onebreath server gives."""
    ends = time.monotonic() + WHOLE_ANSWER_WAITS * (client.timeout.read or 20.0)
    try:
        with client.stream(method, url, headers=dict(headers), content=body) as response:
            data = bytearray()
            for part in response.iter_bytes():
                data += part
                if len(data) > MOST_ANSWER_BYTES or time.monotonic() > ends:
                    raise UnreachableError(_not_ours(response.status_code), before_any_byte=False)
    except _NOTHING_SENT as error:
        raise UnreachableError(
            f"{_origin(url)} could not be reached ({error})", before_any_byte=True
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise UnreachableError(f"no answer from {_origin(url)} ({reason})", before_any_byte=False) from error
    try:
        fields = json.loads(bytes(data))
    except (ValueError, RecursionError):
        fields = None
    # A hotel's sign-in page or a proxy's error is no answer to the device, whatever its status says.
    if not isinstance(fields, dict) or (response.status_code >= 300 and "error" not in fields):
        raise UnreachableError(_not_ours(response.status_code), before_any_byte=False)
    return Answer(response.status_code, fields)


class HttpUplink:
    """A `voice.outbox.Uplink` over HTTPS. Used by one thread at a time.

    `clock` gives Unix seconds, `on_statement` gets the clinician's statement as the server last gave it,
    `on_endorsement` their word on who else reads, when there is one.
    `outbox_depth`, once it is known, is told with each question for the state: how many records wait here.
    """

    def __init__(
        self,
        server: str,
        keys: DeviceKeys,
        *,
        client: httpx.Client | None = None,
        clock: Callable[[], float] = time.time,
        on_statement: Callable[[bytes], None] = lambda statement: None,
        on_endorsement: Callable[[bytes], None] = lambda endorsement: None,
    ) -> None:
        self._server = server
        self._keys = keys
        self._client = client or http_client()
        self._clock = clock
        self._on_statement = on_statement
        self._on_endorsement = on_endorsement
        self.outbox_depth: int | None = None

    @classmethod
    def of(cls, home: Path, *, client: httpx.Client | None = None) -> Self:
        """A paired device's uplink; it keeps the statement fresh. Raises PairingError, StorageError."""
        pairing = load_pairing(home)
        if pairing is None:
            raise not_paired()

        def renew(statement: bytes) -> None:
            try:
                renew_statement(home, statement)
            except (FrameError, SealError) as error:
                raise UnreachableError(
                    f"the server showed another clinician: {error}", before_any_byte=False
                ) from error

        def renew_second(endorsement: bytes) -> None:
            try:
                renew_endorsement(home, endorsement)
            except (FrameError, SealError) as error:
                raise UnreachableError(
                    f"the server showed a word on who reads that is not believed: {error}",
                    before_any_byte=False,
                ) from error

        keys = device_keys(home)
        return cls(pairing.server, keys, client=client, on_statement=renew, on_endorsement=renew_second)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
        """Offer one sealed record. Raises UnreachableError."""
        path = f"/v1/records/{record_id.hex()}"
        answer = self._call("PUT", path, sealed, {"Content-Type": "application/octet-stream"})
        if answer.status not in (200, 201):
            return answer.refusal()
        try:
            return Receipt(
                bytes.fromhex(answer.fields["record"]),
                bytes.fromhex(answer.fields["sha256"]),
                str(answer.fields["received_at"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UnreachableError(_not_ours(answer.status), before_any_byte=False) from error

    def device_state(self) -> DeviceState:
        """What the clinician allows this device. Raises UnreachableError."""
        depth = self.outbox_depth
        said = "" if depth is None else f"?outbox={min(depth, MOST_OUTBOX)}"
        answer = self._call("GET", f"/v1/device{said}", b"", {})
        if answer.status == 200:
            try:
                state = DeviceState(answer.fields["state"])
                self._on_statement(from_b64url(answer.fields["statement"]))
                endorsement = answer.fields.get("endorsement")
                if endorsement is not None:
                    self._on_endorsement(from_b64url(endorsement))
            except (KeyError, ValueError, AttributeError, TypeError, FrameError) as error:
                raise UnreachableError(_not_ours(answer.status), before_any_byte=False) from error
            return state
        refused = answer.refusal()
        if refused.code in set(DeviceState):
            return DeviceState(refused.code)
        raise UnreachableError(f"{refused.code}: {refused.message}", before_any_byte=False)

    def cards(self, after: int) -> Page:
        """A page of this device's sealed cards with versions above `after`. Raises UnreachableError."""
        answer = self._call("GET", f"/v1/cards?after={after}", b"", {})
        if answer.status != 200:
            refused = answer.refusal()
            raise UnreachableError(f"{refused.code}: {refused.message}", before_any_byte=False)
        try:
            sealed = tuple(from_b64url(card["sealed"]) for card in answer.fields["cards"])
            return Page(sealed, answer.fields["more"] is True)
        except (KeyError, TypeError, AttributeError, FrameError) as error:
            raise UnreachableError(_not_ours(answer.status), before_any_byte=False) from error

    def card_fetched(self, card_id: bytes, version: int) -> None:
        """Tell the server that this version of a card is here. Raises UnreachableError."""
        answer = self._call("PUT", f"/v1/cards/{card_id.hex()}/{version}/fetched", b"", {})
        # 404: the card was replaced or taken away meanwhile, and nobody asks about this version any more.
        if answer.status not in (200, 404):
            refused = answer.refusal()
            raise UnreachableError(f"{refused.code}: {refused.message}", before_any_byte=False)

    def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
        """Offer a sealed report; None when the server has it now, or never will. When it has one with the
        same number or a greater one: that number. Raises UnreachableError."""
        path = f"/v1/cards/{card_id.hex()}/{version}/report"
        answer = self._call("PUT", path, sealed, {"Content-Type": "application/octet-stream"})
        if answer.status in (200, 201):
            return None
        refused = answer.refusal()
        if (answer.status, refused.code) == (409, "number"):
            said = _text(answer.fields.get("number"))
            return int(said) if said.isascii() and said.isdigit() and len(said) < 20 else None
        # The card was replaced or taken away, or the server knows no reports: nobody asks for this one.
        if answer.status in (400, 404, 409, 413):
            return None
        raise UnreachableError(f"{refused.code}: {refused.message}", before_any_byte=False)

    def _call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        answer = self._signed(method, path, body, headers, secrets.token_urlsafe(18))
        if answer.status == 401 and answer.fields.get("error") == "clock":
            # This device's clock is wrong; a nonce of the server's own takes the clock's place, once.
            nonce = _text(answer.fields.get("nonce"))
            answer = self._signed(method, path, body, headers, nonce)
        return answer

    def _signed(self, method: str, path: str, body: bytes, headers: Mapping[str, str], nonce: str) -> Answer:
        url = self._server + path
        try:
            signed = sign_headers(
                self._keys.signing,
                device_key_id(self._keys.id),
                method,
                url,
                body,
                created=max(0, int(self._clock())),
                nonce=nonce,
            )
        except ValueError as error:
            raise UnreachableError(_not_ours(401), before_any_byte=False) from error
        return exchange(self._client, method, url, {**headers, **signed}, body)


def _text(value: object) -> str:
    """A word of the server's for a log or a person: short and printable."""
    text = value if isinstance(value, str) else ""
    return "".join(letter for letter in text[:300] if letter.isprintable())


def _origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _not_ours(status: int) -> str:
    return f"the answer (status {status}) is not an Onebreath server's"
