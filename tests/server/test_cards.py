"""The mailbox: newest version only, the clinician's own devices only, the device's own cards only."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import audit
from server.cards_api import PAGE_BYTES, router
from server.store import Store
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty, Rig, refused
from tests.server.test_server_contract import FORMAT
from voice.wire.cards import open_card, parse_card, seal_card
from voice.wire.encoding import from_b64url

CARD = bytes(range(16))


def sealed(
    clinician: ClinicianParty, device: DeviceParty, version: int, card: bytes = CARD, **changes: Any
) -> bytes:
    return seal_card(
        changes.pop("said", b"what it says"),
        **{
            "signer": clinician.key,
            "device_id": device.device_id,
            "card_id": card,
            "version": version,
            "recipient": device.box.public_key(),
            **changes,
        },
    )


def path(device: DeviceParty, card: bytes = CARD) -> str:
    return f"/v1/devices/{device.device_id.hex()}/cards/{card.hex()}"


def send(rig: Rig, device: DeviceParty, version: int, card: bytes = CARD, **changes: Any) -> httpx.Response:
    data = sealed(rig.clinician, device, version, card, **changes)
    return rig.signed(rig.clinician, "PUT", path(device, card), data)


def listed(rig: Rig, device: DeviceParty) -> list[dict[str, Any]]:
    answer = rig.signed(rig.clinician, "GET", path(device)[:-33])
    assert answer.status_code == 200, answer.text
    return list(answer.json()["cards"])


def waiting(rig: Rig, device: DeviceParty, after: int = 0) -> list[tuple[str, int]]:
    answer = rig.signed(device, "GET", f"/v1/cards?after={after}")
    assert answer.status_code == 200, answer.text
    return [(one["card"], one["version"]) for one in answer.json()["cards"]]


def test_from_clinician_to_device_and_back_that_it_arrived(rig: Rig) -> None:
    device = rig.paired()
    data = sealed(rig.clinician, device, 1)
    answer = rig.signed(rig.clinician, "PUT", path(device), data)
    assert answer.status_code == 201
    said = {"card": CARD.hex(), "version": 1, "created_at": "2026-09-21T14:13:20Z", "fetched_at": None}
    assert answer.json() == said
    no_report = {"report": None, "reported_at": None}
    assert listed(rig, device) == [{**said, **no_report}]
    [got] = rig.signed(device, "GET", "/v1/cards").json()["cards"]
    assert from_b64url(got["sealed"]) == data
    frame = parse_card(from_b64url(got["sealed"]))
    assert open_card(frame, device.box, rig.clinician.key.public_key()) == b"what it says"
    assert listed(rig, device)[0]["fetched_at"] is None, "fetching is not having"
    rig.clock.now = NOW + 5
    noted = rig.signed(device, "PUT", f"/v1/cards/{CARD.hex()}/1/fetched")
    assert (noted.status_code, noted.json()["fetched_at"]) == (200, "2026-09-21T14:13:25Z")
    rig.clock.now = NOW + 50
    again = rig.signed(device, "PUT", f"/v1/cards/{CARD.hex()}/1/fetched")
    assert again.json() == noted.json()
    assert listed(rig, device) == [{**noted.json(), **no_report}]


def test_a_version_only_grows_over_all_cards_of_a_device(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    assert send(rig, device, 5).status_code == 201
    for version in (1, 4, 5):
        refused(send(rig, device, version), 409, "version")
        refused(send(rig, device, version, bytes(16)), 409, "version")
    assert send(rig, device, 6).status_code == 200
    assert send(rig, device, 9, bytes(16)).status_code == 201
    refused(send(rig, device, 8), 409, "version")
    assert send(rig, device, 2**63 - 1).status_code == 200
    assert waiting(rig, device) == [(bytes(16).hex(), 9), (CARD.hex(), 2**63 - 1)]
    assert waiting(rig, device, 9) == [(CARD.hex(), 2**63 - 1)]
    assert waiting(rig, device, 2**63 - 1) == []
    assert send(rig, other, 1).status_code == 201, "each device counts for itself"


def test_a_new_version_waits_to_be_fetched_anew(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    rig.signed(device, "PUT", f"/v1/cards/{CARD.hex()}/1/fetched")
    send(rig, device, 2)
    assert listed(rig, device)[0]["fetched_at"] is None
    refused(rig.signed(device, "PUT", f"/v1/cards/{CARD.hex()}/1/fetched"), 404, "card")
    refused(rig.signed(device, "PUT", f"/v1/cards/{CARD.hex()}/3/fetched"), 404, "card")
    assert listed(rig, device)[0]["fetched_at"] is None


def test_taking_a_card_out(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    answer = rig.signed(rig.clinician, "DELETE", path(device))
    assert (answer.status_code, answer.json()) == (200, {"card": CARD.hex()})
    assert waiting(rig, device) == []
    assert listed(rig, device) == []
    refused(rig.signed(rig.clinician, "DELETE", path(device)), 404, "card")
    refused(rig.signed(device, "PUT", f"/v1/cards/{CARD.hex()}/1/fetched"), 404, "card")


def test_one_clinician_cannot_cross_to_another_s_device(rig: Rig) -> None:
    device, stranger = rig.paired(), rig.add_clinician()
    theirs = rig.paired(stranger)
    assert send(rig, device, 1).status_code == 201
    for data in (sealed(stranger, device, 2), sealed(rig.clinician, device, 2)):
        answer = rig.signed(stranger, "PUT", path(device), data)
        assert answer.status_code in (400, 404)
        assert answer.json()["error"] in ("card", "device")
    refused(rig.signed(stranger, "PUT", path(device), sealed(stranger, device, 2)), 404, "device")
    missing = DeviceParty.new()
    unknown = rig.signed(stranger, "PUT", path(missing), sealed(stranger, missing, 2))
    foreign = rig.signed(stranger, "PUT", path(device), sealed(stranger, device, 2))
    assert (unknown.status_code, unknown.text) == (foreign.status_code, foreign.text)
    refused(rig.signed(stranger, "GET", path(device)[:-33]), 404, "device")
    refused(rig.signed(stranger, "DELETE", path(device)), 404, "device")
    assert waiting(rig, device) == [(CARD.hex(), 1)]
    assert waiting(rig, theirs) == []


def test_one_device_cannot_cross_to_another_s_cards(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    send(rig, device, 1)
    assert waiting(rig, other) == []
    refused(rig.signed(other, "PUT", f"/v1/cards/{CARD.hex()}/1/fetched"), 404, "card")
    assert listed(rig, device)[0]["fetched_at"] is None
    for call in (("GET", path(device)[:-33]), ("DELETE", path(device)), ("PUT", path(device))):
        refused(rig.signed(device, *call), 401, "signature")
    for call in (("GET", "/v1/cards"), ("PUT", f"/v1/cards/{CARD.hex()}/1/fetched")):
        refused(rig.signed(rig.clinician, *call), 401, "signature")


def test_a_card_that_does_not_hold_is_not_kept(rig: Rig) -> None:
    device, other, stranger = rig.paired(), rig.paired(), ClinicianParty.new()
    good = sealed(rig.clinician, device, 1)
    bad = [
        b"",
        good[:-1],
        good + b"\x00",
        b"1BRc" + good[4:],
        good[:-1] + bytes([good[-1] ^ 1]),
        good[:300] + bytes([good[300] ^ 1]) + good[301:],
        sealed(stranger, device, 1),
        sealed(rig.clinician, device, 1, signer=other.key),
        sealed(rig.clinician, other, 1),
        sealed(rig.clinician, device, 1, secrets.token_bytes(16)),
        sealed(rig.clinician, device, 1, recipient=other.box.public_key()),
        device.record(rig.clinician, 1),
    ]
    for data in bad:
        refused(rig.signed(rig.clinician, "PUT", path(device), data), 400, "card")
    refused(rig.signed(rig.clinician, "PUT", path(device), bytes(65_537)), 413, "too_large")
    refused(rig.signed(rig.clinician, "PUT", path(device) + "x", good), 404, "not_found")
    assert listed(rig, device) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_whatever_is_sent_is_refused_and_never_a_fault(rig_of_module: Rig, data: bytes) -> None:
    rig = rig_of_module
    known = rig.store.devices(rig.clinician.clinician_id)
    if not known:
        rig.paired()
        known = rig.store.devices(rig.clinician.clinician_id)
    place = f"/v1/devices/{known[0].device_id.hex()}/cards/{CARD.hex()}"
    refused(rig.signed(rig.clinician, "PUT", place, data), 400, "card")


def test_a_card_is_sent_once_by_its_nonce(rig: Rig) -> None:
    device = rig.paired()
    data = sealed(rig.clinician, device, 1)
    headers = rig.headers(rig.clinician, "PUT", path(device), data)
    assert rig.call("PUT", path(device), data, headers).status_code == 201
    refused(rig.call("PUT", path(device), data, headers), 401, "replayed")


def test_a_resting_device_still_gets_its_cards_and_a_revoked_one_gets_none(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    for state in ("paused", "discharged"):
        rig.set_state(device, state)
        assert len(waiting(rig, device)) == 1
    assert send(rig, device, 2).status_code == 200
    rig.set_state(device, "revoked")
    refused(rig.signed(device, "GET", "/v1/cards"), 403, "revoked")
    refused(send(rig, device, 3), 409, "revoked")


@pytest.mark.parametrize(
    "query",
    ["after=", "after=-1", "after=01", "after=9223372036854775808", "after=1&after=2", "limit=1", "a"],
)
def test_a_question_that_makes_no_sense_is_refused(rig: Rig, query: str) -> None:
    refused(rig.signed(rig.paired(), "GET", f"/v1/cards?{query}"), 400, "query")


@pytest.mark.parametrize("version", ["0", "01", "-1", "9223372036854775808", "x"])
def test_a_version_that_is_none_is_not_found(rig: Rig, version: str) -> None:
    refused(rig.signed(rig.paired(), "PUT", f"/v1/cards/{CARD.hex()}/{version}/fetched"), 404, "not_found")


def test_pages_stay_within_what_a_device_reads(rig: Rig) -> None:
    device = rig.paired()
    for number in range(1, 31):
        assert send(rig, device, number, number.to_bytes(16, "big")).status_code == 201
    for number in (31, 32):
        assert send(rig, device, number, number.to_bytes(16, "big"), said=bytes(30_000)).status_code == 201
    after, versions, pages = 0, [], 0
    while True:
        answer = rig.signed(device, "GET", f"/v1/cards?after={after}")
        assert len(answer.content) < 65_536
        assert answer.json()["cards"]
        versions += [one["version"] for one in answer.json()["cards"]]
        after, pages = versions[-1], pages + 1
        if not answer.json()["more"]:
            break
    assert versions == list(range(1, 33))
    assert pages == 4
    assert PAGE_BYTES * 4 // 3 < 65_536


def test_of_two_sent_at_the_same_time_with_one_version_one_is_kept(rig: Rig) -> None:
    device = rig.paired()
    calls = []
    for number in range(8):
        card = number.to_bytes(16, "big")
        data = sealed(rig.clinician, device, 7, card)
        headers = rig.headers(rig.clinician, "PUT", path(device, card), data)
        calls.append(("PUT", path(device, card), data, headers))
    answers = rig.send(*calls)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(listed(rig, device)) == 1


def test_another_worker_sees_the_card_at_once_and_a_restart_keeps_it(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 3)
    other = Store.open(rig.settings.database_url)
    first, rig.app.state.context = rig.app.state.context, None
    rig.app.state.context = replace(first, store=other)
    try:
        assert waiting(rig, device) == [(CARD.hex(), 3)]
        refused(send(rig, device, 3), 409, "version")
    finally:
        rig.app.state.context = first
        other.close()


def test_what_was_done_is_in_the_audit_chain_and_what_it_said_is_not(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    send(rig, device, 2)
    refused(send(rig, device, 2), 409, "version")
    rig.signed(rig.clinician, "DELETE", path(device))
    with rig.store.database.read() as connection:
        entries = audit.entries(connection)
        assert audit.verify(connection).broken_at is None
    told = [(one.act, one.subject) for one in entries if one.act.startswith("card.")]
    base = f"device:{device.device_id.hex()} card:{CARD.hex()}"
    assert told == [
        ("card.sent", f"{base} version:1"),
        ("card.sent", f"{base} version:2"),
        ("card.removed", base),
    ]
    assert {one.practice_id for one in entries if one.act.startswith("card.")} == {
        rig.store.clinicians()[0].practice_id
    }


def test_every_call_is_in_the_contract() -> None:
    for route in router.routes:
        spelt = route.path.replace("{device}", "{device hex}").replace("{card}", "{card hex}")  # type: ignore[attr-defined]
        [method] = route.methods  # type: ignore[attr-defined]
        assert f"`{method} {spelt}" in FORMAT, spelt
