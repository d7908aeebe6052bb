"""What is in deploy/ works as it is: units that systemd takes, proxies that leave signed requests alone."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from server.configuration import NAMES, load, variable
from tests.server.certificates import Certificate, certificate
from tests.server.server_rig import DeviceParty, Rig, record_path
from tests.server.test_server_process import serving
from tests.server.test_settings import ROOT

DEPLOY = ROOT / "deploy"
UNITS = ("onebreath-server.service", "onebreath-backup.service", "onebreath-backup.timer")


def program(name: str) -> str:
    """Where a program is; Debian keeps some of them in sbin. Skips the test without it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string((DEPLOY / name).read_text("utf-8"))
    return parsed


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that exists, since systemd looks for it."""
    for name in UNITS:
        text = (DEPLOY / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("/opt/onebreath/bin/onebreath", "/bin/true"))
    return tmp_path


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_units(units: Path, name: str) -> None:
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(units / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "onebreath" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize(
    ("name", "most"), [("onebreath-server.service", 20), ("onebreath-backup.service", 30)]
)
def test_systemd_calls_the_services_hardened(units: Path, name: str, most: int) -> None:
    """Exposure from 0 to 10, times ten: below 2.0 is systemd's "OK"."""
    analyze = program("systemd-analyze")
    done = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={most}", str(units / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot look at a unit that is not installed")
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_the_units_set_what_there_is_to_set() -> None:
    known = {variable(name) for name in NAMES} | {"ONEBREATH_CONFIG"}
    for name in (*UNITS, "Containerfile"):
        used = set(re.findall(r"ONEBREATH_[A-Z_]+", (DEPLOY / name).read_text("utf-8")))
        assert used <= known, name
    service = unit("onebreath-server.service")["Service"]
    assert service["ExecStart"].split()[-1] == "serve"
    assert int(service["TimeoutStopSec"]) > load({}, {}, {}).drain_s + 5


def test_the_service_is_confined() -> None:
    """systemd ignores what it cannot read, with a warning that nobody sees."""
    service = unit("onebreath-server.service")["Service"]
    for name, value in (
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "onebreath"),
        ("LimitCORE", "0"),
        ("UMask", "0077"),
    ):
        assert service[name] == value


def test_the_container_is_small_rootless_and_says_what_it_does() -> None:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    instructions = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    words = [line.split(maxsplit=1) for line in instructions if line.strip()]
    assert [word for word, *_ in words].count("FROM") == 2
    assert ["USER", "10001:10001"] in words
    known = "FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD".split()
    assert {word for word, *_ in words} <= set(known)
    for word, rest in words:
        if word == "COPY" and "--from" not in rest:
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest
    assert "requirements.lock" in text
    assert "--require-hashes" in text


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [bound.getsockname()[1] for bound in sockets]
    for bound in sockets:
        bound.close()
    return ports


@contextmanager
def proxied(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        while True:
            assert process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=60).close()
                break
            except ConnectionRefusedError:
                continue
        yield
    finally:
        process.terminate()
        process.wait(60)


def signed_requests_pass(rig: Rig, device: DeviceParty, origin: str, files: Certificate) -> None:
    """Pairing was before; a record goes through, and the server's headers come back."""
    frame = device.record(rig.clinician, 1)
    path = record_path(frame)
    rig.clock.now = int(datetime.now(UTC).timestamp())
    with httpx.Client(verify=ssl.create_default_context(cafile=str(files.cert)), timeout=60) as client:
        headers = rig.headers(device, "PUT", path, frame, origin=origin)
        taken = client.put(origin + path, content=frame, headers=headers)
        assert taken.status_code == 201, taken.text
        assert taken.headers["strict-transport-security"]
        assert taken.headers.get_list("x-content-type-options") == ["nosniff"]
        assert "nginx/" not in taken.headers.get("server", "")
        query = "/v1/records?after=0&limit=10"
        headers = rig.headers(rig.clinician, "GET", query, origin=origin)
        listed = client.get(origin + query, headers=headers)
        assert listed.status_code == 200, listed.text
        assert len(listed.json()["records"]) == 1
        for inside in ("/metrics", "/ready"):
            assert client.get(origin + inside).status_code == 404
        assert client.put(origin + path, content=b"x" * 300_000).status_code == 413


def test_nginx_passes_signed_requests_on(rig: Rig, tmp_path: Path) -> None:
    nginx = program("nginx")
    files = certificate(tmp_path, "localhost")
    port, plain = free_ports(2)
    origin = f"https://localhost:{port}"
    environment = {"ONEBREATH_PUBLIC_URL": origin, "ONEBREATH_TRUSTED_PROXIES": "127.0.0.1"}
    # Before the server starts: it lives in the present, and forgets the rig's old unused links.
    device = rig.paired()
    with serving(rig.settings.database_url, environment=environment) as (url, _):
        text = (DEPLOY / "nginx.conf").read_text("utf-8")
        for old, new in (
            ("127.0.0.1:8750", url.removeprefix("http://")),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
            ("/etc/letsencrypt/live/clinic.example/fullchain.pem", str(files.cert)),
            ("/etc/letsencrypt/live/clinic.example/privkey.pem", str(files.key)),
            ("clinic.example", "localhost"),
            ("/var/log/nginx/", f"{tmp_path}/"),
            # The port is part of the origin in this test alone.
            ("proxy_set_header Host $host;", "proxy_set_header Host $http_host;"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
        temporary = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        config = tmp_path / "nginx.conf"
        config.write_text(
            f"{user}daemon off;\npid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\nevents {{}}\n"
            f"http {{\n{temporary}{text}\n}}\n"
        )
        command = [nginx, "-c", str(config), "-e", str(tmp_path / "start.log"), "-p", str(tmp_path)]
        tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stderr
        assert "warn" not in tested.stderr
        with proxied(command, port, tmp_path / "nginx.out"):
            signed_requests_pass(rig, device, origin, files)


def test_caddy_passes_signed_requests_on(rig: Rig, tmp_path: Path) -> None:
    caddy = program("caddy")
    files = certificate(tmp_path, "localhost")
    [port] = free_ports(1)
    origin = f"https://localhost:{port}"
    environment = {"ONEBREATH_PUBLIC_URL": origin, "ONEBREATH_TRUSTED_PROXIES": "127.0.0.1"}
    # Before the server starts: it lives in the present, and forgets the rig's old unused links.
    device = rig.paired()
    with serving(rig.settings.database_url, environment=environment) as (url, _):
        text = (DEPLOY / "Caddyfile").read_text("utf-8")
        site = f"localhost:{port} {{\n\ttls {files.cert} {files.key}"
        text = text.replace("\nclinic.example {", f"\n{site}").replace(
            "127.0.0.1:8750", url.removeprefix("http://")
        )
        text = text.replace("admin off", "admin off\n\tauto_https disable_redirects")
        config = tmp_path / "Caddyfile"
        config.write_text(text)
        command = [caddy, "run", "--adapter", "caddyfile", "--config", str(config)]
        with proxied(command, port, tmp_path / "caddy.out"):
            signed_requests_pass(rig, device, origin, files)
