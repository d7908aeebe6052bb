"""The outermost layer of the server: limits before anything is read, headers on every answer, counts after.

Nothing of a request but its method, its route's template and its sizes is looked at here, so that logs and
metrics cannot hold what a caller wrote.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.answers import completed, standing_headers
from server.errors import RefusedError
from server.metrics import Metrics
from server.settings import Settings

CODE: Final = "onebreath.code"
"""Where the scope keeps the error code that a call was refused with."""

ALWAYS: Final = frozenset(("/health", "/ready", "/metrics"))
"""Answered however busy the server is: who watches it has to tell busy from dead."""

METHODS: Final = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_log = logging.getLogger("onebreath.request")


@dataclass
class _Seen:
    """What is known of one call. Times are seconds of `timer`, sizes bytes of bodies."""

    started: float
    status: int = 500
    received: int = 0
    sent: int = 0
    whole: bool = False


class Edge:
    """Wraps the whole app. `clock` tells Unix seconds, `timer` seconds that only grow."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        clock: Callable[[], int],
        timer: Callable[[], float],
        metrics: Metrics | None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._clock = clock
        self._timer = timer
        self._metrics = metrics
        self._standing = standing_headers(secure=settings.secure)
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(self._timer())

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                headers = completed(list(message.get("headers", ())), self._standing, self._clock())
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body":
                seen.sent += len(message.get("body", b""))
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                scope[CODE] = refusal.code
                answer = JSONResponse(refusal.body, refusal.status, headers=refusal.headers)
                await answer(scope, receive, complete)
                return
            self._under_way += 1
            try:
                await self._app(scope, self._limited(receive, seen), complete)
            finally:
                self._under_way -= 1
        finally:
            self._note(scope, seen)

    def _refusal(self, scope: Scope) -> RefusedError | None:
        """Why this call is not even begun."""
        if self._under_way >= self._settings.concurrency and scope["path"] not in ALWAYS:
            return RefusedError(
                503,
                "busy",
                "The server has as many calls as it can take.",
                "Nothing was stored. Try again in a moment.",
                headers={"Retry-After": "5"},
            )
        said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if said.isdigit() and len(said) < 19 and int(said) <= self._settings.body_limit_bytes:
            return None
        return _too_large(self._settings.body_limit_bytes)

    def _limited(self, receive: Receive, seen: _Seen) -> Receive:
        """The body as it comes in: not more than the limit, and not later."""
        until = asyncio.get_running_loop().time() + self._settings.request_timeout_s

        async def limited() -> Message:
            if seen.whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise _late() from error
            seen.received += len(message.get("body", b""))
            seen.whole = not message.get("more_body", False)
            if seen.received > self._settings.body_limit_bytes:
                raise _too_large(self._settings.body_limit_bytes)
            return message

        return limited

    def _note(self, scope: Scope, seen: _Seen) -> None:
        """Count the call, and write its line if lines are wanted."""
        if self._metrics is None and not self._settings.log_requests:
            return
        took_s = self._timer() - seen.started
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = template(scope)
        if self._metrics is not None:
            self._metrics.answered(method, route, seen.status, took_s, scope.get(CODE))
        if self._settings.log_requests:
            fields = {
                "method": method,
                "route": route,
                "status": seen.status,
                "duration_ms": round(took_s * 1000, 1),
                "bytes_in": seen.received,
                "bytes_out": seen.sent,
            }
            if self._settings.log_addresses and scope.get("client"):
                fields["address"] = scope["client"][0]
            _log.info("answered", extra={"fields": fields})


def template(scope: Scope) -> str:
    """The route that a call went to, as it is written in the code: never the path that a caller wrote."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "unmatched"


def _too_large(limit_bytes: int) -> RefusedError:
    message = f"At most {limit_bytes} bytes are taken here."
    return RefusedError(413, "too_large", message, headers={"Connection": "close"})


def _late() -> RefusedError:
    return RefusedError(
        408,
        "timeout",
        "The request did not arrive in time.",
        "Send it again.",
        headers={"Connection": "close"},
    )
