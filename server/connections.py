"""One HTTP/1.1 connection: the web server's own, but no caller may keep it waiting for a request's head."""

from __future__ import annotations

import asyncio
import json
from typing import Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.errors import RefusedError

HEAD_LIMIT_BYTES: Final = 16_384
"""The request line and all headers together."""


class Connection(H11Protocol):
    """Closed when a request's head takes too long, or when there are too many of its kind."""

    head_timeout_s: float
    most: int
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that is whole is no longer waited for."""
        super().data_received(data)
        if self._between_requests():
            if data and self._head_timer is None:
                self._await_head()
        else:
            self._forget_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """The timer must not outlive the connection."""
        self._forget_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is answered in the shape of every other error."""
        refusal = RefusedError(400, "request", "This is not an HTTP request that can be read.")
        body = json.dumps(refusal.body).encode("ascii")
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        try:
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            # An answer had already begun when the nonsense came.
            pass
        self.transport.close()

    def _between_requests(self) -> bool:
        cycle = cast("object | None", self.cycle)
        return cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._too_slow)

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self._between_requests() and not self.transport.is_closing():
            self.transport.close()


def connections(head_timeout_s: float, most: int) -> type[Connection]:
    """The class of this server's connections: seconds for a head, and how many at once."""
    return type("Connection", (Connection,), {"head_timeout_s": head_timeout_s, "most": most})
