"""Sending by SMTP: verified TLS or nothing, and errors that repeat no address and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from server.mail import MailError, MailServer, RecipientError, notice
from tests.server.certificates import certificate
from tests.server.mail_rig import MAIL, URL, Inbox, mail_server, server_at, tls_of
from tests.server.server_rig import NOW


def send_through(server: MailServer) -> None:
    server.send(notice(server.sender, MAIL, URL, now=NOW, random=bytes(16)))


def test_starttls_with_a_certificate_that_is_believed(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    inbox = Inbox()
    with mail_server(inbox, tls_context=tls_of(files), require_starttls=True) as port:
        send_through(server_at(port, security="starttls", cafile=files.cert))
    assert inbox.secure == [True]


def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    inbox = Inbox()
    with mail_server(inbox, ssl_context=tls_of(files)) as port:
        send_through(server_at(port, security="tls", cafile=files.cert))
    assert len(inbox.taken) == 1


@pytest.mark.parametrize("what", ["unknown", "other name"])
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_wrong_certificate_gets_nothing(tmp_path: Path, what: str, security: str) -> None:
    files = certificate(tmp_path, "127.0.0.1" if what == "unknown" else "mail.example")
    cafile = certificate(tmp_path, stem="another").cert if what == "unknown" else files.cert
    how = {"tls_context": tls_of(files)} if security == "starttls" else {"ssl_context": tls_of(files)}
    inbox = Inbox()
    with mail_server(inbox, **how) as port, pytest.raises(MailError, match="SSLCertVerificationError"):
        send_through(server_at(port, security=security, cafile=cafile))
    assert inbox.taken == []


def test_a_server_that_offers_no_starttls_gets_nothing(tmp_path: Path) -> None:
    inbox = Inbox()
    with mail_server(inbox) as port, pytest.raises(MailError, match="SMTPNotSupportedError"):
        send_through(server_at(port, security="starttls"))
    assert inbox.taken == []


def test_the_password_goes_to_the_right_server_only(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    password = tmp_path / "password"
    password.write_text("correct-horse\n")
    tried: list[tuple[bytes, bytes]] = []

    def authenticate(_server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        tried.append((data.login, data.password))
        return AuthResult(success=data.password == b"correct-horse")

    inbox = Inbox()
    how = {"authenticator": authenticate, "tls_context": tls_of(files), "auth_required": True}
    with mail_server(inbox, **how) as port:
        server = server_at(
            port, security="starttls", cafile=files.cert, user="notices", password_file=password
        )
        send_through(server)
        password.write_text("something-else\n")
        with pytest.raises(MailError, match="SMTP") as refusal:
            send_through(server)
    assert "something" not in str(refusal.value)
    assert tried[0] == (b"notices", b"correct-horse")
    assert len(inbox.taken) == 1


def test_refusals_say_no_address(tmp_path: Path) -> None:
    inbox = Inbox(refuse=f"550 no such user {MAIL}")
    with mail_server(inbox) as port, pytest.raises(RecipientError) as refusal:
        send_through(server_at(port))
    assert MAIL not in str(refusal.value)
