"""Settings: from file, environment and command line, each of them documented, each of them used."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from server.commands.serve import command
from server.configuration import NAMES, default, from_environment, load, read_document, variable
from server.errors import ServerError
from server.settings import Settings, secret_from
from voice.adapters.resources import checkout

_CHECKOUT = checkout()
assert _CHECKOUT is not None, "the documentation is in the checkout"
ROOT: Path = _CHECKOUT

MAIL = {"smtp_host": "mail.example", "smtp_from": "n@clinic.example", "public_url": "https://clinic.example"}


def table() -> list[tuple[str, str, str, str]]:
    text = (ROOT / "docs" / "server.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(ONEBREATH_\w+)` \| (.*?) ?\| (.+) \|$", text, re.MULTILINE)
    return [(name, env, given, meaning) for name, env, given, meaning in rows]


def test_the_table_has_every_setting_with_its_variable_and_default_in_order() -> None:
    assert [row[:3] for row in table()] == [(name, variable(name), default(name)) for name in NAMES]
    assert all(meaning.strip().endswith(".") for *_, meaning in table())


def test_every_setting_is_used() -> None:
    """A setting that nothing reads is a promise that nothing keeps."""
    sources = [
        path.read_text("utf-8")
        for path in (ROOT / "server").rglob("*.py")
        if path.name not in ("settings.py", "configuration.py")
    ]
    code = "\n".join(sources)
    unused = [field.name for field in fields(Settings) if not re.search(rf"settings\.{field.name}\b", code)]
    assert unused == []


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('host = "10.0.0.1"\nport = 1\nworkers = 2\ntrusted_proxies = ["10.0.0.0/8", "::1"]\n')
    environment = {"ONEBREATH_CONFIG": str(file), "ONEBREATH_PORT": "2", "ONEBREATH_WORKERS": "3"}
    settings = load(environment, read_document(environment, None), {"workers": 4, "host": None})
    assert (settings.host, settings.port, settings.workers) == ("10.0.0.1", 2, 4)
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")


def test_the_option_names_another_file(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text("port = 7\n")
    assert read_document({"ONEBREATH_CONFIG": "/nowhere"}, file) == {"port": 7}
    assert read_document({}, None) == {}


def test_every_kind_of_value_is_read_from_the_environment() -> None:
    settings = from_environment(
        {
            "ONEBREATH_LOG_REQUESTS": "yes",
            "ONEBREATH_LOG_ADDRESSES": "0",
            "ONEBREATH_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8",
            "ONEBREATH_METRICS_TOKEN_FILE": "/run/token",
            "ONEBREATH_LOG_FORMAT": "json",
            "ONEBREATH_DATABASE": "postgresql://u:p@h/d",
            "ONEBREATH_PUBLIC_URL": "",
        }
    )
    assert settings.log_requests is True
    assert settings.log_addresses is False
    assert settings.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
    assert settings.metrics_token_file == Path("/run/token")
    assert settings.database_url == "postgresql://u:p@h/d"
    assert settings.public_url is None


@pytest.mark.parametrize(
    "document",
    [
        {"prot": 1},
        {"smtp": {"host": "mail.example"}},
        {"port": "8750"},
        {"port": True},
        {"port": 65536},
        {"workers": 0},
        {"host": 1},
        {"host": ""},
        {"host": "a\nb"},
        {"log_requests": "yes"},
        {"log_level": "loud"},
        {"trusted_proxies": "127.0.0.1"},
        {"trusted_proxies": ["proxy.example"]},
        {"trusted_proxies": [1]},
        {"certfile": "cert.pem"},
        {"certfile": 7, "keyfile": "k"},
        {"notices": True},
        {"notices": True, **MAIL, "public_url": "clinic.example"},
        {"smtp_user": "u"},
        {"smtp_user": "u", "smtp_password_file": "f", "smtp_security": "none"},
        {"smtp_from": "two@signs@clinic.example"},
        {"session_idle_minutes": 600, "session_absolute_minutes": 60},
        {"database": 3},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_with_a_remedy(document: dict[str, Any]) -> None:
    with pytest.raises(ServerError) as refusal:
        load({}, document, {})
    assert refusal.value.cause.endswith(".")
    assert refusal.value.remedy


def test_a_file_that_cannot_be_used_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="cannot be read"):
        read_document({}, tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("port 8750")
    with pytest.raises(ServerError, match=r"line 1"):
        read_document({}, tmp_path / "bad.toml")
    ended = CliRunner().invoke(command, ["--config", str(tmp_path / "bad.toml")])
    assert ended.exit_code == 1


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    secret = "correct-horse-battery"
    assert secret not in repr(load({}, {"database": f"postgresql://u:{secret}@h/d"}, {}))
    with pytest.raises(ServerError) as refusal:
        load({}, {"database": [secret]}, {})
    assert secret not in str(refusal.value)
    file = tmp_path / "token"
    file.write_text(f"{secret}\n")
    assert secret_from(file) == secret
    assert secret not in repr(load({}, {"metrics_token_file": str(file)}, {}))
    for bad in (b"", b"tiny!\n", b"two lines\nof it here", b"\xff" * 20, "näht-more-than-8".encode()):
        file.write_bytes(bad)
        with pytest.raises(ServerError) as refused:
            secret_from(file)
        assert bad.decode("latin-1").strip() not in str(refused.value) or not bad.strip()
    with pytest.raises(ServerError, match="cannot be read"):
        secret_from(tmp_path / "none")


def test_mail_settings_that_fit_are_taken() -> None:
    settings = load({}, {"notices": True, **MAIL, "smtp_user": "u", "smtp_password_file": "/run/p"}, {})
    assert settings.notices
    assert settings.secure
    assert not settings.measured
