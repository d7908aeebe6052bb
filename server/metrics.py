"""What the server counts, as Prometheus reads it. No label holds anything that a caller wrote.

Several workers write to files of one folder (the client library's multiprocess mode), so that whichever
worker is asked answers for all. The library chooses that mode when it is first imported, which is why it is
imported here as late as this.
"""

from __future__ import annotations

import hmac
import os
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from threading import Thread
from typing import Final

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_RECORDS: Final = ("PUT", "/v1/records/{record}")
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CLIENT_S: Final = 10


class Metrics:
    """One worker's counters, in a registry of its own."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        by_route = ("method", "route", "status")
        self._requests = Counter(
            "onebreath_requests", "Calls that were answered.", by_route, registry=self._registry
        )
        self._seconds = Histogram(
            "onebreath_request_seconds",
            "How long calls took.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._records = Counter(
            "onebreath_records",
            "Records that were delivered: taken, duplicate, or the code of the refusal.",
            ("result",),
            registry=self._registry,
        )
        self._refusals = Counter(
            "onebreath_refusals", "Calls that were refused, by code.", ("code",), registry=self._registry
        )
        self._database_errors = Counter(
            "onebreath_database_errors", "Calls that failed at the database.", registry=self._registry
        )
        self._notices = Counter(
            "onebreath_notices", "Notices: sent, refused or failed.", ("result",), registry=self._registry
        )
        built = Gauge(
            "onebreath_build_info",
            "The version that runs.",
            ("version",),
            registry=self._registry,
            multiprocess_mode="max",
        )
        built.labels(version("onebreath")).set(1)

    def answered(self, method: str, route: str, status: int, took_s: float, code: str | None) -> None:
        """Count one call; `route` is its template, `code` the contract's error code if it was refused."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(took_s)
        if code is not None:
            self._refusals.labels(code).inc()
        if code == "storage":
            self._database_errors.inc()
        if (method, route) == _RECORDS:
            taken = {201: "taken", 200: "duplicate"}.get(status, "fault")
            self._records.labels(code or taken).inc()

    def noticed(self, result: str) -> None:
        """Count a notice: "sent", "refused" or "failed"."""
        self._notices.labels(result).inc()

    def render(self) -> bytes:
        """All workers' counts."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if os.environ.get(FOLDER_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def allowed(authorization: str | None, token: str | None) -> bool:
    """Whether this `Authorization` header may read metrics; `token` None: everyone who can reach them may."""
    if token is None:
        return True
    said = (authorization or "").encode("utf-8", "replace")
    return hmac.compare_digest(said, f"Bearer {token}".encode("ascii"))


def serve_metrics(
    bound: socket.socket, render: Callable[[], bytes], token: str | None
) -> ThreadingHTTPServer:
    """Answer GET /metrics on a listening socket, from a thread, until the answer's `shutdown` is called."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_S

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self._answer(404, b"")
            elif not allowed(self.headers.get("Authorization"), token):
                self._answer(401, b"")
            else:
                self._answer(200, render())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response_only(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the library would write addresses and paths."""

    server = _OnSocket(bound.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = bound
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


class _OnSocket(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing: a scraper that went away is no fault, and the library would write its address."""
