"""Intake decides from bytes and rows alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import RefusedError
from server.intake import Decision, Sender, Stored, check_frame, decide
from tests.server.server_rig import ClinicianParty, DeviceParty, Rig, record_path, refused
from voice.wire.envelope import digest, parse_frame

CLINICIAN, DEVICE = ClinicianParty.new(), DeviceParty.new()
SENDER = Sender(DEVICE.device_id, DEVICE.key.public_key())
FRAME = DEVICE.record(CLINICIAN, 3, b"r" * 16)
PARSED = parse_frame(FRAME)
SAME = Stored(b"r" * 16, 3, digest(FRAME), 1)


@pytest.mark.parametrize(
    ("state", "stored", "outcome"),
    [
        ("active", [], "create"),
        ("active", [SAME], "duplicate"),
        ("active", [Stored(b"r" * 16, 3, bytes(32), 1)], "conflict"),
        ("active", [Stored(b"s" * 16, 3, bytes(32), 1)], "sequence"),
        ("active", [SAME, Stored(b"s" * 16, 3, bytes(32), 1)], "duplicate"),
        ("paused", [], "paused"),
        ("paused", [SAME], "duplicate"),
        ("discharged", [], "discharged"),
        ("discharged", [SAME], "duplicate"),
        ("revoked", [], "revoked"),
        ("revoked", [SAME], "revoked"),
    ],
)
def test_decisions(state: str, stored: list[Stored], outcome: str) -> None:
    try:
        found = decide(PARSED, digest(FRAME), state, stored).value
    except RefusedError as refusal:
        found = refusal.code
    assert found == outcome
    assert {decision.value for decision in Decision} == {"create", "duplicate"}


@settings(deadline=None)
@given(st.integers(0, len(FRAME) - 1), st.integers(1, 255))
def test_a_changed_frame_never_passes(at: int, change: int) -> None:
    changed = bytearray(FRAME)
    changed[at] ^= change
    with pytest.raises(RefusedError) as refusal:
        check_frame(bytes(changed), b"r" * 16, SENDER)
    assert refusal.value.status in (400, 403)


def test_no_body_and_no_address_makes_the_server_fail(rig: Rig) -> None:
    device = rig.paired()

    @settings(deadline=None, max_examples=60)
    @given(
        st.binary(max_size=200),
        st.sampled_from(
            [
                ("PUT", f"/v1/records/{'0' * 32}", device),
                ("POST", "/v1/pairings/AAAAAAAAAAAAAAAAAAAAAA", device),
                ("POST", "/v1/invitations", rig.clinician),
                ("PUT", f"/v1/devices/{device.device_id.hex()}/state", rig.clinician),
                ("PUT", f"/v1/devices/{device.device_id.hex()}/approval", rig.clinician),
                ("DELETE", "/v1/devices", rig.clinician),
                ("POST", "/health", rig.clinician),
                ("GET", "/docs", rig.clinician),
                ("GET", "/openapi.json", rig.clinician),
            ]
        ),
    )
    def answers(body: bytes, call: tuple[str, str, DeviceParty | ClinicianParty]) -> None:
        method, path, party = call
        answer = rig.signed(party, method, path, body)
        assert 400 <= answer.status_code < 500
        assert answer.json()["message"]

    answers()


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.sampled_from(["Signature", "Signature-Input", "Content-Digest"]), st.binary()))
def test_no_header_makes_the_server_fail(rig_of_module: Rig, headers: dict[str, bytes]) -> None:
    refused(rig_of_module.call("PUT", record_path(FRAME), FRAME, headers), 401, "signature")
