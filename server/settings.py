"""How this server is run. Frozen; read once from the environment and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from server.errors import ServerError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8750


@dataclass(frozen=True)
class Settings:
    """`public_url` is the origin that devices use ("https://clinic.example"); None: what each request says.

    `database_url` is an SQLAlchemy URL. `port` 0 means any free one. `certfile` and `keyfile` are PEM files.
    """

    database_url: str
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    public_url: str | None = None
    certfile: Path | None = None
    keyfile: Path | None = None

    def __post_init__(self) -> None:
        if self.public_url is not None:
            _check_origin(self.public_url)
        if (self.certfile is None) != (self.keyfile is None):
            raise ServerError("TLS needs both a certificate and its key.", "Give --certfile and --keyfile.")


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Settings from ONEBREATH_DATABASE, ONEBREATH_HOST, ONEBREATH_PORT and ONEBREATH_PUBLIC_URL.

    Raises ServerError.
    """
    port = environment.get("ONEBREATH_PORT", str(DEFAULT_PORT))
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ServerError(f"ONEBREATH_PORT is {port!r}.", "Set it to a number from 0 to 65535.")
    return Settings(
        database_url=database_url(environment.get("ONEBREATH_DATABASE") or str(default_database())),
        host=environment.get("ONEBREATH_HOST") or DEFAULT_HOST,
        port=int(port),
        public_url=environment.get("ONEBREATH_PUBLIC_URL") or None,
    )


def database_url(text: str) -> str:
    """An SQLAlchemy URL from a URL or from the path of an SQLite file."""
    return text if "://" in text else f"sqlite:///{Path(text).expanduser().absolute()}"


def default_database() -> Path:
    """Where the database lives when nobody says otherwise."""
    return Path(platformdirs.user_data_dir("onebreath-server")) / "onebreath.db"


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
