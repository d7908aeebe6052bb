"""Reports of enrolments: the newest alone, from the card's own device, for the card's own clinician."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import audit, backup
from server.cards_store import CardStore
from server.settings import database_url
from server.store import Store
from tests.server.server_rig import NOW, DeviceParty, Rig, refused
from tests.server.test_cards import CARD, listed, path, send
from voice.wire.card_report_content import Report, encode_report
from voice.wire.card_reports import open_report, parse_report, seal_report, verify_report
from voice.wire.encoding import b64url, from_b64url

WAITING = encode_report(Report("waiting", of=3))


def sealed(
    rig: Rig, device: DeviceParty, number: int, version: int = 1, card: bytes = CARD, **changes: Any
) -> bytes:
    return seal_report(
        changes.pop("said", WAITING),
        **{
            "signer": device.key,
            "card_id": card,
            "version": version,
            "number": number,
            "recipient": rig.clinician.reading.public_key(),
            **changes,
        },
    )


def place(version: int = 1, card: bytes = CARD) -> str:
    return f"/v1/cards/{card.hex()}/{version}/report"


def report(
    rig: Rig, device: DeviceParty, number: int, version: int = 1, card: bytes = CARD, **changes: Any
) -> httpx.Response:
    data = sealed(rig, device, number, version, card, **changes)
    return rig.signed(device, "PUT", place(version, card), data)


def held(rig: Rig, device: DeviceParty) -> list[int | None]:
    """The number of each card's report."""
    reports = [card["report"] for card in listed(rig, device)]
    return [None if one is None else parse_report(from_b64url(one)).number for one in reports]


def test_from_device_to_clinician(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    [card] = listed(rig, device)
    assert (card["report"], card["reported_at"]) == (None, None)
    data = sealed(rig, device, 1)
    rig.clock.now = NOW + 5
    answer = rig.signed(device, "PUT", place(), data)
    said = {"card": CARD.hex(), "version": 1, "reported_at": "2026-09-21T14:13:25Z"}
    assert (answer.status_code, answer.json()) == (201, said)
    [card] = listed(rig, device)
    assert (card["report"], card["reported_at"]) == (b64url(data), said["reported_at"])
    frame = parse_report(from_b64url(card["report"]))
    verify_report(frame, device.key.public_key())
    assert open_report(frame, rig.clinician.reading) == WAITING


def test_the_same_again_changes_nothing_and_only_a_greater_number_does(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    data = sealed(rig, device, 4)
    first = rig.signed(device, "PUT", place(), data)
    rig.clock.now = NOW + 50
    again = rig.signed(device, "PUT", place(), data)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    for number in (1, 3, 4):
        late = report(rig, device, number)
        refused(late, 409, "number")
        assert late.json()["number"] == "4"
    assert held(rig, device) == [4]
    assert report(rig, device, 5).status_code == 201
    refused(rig.signed(device, "PUT", place(), data), 409, "number")
    assert report(rig, device, 2**53 - 1).status_code == 201
    assert held(rig, device) == [2**53 - 1]


def test_it_is_about_the_card_that_was_sent_and_its_newest_version(rig: Rig) -> None:
    device = rig.paired()
    refused(report(rig, device, 1), 404, "card")
    send(rig, device, 3)
    refused(report(rig, device, 1, version=2), 409, "version")
    refused(report(rig, device, 1, version=4), 409, "version")
    assert report(rig, device, 7, version=3).status_code == 201
    send(rig, device, 5)
    assert held(rig, device) == [None], "a new version has no report yet"
    refused(report(rig, device, 8, version=3), 409, "version")
    assert report(rig, device, 1, version=5).status_code == 201, "each version counts for itself"
    send(rig, device, 6, bytes(16))
    assert report(rig, device, 1, 6, bytes(16)).status_code == 201
    assert held(rig, device) == [1, 1]


def test_a_card_that_is_taken_away_takes_its_report_with_it(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    report(rig, device, 9)
    rig.signed(rig.clinician, "DELETE", path(device))
    refused(report(rig, device, 10), 404, "card")
    send(rig, device, 2)
    assert held(rig, device) == [None]


def test_one_device_cannot_report_for_another(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    send(rig, device, 1)
    data = sealed(rig, device, 1)
    refused(rig.signed(other, "PUT", place(), data), 400, "report")
    refused(report(rig, other, 1), 404, "card")
    refused(rig.signed(rig.clinician, "PUT", place(), data), 401, "signature")
    refused(rig.call("PUT", place(), data), 401, "signature")
    stranger = rig.add_clinician()
    theirs = rig.paired(stranger)
    refused(report(rig, theirs, 1), 404, "card")
    refused(rig.signed(stranger, "GET", path(device)[:-33]), 404, "device")
    assert held(rig, device) == [None]


def test_a_report_that_does_not_hold_is_not_kept(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    send(rig, device, 1)
    good = sealed(rig, device, 1)
    for data in (
        b"",
        good[:-1],
        good + b"\x00",
        b"1BCd" + good[4:],
        good[:-1] + bytes([good[-1] ^ 1]),
        good[:300] + bytes([good[300] ^ 1]) + good[301:],
        sealed(rig, device, 1, signer=other.key),
        sealed(rig, device, 1, version=2),
        sealed(rig, device, 1, card=bytes(16)),
        device.record(rig.clinician, 1),
    ):
        refused(rig.signed(device, "PUT", place(), data), 400, "report")
    refused(rig.signed(device, "PUT", place(), bytes(4097)), 413, "too_large")
    refused(rig.signed(device, "PUT", place() + "x", good), 404, "not_found")
    for version in ("0", "01", "-1", "9223372036854775808", "x"):
        refused(rig.signed(device, "PUT", f"/v1/cards/{CARD.hex()}/{version}/report", good), 404, "not_found")
    assert held(rig, device) == [None]


@pytest.fixture(scope="module")
def device_of_module(rig_of_module: Rig) -> DeviceParty:
    return rig_of_module.paired()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_whatever_is_sent_is_refused_and_never_a_fault(
    rig_of_module: Rig, device_of_module: DeviceParty, data: bytes
) -> None:
    refused(rig_of_module.signed(device_of_module, "PUT", place(), data), 400, "report")


def test_a_resting_device_may_still_report_and_a_revoked_one_may_not(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    for number, state in enumerate(("paused", "discharged"), 1):
        rig.set_state(device, state)
        assert report(rig, device, number).status_code == 201
    rig.set_state(device, "revoked")
    refused(report(rig, device, 3), 403, "revoked")


def test_of_reports_sent_at_the_same_time_the_greatest_number_stays(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    calls = []
    for number in (3, 1, 8, 2, 7, 5, 4, 6):
        data = sealed(rig, device, number)
        calls.append(("PUT", place(), data, rig.headers(device, "PUT", place(), data)))
    answers = rig.send(*calls)
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert held(rig, device) == [8]


def test_of_one_number_sent_twice_at_the_same_time_one_is_kept(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    made = [sealed(rig, device, 1) for _ in range(6)]
    calls = [("PUT", place(), data, rig.headers(device, "PUT", place(), data)) for data in made]
    answers = rig.send(*calls)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    [card] = listed(rig, device)
    [kept] = [data for data, answer in zip(made, answers, strict=True) if answer.status_code == 201]
    assert from_b64url(card["report"]) == kept


def test_erasing_a_device_s_client_takes_its_reports(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    report(rig, device, 1)
    assert (
        rig.signed(rig.clinician, "DELETE", f"/v1/devices/{device.device_id.hex()}/records").status_code
        == 200
    )
    assert listed(rig, device) == []
    refused(report(rig, device, 2), 404, "card")


def test_a_report_leaves_no_trace_in_the_audit_chain_which_still_holds(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 1)
    with rig.store.database.read() as connection:
        before = audit.entries(connection)
    report(rig, device, 1)
    with rig.store.database.read() as connection:
        assert audit.entries(connection) == before
        assert audit.verify(connection).broken_at is None


@pytest.mark.parametrize("size", [512, 2047])
def test_the_store_gives_back_what_it_got(rig: Rig, size: int) -> None:
    device = rig.paired()
    send(rig, device, 1)
    data = sealed(rig, device, 1, said=bytes(size - 1))
    assert rig.signed(device, "PUT", place(), data).status_code == 201
    [row] = rig.store.devices(rig.clinician.clinician_id)
    [clinician] = rig.store.clinicians()
    [card] = CardStore(rig.store.database).listed(clinician, row.device_id)
    assert (card.report, card.reported_at) == (data, NOW)


def test_a_backup_brings_the_report_back(rig: Rig, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    device = rig.paired()
    send(rig, device, 1)
    data = sealed(rig, device, 3)
    rig.signed(device, "PUT", place(), data)
    made, _ = backup.create(rig.settings.database_url, tmp_path, now=NOW)
    if rig.settings.database_url.startswith("sqlite"):
        url = database_url(str(tmp_path / "restored" / "server.db"))
    else:
        url = request.getfixturevalue("cluster").empty()
    backup.restore(made, url, now=NOW)
    store = Store.open(url)
    try:
        [clinician] = store.clinicians()
        [card] = CardStore(store.database).listed(clinician, device.device_id)
    finally:
        store.close()
    assert (card.report, card.reported_at) == (data, NOW)
