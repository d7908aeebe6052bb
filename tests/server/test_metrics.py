"""What is counted, who may read it, and that nothing of a caller is in it."""

from __future__ import annotations

import http.client
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from server.app import create_app
from server.metrics import allowed, serve_metrics
from tests.server.server_rig import DeviceParty, Rig, record_path, refused

TOKEN = "a-token-for-prometheus"


@pytest.fixture
def counted(rig: Rig, tmp_path: Path) -> Rig:
    (tmp_path / "token").write_text(TOKEN + "\n")
    rig.settings = replace(rig.settings, metrics_token_file=tmp_path / "token")
    rig.app = create_app(rig.settings, clock=rig.clock, store=rig.store)
    return rig


def scrape(rig: Rig) -> str:
    answer = rig.call("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return answer.text


def value(text: str, name: str, **labels: str) -> float:
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and dict(re.findall(r'(\w+)="(.*?)"', found[2] or "")) == labels:
            return float(found[3])
    return 0.0


def test_calls_and_records_are_counted(counted: Rig) -> None:
    device = counted.paired()
    frame = device.record(counted.clinician, 1)
    assert counted.deliver(device, frame).status_code == 201
    assert counted.deliver(device, frame).status_code == 200
    counted.deliver(device, device.record(counted.clinician, 1))
    counted.set_state(device, "paused")
    counted.deliver(device, device.record(counted.clinician, 2))
    counted.deliver(DeviceParty.new(), frame)
    counted.call("GET", "/v1/nowhere")
    text = scrape(counted)
    for result, count in (
        ("taken", 1),
        ("duplicate", 1),
        ("sequence", 1),
        ("paused", 1),
        ("unknown_device", 1),
    ):
        assert value(text, "onebreath_records_total", result=result) == count, result
    route = "/v1/records/{record}"
    assert value(text, "onebreath_requests_total", method="PUT", route=route, status="201") == 1
    assert value(text, "onebreath_request_seconds_count", method="PUT", route=route) == 5
    assert value(text, "onebreath_requests_total", method="GET", route="unmatched", status="404") == 1
    assert value(text, "onebreath_refusals_total", code="not_found") == 1
    assert 'onebreath_build_info{version="' in text


def test_database_errors_are_counted(counted: Rig) -> None:
    device = counted.paired()
    with counted.store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE records RENAME TO gone")
    refused(counted.deliver(device, device.record(counted.clinician, 1)), 503, "storage")
    text = scrape(counted)
    assert value(text, "onebreath_database_errors_total") == 1
    assert value(text, "onebreath_records_total", result="storage") == 1


def test_nothing_that_a_caller_wrote_is_a_label(counted: Rig) -> None:
    device = counted.paired()
    frame = device.record(counted.clinician, 1)
    counted.deliver(device, frame)
    counted.call("CANARY", "/v1/canary?canary", b"canary", {"X-Canary": "canary"})
    counted.call("PUT", "/v1/records/canary")
    text = scrape(counted)
    assert "canary" not in text.lower()
    for one in (device.device_id, frame[24:40], counted.clinician.clinician_id):
        assert one.hex() not in text
    assert 'method="other"' in text
    assert record_path(frame) not in text


def test_the_token_is_needed(counted: Rig) -> None:
    for headers in (
        {},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": TOKEN},
        {"Authorization": "é"},
    ):
        encoded = {name: said.encode("utf-8") for name, said in headers.items()}
        answer = counted.call("GET", "/metrics", headers=encoded)
        refused(answer, 401, "token")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_off_by_default(rig: Rig) -> None:
    refused(rig.call("GET", "/metrics"), 404, "not_found")
    assert rig.app.state.metrics is None


def test_who_is_allowed() -> None:
    assert allowed(None, None)
    assert allowed("Bearer t", "t")
    assert not allowed(None, "t")
    assert not allowed("bearer t", "t")


def test_a_port_of_their_own() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    server = serve_metrics(bound, lambda: b"counts\n", TOKEN)
    try:
        for path, headers, status, body in (
            ("/metrics", {"Authorization": f"Bearer {TOKEN}"}, 200, b"counts\n"),
            ("/metrics", {}, 401, b""),
            ("/v1/nonce", {"Authorization": f"Bearer {TOKEN}"}, 404, b""),
        ):
            connection = http.client.HTTPConnection(*bound.getsockname())
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (status, body)
            connection.close()
    finally:
        server.shutdown()
        server.server_close()
