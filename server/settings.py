"""How this server is run: one frozen set of settings. Where they come from is in configuration.py.

Secrets are not settings: a setting names the file that holds one, which is read where it is used.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from server.errors import ServerError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8750
DAY_MINUTES = 24 * 60


def _whole(default: int, least: int, most: int) -> Any:
    return field(default=default, metadata={"range": (least, most)})


def _one_of(default: str, *others: str) -> Any:
    return field(default=default, metadata={"choices": (default, *others)})


@dataclass(frozen=True)
class Settings:
    """docs/server.md says what each means, in the same order. Units are in the names.

    `database_url` is an SQLAlchemy URL and may hold a password, so it is never shown. `port` 0: any free one.
    `public_url` is the origin that devices use ("https://clinic.example"); None: what each request says.
    """

    database_url: str = field(repr=False)
    host: str = DEFAULT_HOST
    port: int = _whole(DEFAULT_PORT, 0, 65535)
    public_url: str | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    workers: int = _whole(1, 1, 64)
    trusted_proxies: tuple[str, ...] = ()
    body_limit_bytes: int = _whole(262_144, 65_536, 16_777_216)
    request_timeout_s: int = _whole(20, 1, 600)
    keep_alive_s: int = _whole(15, 1, 600)
    concurrency: int = _whole(100, 1, 10_000)
    drain_s: int = _whole(10, 0, 600)
    metrics_host: str = DEFAULT_HOST
    metrics_port: int = _whole(0, 0, 65535)
    metrics_token_file: Path | None = None
    log_format: str = _one_of("auto", "json", "plain")
    log_level: str = _one_of("info", "debug", "warning", "error")
    log_requests: bool = False
    log_addresses: bool = False
    disk_free_mb: int = _whole(200, 0, 1_000_000)
    notices: bool = False
    notice_batch_minutes: int = _whole(60, 5, DAY_MINUTES)
    smtp_host: str | None = None
    smtp_port: int = _whole(587, 1, 65535)
    smtp_security: str = _one_of("starttls", "tls", "none")
    smtp_user: str | None = None
    smtp_password_file: Path | None = None
    smtp_from: str | None = None
    smtp_cafile: Path | None = None
    housekeeping_minutes: int = _whole(60, 1, DAY_MINUTES)
    session_idle_minutes: int = _whole(15, 1, DAY_MINUTES)
    session_absolute_minutes: int = _whole(12 * 60, 5, 7 * DAY_MINUTES)

    def __post_init__(self) -> None:
        if self.public_url is not None:
            _check_origin(self.public_url)
        if (self.certfile is None) != (self.keyfile is None):
            raise ServerError("TLS needs both a certificate and its key.", "Give --certfile and --keyfile.")
        if self.session_idle_minutes > self.session_absolute_minutes:
            raise ServerError(
                "Sessions would be cut off before they are idle.",
                "Set session_idle_minutes to at most session_absolute_minutes.",
            )
        for network in self.trusted_proxies:
            _check_network(network)
        _check_mail(self)

    @property
    def secure(self) -> bool:
        """Whether clients reach this server by https, here or at the proxy before it."""
        return self.certfile is not None or (self.public_url or "").startswith("https://")

    @property
    def measured(self) -> bool:
        """Whether metrics are given to anyone."""
        return self.metrics_port != 0 or self.metrics_token_file is not None


def database_url(text: str) -> str:
    """An SQLAlchemy URL from a URL or from the path of an SQLite file."""
    return text if "://" in text else f"sqlite:///{Path(text).expanduser().absolute()}"


def default_database() -> Path:
    """Where the database lives when nobody says otherwise."""
    return Path(platformdirs.user_data_dir("onebreath-server")) / "onebreath.db"


def secret_from(path: Path) -> str:
    """The one line of a secret's file. Raises ServerError; never says what is in it."""
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ServerError(
            f"The secret in {path} cannot be read: {reason}.", "Check the path and who may read it."
        ) from error
    if len(secret) < 8 or not secret.isprintable() or not secret.isascii():
        raise ServerError(
            f"The secret in {path} is too short, or not plain ASCII.",
            "Put one line of at least 8 characters there.",
        )
    return secret


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ServerError(
            f"{text!r} in trusted_proxies is not a network.",
            "Give addresses such as 127.0.0.1 or 10.0.0.0/8.",
        ) from error


def _check_mail(settings: Settings) -> None:
    if settings.notices and not (settings.smtp_host and settings.smtp_from and settings.public_url):
        raise ServerError(
            "Notices need a mail server, a sender's address and the server's public URL.",
            "Set smtp_host, smtp_from and public_url, or notices = false.",
        )
    if (settings.smtp_user is None) != (settings.smtp_password_file is None):
        raise ServerError(
            "A mail account has a user and a password.", "Set both smtp_user and smtp_password_file."
        )
    if settings.smtp_user is not None and settings.smtp_security == "none":
        raise ServerError(
            "The mail password would be sent in the clear.", 'Set smtp_security to "starttls" or "tls".'
        )
    sender = settings.smtp_from
    if sender is not None and (sender.count("@") != 1 or not sender.isascii() or not sender.isprintable()):
        raise ServerError(f"{sender!r} is not an e-mail address.", "Set smtp_from to notices@clinic.example.")


def _check_origin(url: str) -> None:
    parts = urlsplit(url)
    try:
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isascii()
    except ValueError:
        whole = False
    if not whole or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ServerError(
            f"{url!r} is not an origin.", "Give scheme, host and port only, as in https://clinic.example."
        )
