"""Listens: binds first, so that a port in use is said plainly, then serves until it is told to stop."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import ssl
import tempfile
from dataclasses import dataclass
from typing import Final

import uvicorn

from server.accounts import AccountKeys
from server.app import create_app
from server.connections import HEAD_LIMIT_BYTES, connections
from server.database import connect
from server.errors import ServerError
from server.metrics import FOLDER_VARIABLE, Metrics, serve_metrics
from server.settings import Settings, secret_from
from server.store import Store
from server.workers import Supervisor
from voice.wire.pairing import is_loopback

BACKLOG: Final = 512
_CONNECTIONS_PER_CALL: Final = 10
_log = logging.getLogger("onebreath.server")


@dataclass(frozen=True)
class Listener:
    """Bound sockets over a migrated database. Calls that come before `serve` wait in the backlog."""

    settings: Settings
    bound: socket.socket
    metrics: socket.socket | None

    @classmethod
    def open(cls, settings: Settings) -> Listener:
        """Check TLS and secrets, bind, migrate the database once for all workers. Raises ServerError."""
        if settings.certfile is not None:
            _tls(settings)
        for secret in (settings.metrics_token_file, settings.smtp_password_file):
            if secret is not None:
                secret_from(secret)
        sockets = [_bind(settings.host, settings.port, "--port or --host")]
        try:
            if settings.metrics_port:
                sockets.append(_bind(settings.metrics_host, settings.metrics_port, "metrics_port"))
            store = Store.open(settings.database_url)
            # Made once here, so that workers that start together do not both try.
            store.nonce_key()
            AccountKeys.of(store.database)
            store.close()
        except BaseException:
            for bound in sockets:
                bound.close()
            raise
        return cls(settings, sockets[0], sockets[1] if len(sockets) > 1 else None)

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

    def serve(self) -> int:
        """Answer until SIGINT or SIGTERM, then end the calls under way. The process's exit code."""
        os.environ.pop(FOLDER_VARIABLE, None)
        if self.settings.workers == 1:
            self._work()
            return 0
        folder = tempfile.mkdtemp(prefix="onebreath-metrics-")
        os.environ[FOLDER_VARIABLE] = folder
        try:
            return Supervisor(self.settings.workers, self._work, self.settings.drain_s).run()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _work(self) -> None:
        """One worker's life."""
        settings = self.settings
        app = create_app(settings, store=Store(connect(settings.database_url)))
        context = None if settings.certfile is None else _tls(settings)
        config = uvicorn.Config(
            app,
            http=connections(settings.request_timeout_s, settings.concurrency * _CONNECTIONS_PER_CALL),
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            backlog=BACKLOG,
            h11_max_incomplete_event_size=HEAD_LIMIT_BYTES,
            timeout_keep_alive=settings.keep_alive_s,
            timeout_graceful_shutdown=settings.drain_s,
            ssl_context_factory=None if context is None else lambda *_: context,
        )
        # uvicorn raises the signal again when it has ended; a server that was told to stop has not failed.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, lambda *_: _renew(settings, context))
        counted: Metrics | None = app.state.metrics
        if self.metrics is not None and counted is not None:
            serve_metrics(self.metrics, counted.render, app.state.metrics_token)
        uvicorn.Server(config).run(sockets=[self.bound])


def _bind(host: str, port: int, where: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, since asyncio sends answers without delay only on sockets that say that they are TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise ServerError(
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            "Another program may be using the port, or the address is not this machine's. "
            f"Give another with {where}.",
        ) from error
    return bound


def _tls(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer with the practice's certificate. Raises ServerError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(str(settings.certfile), str(settings.keyfile))
    except OSError as error:
        raise ServerError(
            f"The TLS certificate or its key cannot be used: {error.strerror or error}.",
            "Both are PEM files; the key belongs to the certificate and has no passphrase.",
        ) from error
    return context


def _renew(settings: Settings, context: ssl.SSLContext | None) -> None:
    """Read the certificate again; connections from now on get it. One that can't be used changes nothing."""
    if context is None:
        return
    try:
        _tls(settings)
        context.load_cert_chain(str(settings.certfile), str(settings.keyfile))
    except (ServerError, OSError):
        _log.error("the renewed certificate cannot be used; the old one stays")
    else:
        _log.info("certificate renewed")
