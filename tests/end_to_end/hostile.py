"""A server in between that plays what it is told: real sockets before a real server, for lies and for faults.

Requests are signed for its own address and passed on as they came, so that with no play it is the honest
server itself.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Answered:
    """An answer as it goes out. `drip_s`: one byte of the body every so many seconds."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """Content-Length, when it is to be another than the body's."""
    drip_s: float = 0.0

    @classmethod
    def saying(cls, document: object, status: int = 200) -> Answered:
        """An answer of JSON."""
        return cls(status, json.dumps(document).encode())

    @property
    def document(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)

    def changed(self, **fields: object) -> Answered:
        """The same JSON object with other fields."""
        return replace(self, body=json.dumps({**self.document, **fields}).encode())


Forward = Callable[[Asked], Answered]
Play = Callable[[Asked, Forward], Answered | None]
"""From the request, and the way to the honest server, to the answer; None hangs up without a word."""


def honest(asked: Asked, forward: Forward) -> Answered | None:
    """No play."""
    return forward(asked)


@dataclass
class Hostile:
    """The running server; `play` may be exchanged at any time. `asked` and `wrote` say what there was."""

    url: str
    upstream: str
    play: Play = honest
    asked: list[Asked] = field(default_factory=list)
    wrote: int = 0
    """Bytes of bodies that the other side let it send."""
    hung_up_on: int = 0
    """Answers that the other side did not wait to hear to the end."""

    @contextmanager
    def playing(self, play: Play) -> Iterator[Hostile]:
        """Only in this block."""
        self.play, self.asked, self.wrote, self.hung_up_on = play, [], 0, 0
        try:
            yield self
        finally:
            self.play = honest

    def forward(self, asked: Asked) -> Answered:
        """Ask the honest server, once, on a connection of its own."""
        to = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
        try:
            connection.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers:
                if name.lower() not in ("connection", "content-length"):
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(asked.body)))
            connection.endheaders(asked.body)
            answer = connection.getresponse()
            kept = tuple(
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() in ("retry-after", "onebreath-nonce", "date")
            )
            return Answered(answer.status, answer.read(), answer.getheader("content-type", ""), kept)
        finally:
            connection.close()


@contextmanager
def hostile(upstream: str = "http://127.0.0.1:9") -> Iterator[Hostile]:
    """A hostile server before `upstream`, on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            asked = Asked(self.command, self.path, tuple(self.headers.items()), body)
            one.asked.append(asked)
            try:
                said = one.play(asked, one.forward)
            except OSError:
                said = None  # the honest server is away; so is this one
            if said is None:
                self.close_connection = True
                return
            try:
                self._say(said)
            except OSError:
                one.hung_up_on += 1
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

        def _say(self, said: Answered) -> None:
            self.send_response_only(said.status)
            self.send_header("Content-Type", said.kind)
            self.send_header("Content-Length", str(len(said.body) if said.length is None else said.length))
            for name, value in said.headers:
                self.send_header(name, value)
            self.end_headers()
            step = 1 if said.drip_s else 65_536
            for at in range(0, len(said.body), step):
                self.wfile.write(said.body[at : at + step])
                self.wfile.flush()
                one.wrote += len(said.body[at : at + step])
                time.sleep(said.drip_s)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Nothing: who hangs up is counted."""

    server = Server(("127.0.0.1", 0), Handler)
    one = Hostile(f"http://127.0.0.1:{server.server_port}", upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        with suppress(OSError):
            server.server_close()
        thread.join()
