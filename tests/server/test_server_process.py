"""`onebreath serve` as a real process on a real port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests.server.server_rig import NOW, Rig, record_path

COMMAND = (sys.executable, "-m", "voice", "serve")


@contextmanager
def serving(database: Path | str, *more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server process and its address; killed at the end if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--database", str(database), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"listening on (\S+)", line)
        assert found, line + (process.stderr.read() if process.stderr else "")
        yield found[1], process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_a_record_that_was_acknowledged_survives_a_kill(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    path = record_path(frame)
    receipts = []
    for _ in range(2):
        with serving(rig.settings.database_url) as (url, process):
            rig.clock.now = int(datetime.now(UTC).timestamp())
            headers = rig.headers(device, "PUT", path, frame, origin=url)
            answer = httpx.put(url + path, content=frame, headers=headers)
            receipts.append((answer.status_code, answer.json()))
            process.kill()
    assert receipts[0][0] == 201
    assert receipts[1] == (200, receipts[0][1])


def test_it_says_where_it_is_and_nothing_of_what_it_gets(rig: Rig, tmp_path: Path) -> None:
    with serving(tmp_path / "server.db") as (url, process):
        answer = httpx.get(url + "/health")
        assert answer.json() == {"status": "ok"}
        assert answer.headers.get_list("date") == [answer.headers["date"]]
        assert "server" not in answer.headers
        for path in ("/docs", "/redoc", "/openapi.json", "/v1/records/none"):
            assert httpx.get(url + path).status_code in (404, 405)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == "Stopped.\n"
    assert err == ""


def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--port", port, "--database", str(tmp_path / "server.db"))
    assert ended.returncode == 1
    assert f"port {port}" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_damaged_database_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "server.db").write_bytes(b"\x00" * 64 + b"not a database" * 100)
    ended = run("--port", "0", "--database", str(tmp_path / "server.db"))
    assert ended.returncode == 1
    assert "is damaged" in ended.stderr
    assert "backup" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_has_an_example(tmp_path: Path) -> None:
    ended = run("--help")
    assert ended.returncode == 0
    assert "onebreath serve --database" in ended.stdout


@pytest.mark.parametrize("what", ["missing", "nonsense", "half"])
def test_a_certificate_that_cannot_be_used_is_said_plainly(tmp_path: Path, what: str) -> None:
    certificate = tmp_path / "cert.pem"
    if what == "nonsense":
        certificate.write_text("not a certificate")
    options = ["--certfile", str(certificate)]
    if what != "half":
        options += ["--keyfile", str(certificate)]
    ended = run("--port", "0", "--database", str(tmp_path / "server.db"), *options)
    assert ended.returncode == 1
    assert "TLS" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_tls(tmp_path: Path) -> None:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(NOW)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(encoding))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files = ("--certfile", str(tmp_path / "cert.pem"), "--keyfile", str(tmp_path / "key.pem"))
    with serving(tmp_path / "server.db", *files) as (url, _):
        assert url.startswith("https://")
        assert httpx.get(url + "/health", verify=False).json() == {"status": "ok"}  # noqa: S501
