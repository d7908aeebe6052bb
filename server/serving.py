"""Listens: binds first, so that a port in use is said plainly, then serves until it is told to stop."""

from __future__ import annotations

import signal
import socket
import ssl
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from server.app import create_app
from server.errors import ServerError
from server.settings import Settings
from voice.wire.pairing import is_loopback

BACKLOG = 512
GRACE_S = 10


@dataclass(frozen=True)
class Listener:
    """A bound socket and the app behind it. Calls that come before `serve` wait in the backlog."""

    settings: Settings
    app: FastAPI
    bound: socket.socket

    @classmethod
    def open(cls, settings: Settings) -> Listener:
        """Check TLS, open the database, bind. Raises ServerError."""
        if settings.certfile is not None:
            _check_tls(settings)
        bound = _bind(settings.host, settings.port)
        try:
            app = create_app(settings)
        except BaseException:
            bound.close()
            raise
        return cls(settings, app, bound)

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "http" if self.settings.certfile is None else "https"
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"{scheme}://{host}:{self.bound.getsockname()[1]}"

    @property
    def private(self) -> bool:
        """Whether what comes here is safe from others: TLS, or this machine alone."""
        return self.settings.certfile is not None or is_loopback(self.settings.host)

    def serve(self) -> None:
        """Answer until SIGINT or SIGTERM, then end the calls under way. Logs no calls."""
        config = uvicorn.Config(
            self.app,
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ssl_certfile=self.settings.certfile,
            ssl_keyfile=self.settings.keyfile,
            timeout_graceful_shutdown=GRACE_S,
        )
        # uvicorn raises the signal again when it has ended; a server that was told to stop has not failed.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[self.bound])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise ServerError(
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            "Another program may be using the port, or the address is not this machine's. "
            "Give another with --port or --host.",
        ) from error
    return bound


def _check_tls(settings: Settings) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(str(settings.certfile), str(settings.keyfile))
    except OSError as error:
        raise ServerError(
            f"The TLS certificate or its key cannot be used: {error.strerror or error}.",
            "Both are PEM files; the key belongs to the certificate and has no passphrase.",
        ) from error
