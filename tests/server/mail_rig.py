"""A real SMTP server on this machine, and what it took."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope

from server.mail import MailServer

URL = "https://clinic.example/"
MAIL = "dr.okafor@clinic.example"


@dataclass
class Inbox:
    """What the mail server took; `refuse` answers RCPT with that instead."""

    taken: list[Envelope] = field(default_factory=list)
    refuse: str | None = None
    secure: list[bool] = field(default_factory=list)
    during: Any = None

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        self.taken.append(envelope)
        self.secure.append(session.ssl is not None)
        if self.during is not None:
            await asyncio.to_thread(self.during)
        return "250 OK"


@contextmanager
def mail_server(inbox: Inbox, **how: Any) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **how)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def server_at(port: int, **changes: Any) -> MailServer:
    plain = MailServer("127.0.0.1", port, "none", None, None, "n@clinic.example", None)
    return replace(plain, **changes)


def tls_of(files: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    return context
