"""The clinician's calls see what is theirs, in the order of its arrival, and nothing else."""

from __future__ import annotations

import pytest

from server.errors import ServerError
from tests.server.server_rig import NOW, ClinicianParty, Rig, refused
from voice.wire.encoding import b64url, from_b64url


def test_who_am_i(rig: Rig) -> None:
    answer = rig.signed(rig.clinician, "GET", "/v1/clinician").json()
    assert answer["clinician"] == rig.clinician.clinician_id.hex()
    assert from_b64url(answer["statement"]) == rig.clinician.statement()


def test_records_come_in_pages_in_the_order_of_arrival(rig: Rig) -> None:
    device = rig.paired()
    frames = [device.record(rig.clinician, sequence) for sequence in (3, 1, 2, 5, 4)]
    for frame in frames:
        rig.deliver(device, frame)
    seen: list[bytes] = []
    after, more = 0, True
    while more:
        page = rig.signed(rig.clinician, "GET", f"/v1/records?after={after}&limit=2").json()
        assert all(row["device"] == device.device_id.hex() for row in page["records"])
        seen += [from_b64url(row["frame"]) for row in page["records"]]
        after, more = page["next"], page["more"]
    assert seen == frames
    assert rig.signed(rig.clinician, "GET", f"/v1/records?after={after}").json() == {
        "records": [],
        "next": after,
        "more": False,
    }


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        "after=",
        "after=9223372036854775808",
        "after=%D9%A1",
        "after=1" + "0" * 5000,
        "limit=0",
        "limit=501",
        "limit=1&limit=2",
        "from=0",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(rig: Rig, query: str) -> None:
    refused(rig.signed(rig.clinician, "GET", f"/v1/records?{query}"), 400, "query")


def test_a_clinician_sees_and_changes_only_their_own(rig: Rig) -> None:
    other = rig.add_clinician()
    mine, theirs = rig.paired(), rig.paired(other)
    rig.deliver(mine, mine.record(rig.clinician, 1))
    rig.deliver(theirs, theirs.record(other, 1))
    for clinician, device in ((rig.clinician, mine), (other, theirs)):
        page = rig.signed(clinician, "GET", "/v1/records").json()
        assert [row["device"] for row in page["records"]] == [device.device_id.hex()]
        listed = rig.signed(clinician, "GET", "/v1/devices").json()["devices"]
        assert [row["device"] for row in listed] == [device.device_id.hex()]
    path = f"/v1/devices/{theirs.device_id.hex()}"
    refused(rig.asks(rig.clinician, "PUT", f"{path}/state", {"state": "revoked"}), 404, "device")
    approval = {"approval": b64url(rig.clinician.approval(theirs))}
    refused(rig.asks(rig.clinician, "PUT", f"{path}/approval", approval), 404, "device")


def test_an_approval_is_kept_for_the_keys_that_it_names(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    path = f"/v1/devices/{device.device_id.hex()}/approval"
    approval = b64url(rig.clinician.approval(device))
    answer = rig.asks(rig.clinician, "PUT", path, {"approval": approval})
    assert (answer.status_code, answer.json()["approval"]) == (200, approval)
    stranger = ClinicianParty.new()
    for data in (rig.clinician.approval(other), stranger.approval(device), b"", bytes(141)):
        refused(rig.asks(rig.clinician, "PUT", path, {"approval": b64url(data)}), 400, "approval")
    listed = rig.signed(rig.clinician, "GET", "/v1/devices").json()["devices"]
    assert [row["approval"] for row in listed if row["device"] == device.device_id.hex()] == [approval]


def test_what_is_no_state_or_no_device_is_refused(rig: Rig) -> None:
    device = rig.paired()
    refused(rig.set_state(device, "asleep"), 400, "body")
    path = f"/v1/devices/{'0' * 32}/state"
    refused(rig.asks(rig.clinician, "PUT", path, {"state": "paused"}), 404, "device")
    refused(rig.asks(rig.clinician, "PUT", "/v1/devices/x/state", {"state": "paused"}), 404, "not_found")


def test_adding_a_clinician(rig: Rig) -> None:
    who = rig.clinician
    rig.store.add_clinician(who.clinician_id, who.statement(), now=NOW)
    rig.store.add_clinician(who.clinician_id, who.statement(epoch=2), now=NOW)
    assert rig.store.clinician(who.clinician_id).statement == who.statement(epoch=2)
    stranger = ClinicianParty.new()
    same_id = ClinicianParty(stranger.key, who.key_id, who.clinician_id)
    same_key = ClinicianParty(who.key, stranger.key_id, stranger.clinician_id)
    for clinician_id, statement in (
        (who.clinician_id, who.statement(epoch=1)),
        (who.clinician_id, who.statement(epoch=2, name="Dr Other")),
        (who.clinician_id, same_id.statement(epoch=3)),
        (stranger.clinician_id, same_key.statement()),
        (stranger.clinician_id, who.statement(epoch=3)),
        (who.clinician_id, b"not a statement"),
    ):
        with pytest.raises(ServerError):
            rig.store.add_clinician(clinician_id, statement, now=NOW)
    assert [row.clinician_id for row in rig.store.clinicians()] == [who.clinician_id]
