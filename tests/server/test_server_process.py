"""`onebreath serve` as a real process on a real port."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.server.certificates import certificate
from tests.server.server_rig import DeviceParty, Rig, record_path

COMMAND = (sys.executable, "-m", "voice", "serve")


@contextmanager
def serving(
    database: Path | str, *more: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server process and its address; killed at the end if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--database", str(database), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
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
    """TLS 1.2 or newer; SIGHUP takes a renewed certificate, and keeps the old one when it cannot be used."""
    files = certificate(tmp_path)
    options = ("--certfile", str(files.cert), "--keyfile", str(files.key))
    with serving(tmp_path / "server.db", *options, "--log-format", "plain") as (url, process):
        assert url.startswith("https://")
        answer = httpx.get(url + "/health", verify=ssl.create_default_context(cafile=str(files.cert)))
        assert answer.json() == {"status": "ok"}
        assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
        address = (url.split("/")[2].split(":")[0], int(url.rsplit(":", 1)[1]))
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(address) as plain, pytest.raises(ssl.SSLError):
            old.wrap_socket(plain)
        assert process.stderr is not None
        files.cert.write_text("half written")
        process.send_signal(signal.SIGHUP)
        assert "the old one stays" in process.stderr.readline()
        renewed = certificate(tmp_path)
        process.send_signal(signal.SIGHUP)
        assert "renewed" in process.stderr.readline()
        assert httpx.get(
            url + "/health", verify=ssl.create_default_context(cafile=str(renewed.cert))
        ).json() == {"status": "ok"}


def stopped_half_way(rig: Rig, device: DeviceParty, url: str, process: subprocess.Popen[str]) -> int:
    """The status of a record whose body comes after the server was told to stop.

    The device is paired before the server starts: the rig's clock stands in the past, and a server that
    lives in the present forgets the rig's unused links.
    """
    frame = device.record(rig.clinician, 1)
    path = record_path(frame)
    rig.clock.now = int(datetime.now(UTC).timestamp())
    fields = {
        **rig.headers(device, "PUT", path, frame, origin=url),
        "Host": url.removeprefix("http://"),
        "Content-Length": str(len(frame)),
        "Expect": "100-continue",
    }
    head = f"PUT {path} HTTP/1.1\r\n" + "".join(f"{name}: {said}\r\n" for name, said in fields.items())
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as caller, caller.makefile("rb") as answer:
        caller.sendall(head.encode() + b"\r\n")
        # The server says this when it begins to read the body: the call is under way.
        assert answer.readline().startswith(b"HTTP/1.1 100 ")
        assert answer.readline() == b"\r\n"
        process.send_signal(signal.SIGTERM)
        caller.sendall(frame)
        return int(answer.readline().split()[1])


def test_calls_under_way_are_ended_before_the_server_stops(rig: Rig) -> None:
    device = rig.paired()
    with serving(rig.settings.database_url) as (url, process):
        assert stopped_half_way(rig, device, url, process) == 201
        assert process.wait(timeout=60) == 0


def test_logs_are_one_stream_of_json(rig: Rig) -> None:
    """What uvicorn says goes the same way; what a caller sent is in none of it."""
    with serving(rig.settings.database_url, environment={"ONEBREATH_LOG_REQUESTS": "1"}) as (url, process):
        httpx.get(url + "/v1/nonce?canary-in-query")
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(b"canary-nonsense\r\n\r\n")
            said = raw.makefile("rb").read()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert b'"error": "request"' in said
    lines = [json.loads(line) for line in err.splitlines()]
    assert any(line["logger"] == "uvicorn.error" for line in lines)
    assert any(line.get("route") == "/v1/nonce" and line["status"] == 200 for line in lines)
    assert "canary" not in err


def test_a_slow_or_endless_head_is_cut_off(tmp_path: Path) -> None:
    """The other end is closed from there: reading it comes to an end, without a clock in this test."""
    with serving(
        tmp_path / "server.db",
        environment={"ONEBREATH_REQUEST_TIMEOUT_S": "1", "ONEBREATH_KEEP_ALIVE_S": "1"},
    ) as (url, _):
        host, port = url.removeprefix("http://").split(":")
        for sent in (b"", b"GET /health HTTP/1.1\r\nhost: x\r\n"):
            with socket.create_connection((host, int(port)), timeout=60) as slow:
                slow.sendall(sent)
                assert slow.recv(1000) == b""
        with socket.create_connection((host, int(port)), timeout=60) as slow:
            slow.sendall(b"POST /v1/invitations HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345")
            answer = slow.makefile("rb").read()
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert b'"timeout"' in answer
        with socket.create_connection((host, int(port)), timeout=60) as huge:
            huge.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 40_000)
            assert b" 400 " in huge.makefile("rb").readline()
        assert httpx.get(url + "/health").status_code == 200
