"""Who is calling: a request's body, read within its limit; and its signature, or its session, checked."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from server.accounts import AccountKeys, reader_closed
from server.accounts_schema import ROLES
from server.answers import http_date
from server.errors import RefusedError, not_paired
from server.intake import Sender
from server.nonces import make_nonce, nonce_expiry
from server.rows import ClinicianRow, DeviceRow
from server.sessions import SignedIn, find_session, token_in
from server.settings import Settings
from server.store import Store
from voice.wire.encoding import from_b64url, signing_key
from voice.wire.errors import ClockError, FrameError, SealError
from voice.wire.requests import WINDOW_S, Parameters, parse_parameters, verify_headers

JSON_LIMIT_BYTES = 16_384
REQUEST_HEADER: Final = "Onebreath-Request"
"""A page of another site cannot add it: its browser would ask this server first, and gets no leave."""

_READING: Final = ("GET", "HEAD")


@dataclass(frozen=True)
class Context:
    """What every call is answered with. `clock` tells Unix seconds."""

    store: Store
    settings: Settings
    clock: Callable[[], int]
    nonce_key: bytes
    account_keys: AccountKeys


@dataclass(frozen=True)
class Call:
    """One request, whole, with the URL that its caller is to have signed, and the time of its arrival."""

    context: Context
    method: str
    url: str
    headers: Headers
    body: bytes
    now: int

    @property
    def store(self) -> Store:
        """The server's store."""
        return self.context.store

    def fields(self, *names: str) -> dict[str, str]:
        """The JSON body: an object with exactly these keys, each a text. Raises RefusedError 400."""
        try:
            document: Any = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise _body(names) from error
        if not isinstance(document, dict) or document.keys() != set(names):
            raise _body(names)
        if not all(isinstance(value, str) for value in document.values()):
            raise _body(names)
        return document

    def octets(self, fields: dict[str, str], name: str, size: int | None = None) -> bytes:
        """One field as bytes. Raises RefusedError 400."""
        try:
            return from_b64url(fields[name], size)
        except FrameError as error:
            raise RefusedError(400, "body", f"{name}: {error}.", "Send canonical base64url.") from error


async def receive(request: Request, limit_bytes: int = JSON_LIMIT_BYTES) -> Call:
    """Read a request to its end, or to its limit. Raises RefusedError: 400, 413."""
    context: Context = request.app.state.context
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit_bytes:
                raise RefusedError(
                    413,
                    "too_large",
                    f"At most {limit_bytes} bytes are taken here.",
                    headers={"Connection": "close"},
                )
    except ClientDisconnect as error:
        raise RefusedError(400, "body", "The request was cut off.", "Send it again.") from error
    url = _origin(request, context.settings) + _target(request)
    return Call(context, request.method, url, request.headers, bytes(body), context.clock())


def require_sender(call: Call) -> Sender:
    """The device that signed this call, whatever its state. Raises RefusedError 401.

    Read from the database once: whoever acts on it reads the state in their own transaction.
    """
    parameters = _parameters(call, "device")
    device_id = bytes.fromhex(parameters.key_id.removeprefix("device:"))
    signing = call.store.signing_of(device_id)
    if signing is None:
        raise not_paired()
    _verify(call, parameters, signing)
    return Sender(device_id, signing)


def require_device(call: Call) -> DeviceRow:
    """The device that signed this call, as it is now, whatever its state. Raises RefusedError 401."""
    device = call.store.device(require_sender(call).device_id)
    if device is None:
        raise not_paired()
    return device


def require_clinician(call: Call, *, writes: bool = False) -> ClinicianRow:
    """The clinician whose identity key signed this call, or who is signed in. Raises RefusedError 401, 403.

    A signed call that `writes` is taken once by its nonce; one by a session must come from our own page.
    """
    signed = "signature" in call.headers or "signature-input" in call.headers
    if not signed and ("cookie" in call.headers or REQUEST_HEADER in call.headers):
        return _clinician_in_session(call, writes=writes)
    parameters = _parameters(call, "clinician")
    clinician = call.store.clinician(bytes.fromhex(parameters.key_id.removeprefix("clinician:")))
    if clinician is None:
        raise RefusedError(
            401,
            "unknown_clinician",
            "This clinician is not known here.",
            "Add them on the server's machine: onebreath clinician add",
        )
    by_server_nonce = _verify(call, parameters, signing_key(clinician.identity))
    if reader_closed(call.store.database, clinician.clinician_id):
        raise RefusedError(
            403, "closed", "This clinician's account was closed.", "Ask the practice's administrator."
        )
    if writes and not by_server_nonce:
        taken = call.store.use_nonce(
            f"{parameters.key_id} {parameters.nonce}",
            expires_at=parameters.created + WINDOW_S,
            now=call.now,
        )
        if not taken:
            raise _replayed()
    return clinician


def require_account(call: Call, *, roles: tuple[str, ...] = ROLES, writes: bool = False) -> SignedIn:
    """Who is signed in on the browser that calls, in one of these roles.

    Every call that is not a GET counts as writing. Raises RefusedError: 401 `session`, 403 `origin`, `role`.
    """
    token = token_in(call.headers.getlist("cookie"))
    idle_s = call.context.settings.session_idle_minutes * 60
    found = None if token is None else find_session(call.store.database, token, now=call.now, idle_s=idle_s)
    if found is None:
        raise RefusedError(401, "session", "Nobody is signed in here, or no longer.", "Sign in.")
    if writes or call.method not in _READING:
        require_own_page(call)
    if found.role not in roles:
        raise RefusedError(403, "role", "This is not for your role.", "Ask somebody whose role it is.")
    return found


def require_own_page(call: Call) -> None:
    """Refuse what another site made a browser send: RefusedError 403 `origin`.

    Our page adds `Onebreath-Request: 1`; where browsers add Origin and Sec-Fetch-Site, these must agree.
    """
    origin = call.headers.get("origin")
    site = call.headers.get("sec-fetch-site")
    own = call.headers.get(REQUEST_HEADER) == "1"
    own &= origin is None or origin == _plain_origin(call.url)
    own &= site is None or site == "same-origin"
    if not own:
        raise RefusedError(
            403,
            "origin",
            "This call did not come from this server's own page.",
            "Open the page by the server's public address.",
        )


def _clinician_in_session(call: Call, *, writes: bool) -> ClinicianRow:
    signed_in = require_account(call, writes=writes)
    if signed_in.clinician_id is None:
        raise RefusedError(403, "role", "An administrator reads nothing.", "Sign in as a clinician.")
    clinician = call.store.clinician(signed_in.clinician_id)
    assert clinician is not None  # noqa: S101 (a foreign key holds this)
    return clinician


def _plain_origin(url: str) -> str | None:
    """The origin of a URL as browsers write it: in lower case, without the scheme's own port.

    None for what is no URL: a caller may write anything into `Host`.
    """
    try:
        parts = urlsplit(url.lower())
    except ValueError:
        return None
    host = parts.netloc
    for scheme, port in (("https", ":443"), ("http", ":80")):
        if parts.scheme == scheme:
            host = host.removesuffix(port)
    return f"{parts.scheme}://{host}"


def _parameters(call: Call, kind: str) -> Parameters:
    try:
        parameters = parse_parameters(call.headers)
    except FrameError as error:
        raise _signature(str(error)) from error
    if not parameters.key_id.startswith(f"{kind}:"):
        raise _signature(f"this call is for a {kind}")
    return parameters


def _verify(call: Call, parameters: Parameters, key: Ed25519PublicKey) -> bool:
    """Whether the call was taken by a server nonce instead of its time."""
    try:
        verify_headers(key, call.method, call.url, call.headers, call.body, now=call.now)
    except ClockError as error:
        expires_at = nonce_expiry(parameters.nonce, call.context.nonce_key, call.now)
        if expires_at is None:
            raise _clock(call) from error
        if not call.store.use_nonce(parameters.nonce, expires_at=expires_at, now=call.now):
            raise _replayed() from error
        return True
    except (FrameError, SealError) as error:
        raise _signature(str(error)) from error
    return False


def _clock(call: Call) -> RefusedError:
    nonce = make_nonce(call.context.nonce_key, call.now, secrets.token_bytes(16))
    return RefusedError(
        401,
        "clock",
        "The caller's clock and the server's differ by more than five minutes.",
        "Sign the request again with the nonce given here, and set the clock.",
        headers={"Onebreath-Nonce": nonce, "Date": http_date(call.now)},
        extra={"nonce": nonce},
    )


def _signature(reason: str) -> RefusedError:
    return RefusedError(
        401,
        "signature",
        f"The request is not signed as it must be: {reason}.",
        "Check the key. Behind a proxy, start the server with --public-url.",
    )


def _replayed() -> RefusedError:
    return RefusedError(401, "replayed", "This nonce was used before.", "Sign with a fresh nonce.")


def _body(names: tuple[str, ...]) -> RefusedError:
    return RefusedError(400, "body", f"Expected a JSON object of texts with exactly: {', '.join(names)}.")


def _origin(request: Request, settings: Settings) -> str:
    return settings.public_url or f"{request.scope['scheme']}://{request.headers.get('host', '')}"


def _target(request: Request) -> str:
    """Path and query as they were sent, before any decoding."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode("utf-8")
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")
