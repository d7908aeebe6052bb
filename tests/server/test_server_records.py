"""Intake: a record arrives once, whole, from its own device; a refusal keeps what is there."""

from __future__ import annotations

import hashlib
import secrets

import pytest

from tests.server.server_rig import NOW, DeviceParty, Rig, record_path, refused
from voice.wire.encoding import from_b64url
from voice.wire.envelope import MAX_FRAME_BYTES, open_frame, parse_frame


def kept(rig: Rig) -> list[bytes]:
    page = rig.signed(rig.clinician, "GET", "/v1/records").json()
    return [from_b64url(row["frame"]) for row in page["records"]]


def test_a_record_arrives_and_its_receipt_names_it(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    answer = rig.deliver(device, frame)
    assert answer.status_code == 201
    assert answer.json() == {
        "record": frame[24:40].hex(),
        "sha256": hashlib.sha256(frame).hexdigest(),
        "received_at": "2026-09-21T14:13:20Z",
    }
    assert kept(rig) == [frame]
    assert open_frame(parse_frame(kept(rig)[0]), rig.clinician.reading) == b"a line"


def test_the_same_bytes_again_get_the_original_receipt(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    first = rig.deliver(device, frame)
    rig.clock.now = NOW + 86_400
    again = rig.deliver(device, frame)
    assert again.status_code == 200
    assert again.json() == first.json()
    assert kept(rig) == [frame]


def test_the_same_request_again_is_harmless(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    headers = rig.headers(device, "PUT", record_path(frame), frame)
    answers = [rig.call("PUT", record_path(frame), frame, headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert kept(rig) == [frame]


def test_other_bytes_under_the_same_id_are_refused_and_the_first_stand(rig: Rig) -> None:
    device, record_id = rig.paired(), secrets.token_bytes(16)
    first, second = (device.record(rig.clinician, sequence, record_id) for sequence in (1, 1))
    assert rig.deliver(device, first).status_code == 201
    refused(rig.deliver(device, second), 409, "conflict")
    refused(rig.deliver(device, device.record(rig.clinician, 2, record_id)), 409, "conflict")
    assert kept(rig) == [first]


def test_a_sequence_number_serves_one_record(rig: Rig) -> None:
    device = rig.paired()
    first = device.record(rig.clinician, 1)
    assert rig.deliver(device, first).status_code == 201
    refused(rig.deliver(device, device.record(rig.clinician, 1)), 409, "sequence")
    assert kept(rig) == [first]


def test_records_may_come_out_of_order_and_with_gaps(rig: Rig) -> None:
    device = rig.paired()
    frames = [device.record(rig.clinician, sequence) for sequence in (9, 2, 2**63 - 1)]
    assert [rig.deliver(device, frame).status_code for frame in frames] == [201, 201, 201]
    assert kept(rig) == frames


def test_two_devices_may_have_the_same_ids_and_numbers(rig: Rig) -> None:
    record_id = secrets.token_bytes(16)
    for device in (rig.paired(), rig.paired()):
        assert rig.deliver(device, device.record(rig.clinician, 1, record_id)).status_code == 201


@pytest.mark.parametrize("cut", [0, 1, 47, 48, 2271])
def test_a_frame_that_is_cut_is_refused(rig: Rig, cut: int) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    refused(rig.signed(device, "PUT", record_path(frame), frame[:cut]), 400, "frame")
    assert kept(rig) == []


def test_a_frame_that_the_device_did_not_sign_is_refused(rig: Rig) -> None:
    device = rig.paired()
    frame = bytearray(device.record(rig.clinician, 1))
    frame[-70] ^= 1
    refused(rig.deliver(device, bytes(frame)), 400, "frame")


def test_a_frame_under_another_address_is_refused(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    refused(rig.signed(device, "PUT", f"/v1/records/{'0' * 32}", frame), 400, "frame")


def test_a_device_cannot_deliver_for_another(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    refused(rig.deliver(other, device.record(rig.clinician, 1)), 403, "device")


def test_too_much_is_refused(rig: Rig) -> None:
    device = rig.paired()
    path = f"/v1/records/{'0' * 32}"
    refused(rig.signed(device, "PUT", path, bytes(MAX_FRAME_BYTES + 1)), 413, "too_large")
    refused(rig.signed(device, "PUT", path, bytes(MAX_FRAME_BYTES)), 400, "frame")
    refused(rig.call("POST", "/v1/pairings/x", bytes(20_000)), 413, "too_large")


@pytest.mark.parametrize("record", ["0", "g" * 32, "A" * 32, "0" * 33, "%30" + "0" * 30 + "é"])
def test_an_address_that_is_no_record_is_not_found(rig: Rig, record: str) -> None:
    refused(rig.call("PUT", f"/v1/records/{record}"), 404, "not_found")


@pytest.mark.parametrize("state", ["paused", "discharged", "revoked"])
def test_a_resting_device_is_refused_with_its_state(rig: Rig, state: str) -> None:
    device = rig.paired()
    assert rig.set_state(device, state).status_code == 200
    refused(rig.deliver(device, device.record(rig.clinician, 1)), 403, state)
    assert kept(rig) == []
    assert rig.signed(device, "GET", "/v1/device").json()["state"] == state


def test_a_paused_device_still_gets_the_receipt_that_it_lost(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    receipt = rig.deliver(device, frame).json()
    for state in ("paused", "discharged"):
        rig.set_state(device, state)
        assert rig.deliver(device, frame).json() == receipt
    rig.set_state(device, "revoked")
    refused(rig.deliver(device, frame), 403, "revoked")


def test_a_device_that_was_paused_may_speak_again_and_one_revoked_may_not(rig: Rig) -> None:
    device = rig.paired()
    for state in ("paused", "active", "discharged", "active", "revoked"):
        assert rig.set_state(device, state).json()["state"] == state
    refused(rig.set_state(device, "active"), 409, "revoked")
    assert rig.set_state(device, "revoked").status_code == 200


def test_the_device_learns_its_state_and_its_clinician_s_newest_statement(rig: Rig) -> None:
    device = rig.paired()
    newer = rig.clinician.statement(epoch=2)
    rig.store.add_clinician(rig.clinician.clinician_id, newer, now=NOW)
    answer = rig.signed(device, "GET", "/v1/device").json()
    assert answer["state"] == "active"
    assert from_b64url(answer["statement"]) == newer


def test_when_a_device_last_called_is_known_to_the_minute(rig: Rig) -> None:
    device = rig.paired()
    for later, seen in ((59, "14:13:20"), (60, "14:14:20"), (100, "14:14:20")):
        rig.clock.now = NOW + later
        assert rig.signed(device, "GET", "/v1/device").status_code == 200
        [listed] = rig.signed(rig.clinician, "GET", "/v1/devices").json()["devices"]
        assert listed["last_seen_at"] == f"2026-09-21T{seen}Z"


def test_an_unknown_device_is_refused(rig: Rig) -> None:
    device = DeviceParty.new()
    refused(rig.deliver(device, device.record(rig.clinician, 1)), 401, "unknown_device")
    refused(rig.signed(device, "GET", "/v1/device"), 401, "unknown_device")
