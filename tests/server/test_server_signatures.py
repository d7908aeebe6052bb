"""Who may call: signatures, wrong clocks, server nonces, replays."""

from __future__ import annotations

import json

import pytest

from server.nonces import LIFETIME_S, make_nonce, nonce_expiry
from server.settings import database_url
from tests.server.server_rig import NOW, ClinicianParty, Rig, record_path, refused


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest"])
def test_a_call_without_its_signature_is_refused(rig: Rig, name: str) -> None:
    device = rig.paired()
    headers = rig.headers(device, "GET", "/v1/device")
    del headers[name]
    refused(rig.call("GET", "/v1/device", b"", headers), 401, "signature")


def test_a_signature_serves_one_call_only(rig: Rig) -> None:
    device = rig.paired()
    frame, other = (device.record(rig.clinician, sequence) for sequence in (1, 2))
    headers = rig.headers(device, "PUT", record_path(frame), frame)
    refused(rig.call("PUT", record_path(frame), other, headers), 401, "signature")
    refused(rig.call("PUT", record_path(other), frame, headers), 401, "signature")
    refused(rig.call("GET", "/v1/device", b"", headers), 401, "signature")
    elsewhere = rig.headers(device, "GET", "/v1/device", origin="http://elsewhere.example")
    refused(rig.call("GET", "/v1/device", b"", elsewhere), 401, "signature")


def test_a_device_s_key_does_not_serve_as_a_clinician_s(rig: Rig) -> None:
    device = rig.paired()
    for path in ("/v1/clinician", "/v1/devices", "/v1/records"):
        refused(rig.signed(device, "GET", path), 401, "signature")
    refused(rig.signed(rig.clinician, "GET", "/v1/device"), 401, "signature")
    refused(rig.signed(ClinicianParty.new(), "GET", "/v1/records"), 401, "unknown_clinician")


def test_the_query_is_signed(rig: Rig) -> None:
    headers = rig.headers(rig.clinician, "GET", "/v1/records?after=0")
    refused(rig.call("GET", "/v1/records?after=1", b"", headers), 401, "signature")
    assert rig.call("GET", "/v1/records?after=0", b"", headers).status_code == 200


@pytest.mark.parametrize("wrong_by", [-10 * 365 * 86_400, -301, 301, 86_400])
def test_a_device_with_a_wrong_clock_still_delivers(rig: Rig, wrong_by: int) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    late = rig.deliver(device, frame, created=NOW + wrong_by)
    refused(late, 401, "clock")
    assert late.headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
    nonce = late.json()["nonce"]
    assert late.headers["onebreath-nonce"] == nonce
    assert rig.deliver(device, frame, created=NOW + wrong_by, nonce=nonce).status_code == 201


def test_a_server_nonce_serves_once_and_not_for_long(rig: Rig) -> None:
    device = rig.paired()
    nonce = rig.call("GET", "/v1/nonce").json()["nonce"]
    assert rig.signed(device, "GET", "/v1/device", created=5, nonce=nonce).status_code == 200
    refused(rig.signed(device, "GET", "/v1/device", created=5, nonce=nonce), 401, "replayed")
    later = rig.call("GET", "/v1/nonce").json()["nonce"]
    rig.clock.now += LIFETIME_S
    refused(rig.signed(device, "GET", "/v1/device", created=5, nonce=later), 401, "clock")


def test_a_nonce_of_one_s_own_does_not_replace_the_clock(rig: Rig) -> None:
    device = rig.paired()
    own = make_nonce(bytes(32), NOW, bytes(16))
    for nonce in (own, own[:-1], "A" * 54):
        refused(rig.signed(device, "GET", "/v1/device", created=5, nonce=nonce), 401, "clock")


def test_only_those_with_a_key_are_given_a_nonce_in_a_refusal(rig: Rig) -> None:
    device = rig.paired()
    headers = rig.headers(device, "GET", "/v1/device", created=5)
    headers["Signature"] = headers["Signature"].replace("onebreath=:", "onebreath=:AAAA")[
        : len(headers["Signature"])
    ]
    assert "nonce" not in rig.call("GET", "/v1/device", b"", headers).json()


def test_nonces_are_made_and_checked_without_storage() -> None:
    key = b"k" * 32
    nonce = make_nonce(key, NOW, b"r" * 16)
    assert nonce_expiry(nonce, key, NOW) == NOW + LIFETIME_S
    assert nonce_expiry(nonce, key, NOW + LIFETIME_S) is None
    assert nonce_expiry(nonce, b"j" * 32, NOW) is None
    assert nonce_expiry("not a nonce", key, NOW) is None


def test_a_clinician_s_writing_call_is_taken_once(rig: Rig) -> None:
    """So that nobody who saw "active" can say it again after "discharged"."""
    device = rig.paired()
    path, body = f"/v1/devices/{device.device_id.hex()}/state", json.dumps({"state": "active"}).encode()
    headers = rig.headers(rig.clinician, "PUT", path, body)
    assert rig.call("PUT", path, body, headers).status_code == 200
    rig.set_state(device, "discharged")
    refused(rig.call("PUT", path, body, headers), 401, "replayed")
    assert rig.signed(device, "GET", "/v1/device").json()["state"] == "discharged"


def test_used_nonces_are_forgotten_when_they_have_expired(rig: Rig) -> None:
    for step in range(5):
        rig.clock.now = NOW + step * 1000
        rig.invite(expires_at=NOW + 10_000)
    with rig.store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM used_nonces").scalar_one() == 1


def test_behind_a_proxy_the_server_s_own_address_counts(tmp_path_factory: pytest.TempPathFactory) -> None:
    rig = Rig(
        database_url(str(tmp_path_factory.mktemp("proxied") / "server.db")),
        public_url="https://clinic.example",
    )
    try:
        for origin, status in (("https://clinic.example", 200), ("http://127.0.0.1:8750", 401)):
            assert rig.signed(rig.clinician, "GET", "/v1/clinician", origin=origin).status_code == status
    finally:
        rig.close()
