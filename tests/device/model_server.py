"""A real HTTP server on loopback that serves one archive, well or badly, and notes what was asked of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ETAG = '"one"'


@dataclass
class Shop:
    """What the server does. `cut_at` ends the first answers after that many bytes; `asked` lists ranges."""

    content: bytes
    ranges: bool = True
    etag: str = ETAG
    status: int = 200
    cut_at: list[int] = field(default_factory=list)
    length: bool = True
    location: str = ""
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


def _handler(shop: Shop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            shop.asked.append(wanted)
            if shop.status != 200:
                self.send_response(shop.status)
                if shop.location:
                    self.send_header("Location", shop.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            if wanted and shop.ranges and self.headers.get("If-Range") == shop.etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206)
                size = len(shop.content)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            else:
                self.send_response(200)
            body = shop.content[start:]
            self.send_header("ETag", shop.etag)
            if shop.length:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body[: shop.cut_at.pop(0)] if shop.cut_at else body)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    return Handler


@contextmanager
def serve(content: bytes) -> Iterator[Shop]:
    """A shop with this archive under `shop.url`."""
    shop = Shop(content)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(shop)) as server:
        shop.url = f"http://127.0.0.1:{server.server_address[1]}/model.zip"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield shop
        finally:
            server.shutdown()
            thread.join()
