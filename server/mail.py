"""Sends one message by SMTP, over verified TLS unless the practice said that it is not wanted."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Final

from server.settings import Settings, secret_from

TIMEOUT_S: Final = 20
_REFUSALS: Final = range(500, 600)

SUBJECT: Final = "You have something to review"
BODY: Final = """\
Something is waiting for you in Onebreath:

{url}

This message says nothing more, on purpose. You get at most one in a while, however much there is.
"""

RESET_SUBJECT: Final = "Someone asked to change how you sign in"
RESET_BODY: Final = """\
Someone who has your passphrase and your recovery code asked to replace the second factor of your Onebreath
account. It can be replaced from {when} UTC on.

If that was you, there is nothing to do before then. If it was not, sign in before then as you always do:
that stops it. Then change your passphrase.

{url}
"""


class MailError(Exception):
    """The mail server could not be used, or would not take the message now. Try later."""


class RecipientError(Exception):
    """The mail server refused this recipient for good."""


@dataclass(frozen=True)
class MailServer:
    """Where mail goes out. `security` is "starttls", "tls" or "none"; the password is read when used."""

    host: str
    port: int
    security: str
    user: str | None
    password_file: Path | None
    sender: str
    cafile: Path | None

    @classmethod
    def of(cls, settings: Settings) -> MailServer:
        """The one that the settings name; they name one when notices are on."""
        assert settings.smtp_host is not None and settings.smtp_from is not None  # noqa: S101, PT018
        return cls(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_security,
            settings.smtp_user,
            settings.smtp_password_file,
            settings.smtp_from,
            settings.smtp_cafile,
        )

    def send(self, message: EmailMessage) -> None:
        """Hand over a message to its one recipient. Raises MailError, RecipientError: no addresses."""
        try:
            with self._connected() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            if codes and all(code in _REFUSALS for code in codes):
                raise RecipientError(f"refused with {codes[0]}") from None
            raise MailError(f"not taken now, {codes[0] if codes else 'no code'}") from None
        except smtplib.SMTPResponseException as error:
            # Its text may repeat an address.
            raise MailError(f"{type(error).__name__} {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailError(type(error).__name__) from None

    def _connected(self) -> smtplib.SMTP:
        # By its own address the server would be looked up, and its name told to the mail server.
        said = self.sender.rpartition("@")[2]
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, local_hostname=said, timeout=TIMEOUT_S, context=self._context()
            )
        else:
            server = smtplib.SMTP(self.host, self.port, local_hostname=said, timeout=TIMEOUT_S)
        try:
            if self.security == "starttls":
                server.starttls(context=self._context())
            if self.user is not None and self.password_file is not None:
                server.login(self.user, secret_from(self.password_file))
        except BaseException:
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=None if self.cafile is None else str(self.cafile))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def notice(
    sender: str, recipient: str, url: str, *, now: int, random: bytes, reset_at: int | None = None
) -> EmailMessage:
    """Something waits: no client, no part, no number. With `reset_at`, in Unix seconds: the warning that the
    second factor can be replaced from then on. `random` names the message, 16 bytes."""
    message = EmailMessage()
    message["From"] = f"Onebreath <{sender}>"
    message["To"] = recipient
    message["Subject"] = SUBJECT if reset_at is None else RESET_SUBJECT
    message["Date"] = formatdate(now, usegmt=True)
    message["Message-ID"] = f"<{random.hex()}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if reset_at is None:
        message.set_content(BODY.format(url=url))
    else:
        when = datetime.fromtimestamp(reset_at, UTC)
        message.set_content(RESET_BODY.format(url=url, when=f"{when:%Y-%m-%d %H:%M}"))
    return message
