"""Paging, deletion, tombstones, exports; every call tried across practices and clinicians."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import func, insert, select

import voice.wire
from server import audit, audit_api, audit_log, deletion, records_api
from server.audit import Entry
from server.database import Database
from server.records_store import practice_of
from server.schema import Card, Device, Mark, Practice, Record, Share, Tombstone
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty, Rig, refused
from tests.server.test_limits import label as sealed_name
from voice.wire.encoding import from_b64url

DAY = 86_400


def delivered(
    rig: Rig, device: DeviceParty, *sequences: int, to: ClinicianParty | None = None
) -> list[bytes]:
    frames = [device.record(to or rig.clinician, sequence) for sequence in sequences]
    for frame in frames:
        assert rig.deliver(device, frame).status_code == 201
    return frames


def stranger(rig: Rig) -> ClinicianParty:
    """A clinician of another practice on the same server."""
    practice = secrets.token_bytes(16)
    values = {"id": practice, "name": "Other", "created_at": NOW, "rotation_days": 30}
    with rig.store.database.write() as connection:
        connection.execute(insert(Practice).values(values))
    made = ClinicianParty.new()
    rig.store.add_clinician(made.clinician_id, made.statement(), now=NOW, practice_id=practice)
    return made


def colleague(rig: Rig) -> ClinicianParty:
    """A clinician of the same practice."""
    with rig.store.database.read() as connection:
        practice = practice_of(connection, rig.clinician.clinician_id)
    made = ClinicianParty.new()
    rig.store.add_clinician(made.clinician_id, made.statement(), now=NOW, practice_id=practice)
    return made


def asked(rig: Rig, path: str, by: ClinicianParty | None = None) -> Any:
    answer = rig.signed(by or rig.clinician, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def frames_of(page: Any) -> list[bytes]:
    return [from_b64url(row["frame"]) for row in page["records"]]


def entries(rig: Rig, act: str) -> list[Entry]:
    with rig.store.database.read() as connection:
        assert audit.verify(connection).broken_at is None
        return [entry for entry in audit.entries(connection, limit=10_000) if entry.act == act]


def rows(database: Database, table: Any) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_pages_of_one_device_in_both_directions(rig: Rig) -> None:
    first, second = rig.paired(), rig.paired()
    mine: list[bytes] = []
    for sequence in range(1, 6):
        mine += delivered(rig, first, sequence)
        delivered(rig, second, sequence)
    of = f"device={first.device_id.hex()}"
    page = asked(rig, f"/v1/records?{of}&limit=3")
    assert (frames_of(page), page["more"]) == (mine[:3], True)
    page = asked(rig, f"/v1/records?{of}&limit=3&after={page['next']}")
    assert (frames_of(page), page["more"]) == (mine[3:], False)
    newest = asked(rig, f"/v1/records?{of}&limit=2&before={2**63 - 1}")
    assert (frames_of(newest), newest["more"]) == ([mine[4], mine[3]], True)
    older = asked(rig, f"/v1/records?{of}&limit=9&before={newest['next']}")
    assert (frames_of(older), older["more"]) == (mine[2::-1], False)
    empty = asked(rig, f"/v1/records?before={older['next']}&{of}")
    assert (empty["records"], empty["next"], empty["more"]) == ([], older["next"], False)
    everything = asked(rig, f"/v1/records?before={2**53 - 1}")
    assert [row["cursor"] for row in everything["records"]] == list(range(10, 0, -1))


@pytest.mark.parametrize(
    "query",
    [
        "after=1&before=2",
        "before=0",
        "before=x",
        "limit=0",
        "limit=501",
        "device=1",
        f"device={'A' * 32}",
        f"after={2**63}",
        "after=1&after=1",
        "order=newest",
        "after=%2B1",
        "after=" + "1" * 20,
    ],
)
@pytest.mark.parametrize("path", ["/v1/records", "/v1/tombstones"])
def test_a_page_that_makes_no_sense_is_refused(file_rig: Rig, path: str, query: str) -> None:
    refused(file_rig.signed(file_rig.clinician, "GET", f"{path}?{query}"), 400, "query")


def test_every_fetch_is_in_the_audit_log_with_its_range(rig: Rig) -> None:
    device = rig.paired()
    delivered(rig, device, 1, 2, 3)
    asked(rig, "/v1/records?limit=2")
    asked(rig, f"/v1/records?device={device.device_id.hex()}&after=2")
    asked(rig, "/v1/records?after=3")
    me = f"clinician:{rig.clinician.clinician_id.hex()}"
    found = entries(rig, "records.fetched")
    assert [entry.subject for entry in found] == [
        f"{me} cursors:1-2 count:2",
        f"{me} device:{device.device_id.hex()} cursors:3-3 count:1",
        f"{me} count:0",
    ]
    assert {entry.actor for entry in found} == {me}
    assert all(entry.practice_id is not None for entry in found)


Crossing = Callable[[Rig, ClinicianParty, DeviceParty, str], httpx.Response]

CROSSINGS: dict[str, Crossing] = {
    "records": lambda rig, who, device, _: rig.signed(
        who, "GET", f"/v1/records?device={device.device_id.hex()}"
    ),
    "tombstones": lambda rig, who, device, _: rig.signed(
        who, "GET", f"/v1/tombstones?device={device.device_id.hex()}"
    ),
    "count": lambda rig, who, device, _: rig.signed(
        who, "GET", f"/v1/devices/{device.device_id.hex()}/records"
    ),
    "erase": lambda rig, who, device, _: rig.signed(
        who, "DELETE", f"/v1/devices/{device.device_id.hex()}/records"
    ),
    "delete": lambda rig, who, device, record: rig.signed(
        who, "DELETE", f"/v1/records/{device.device_id.hex()}/{record}"
    ),
    "export": lambda rig, who, device, _: rig.asks(
        who, "POST", "/v1/exports", {"device": device.device_id.hex(), "count": 1}
    ),
}


@pytest.mark.parametrize("call", CROSSINGS)
@pytest.mark.parametrize("other", [stranger, colleague], ids=["practice", "clinician"])
def test_nobody_reaches_across(rig: Rig, call: str, other: Callable[[Rig], ClinicianParty]) -> None:
    device, who = rig.paired(), other(rig)
    [frame] = delivered(rig, device, 1)
    record = frame[24:40].hex()
    answer = CROSSINGS[call](rig, who, device, record)
    refused(answer, 404, "device")
    # What is not there at all is answered alike, to the letter.
    unknown = CROSSINGS[call](rig, who, DeviceParty.new(), "0" * 32)
    assert unknown.json() == answer.json()
    assert asked(rig, "/v1/records", who)["records"] == []
    assert asked(rig, "/v1/tombstones", who)["tombstones"] == []
    assert frames_of(asked(rig, "/v1/records")) == [frame]
    assert CROSSINGS[call](rig, rig.clinician, device, record).status_code in (200, 201)


@pytest.mark.parametrize("call", CROSSINGS)
def test_neither_strangers_nor_devices_may_call(file_rig: Rig, call: str) -> None:
    device = file_rig.paired()
    refused(CROSSINGS[call](file_rig, ClinicianParty.new(), device, "0" * 32), 401, "unknown_clinician")
    refused(CROSSINGS[call](file_rig, device, device, "0" * 32), 401, "signature")  # type: ignore[arg-type]


@pytest.mark.parametrize("call", ["erase", "delete", "export"])
def test_a_call_that_writes_is_taken_once(rig: Rig, call: str) -> None:
    device = rig.paired()
    [frame] = delivered(rig, device, 1)
    method, path, body = {
        "erase": ("DELETE", f"/v1/devices/{device.device_id.hex()}/records", b""),
        "delete": ("DELETE", f"/v1/records/{device.device_id.hex()}/{frame[24:40].hex()}", b""),
        "export": ("POST", "/v1/exports", b'{"device":"%s","count":1}' % device.device_id.hex().encode()),
    }[call]
    headers = rig.headers(rig.clinician, method, path, body)
    assert rig.call(method, path, body, headers).status_code in (200, 201)
    refused(rig.call(method, path, body, headers), 401, "replayed")


def erase(rig: Rig, device: DeviceParty) -> Any:
    answer = rig.signed(rig.clinician, "DELETE", f"/v1/devices/{device.device_id.hex()}/records")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_erased_client_leaves_tombstones_alone(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    frames = delivered(rig, device, 1, 2, 3)
    kept = delivered(rig, other, 1)
    cover = colleague(rig)
    database, mine = rig.store.database, rig.clinician.clinician_id
    with database.write() as connection:
        for frame in (*frames, *kept):
            ids = {"device_id": frame[8:24], "record_id": frame[24:40]}
            for who in (mine, cover.clinician_id):
                mark = {"clinician_id": who, "version": 1, "sealed": b"m", "updated_at": NOW}
                connection.execute(insert(Mark).values(**ids, **mark))
            share = {"to_id": cover.clinician_id, "from_id": mine, "share": b"s", "created_at": NOW}
            connection.execute(insert(Share).values(**ids, **share))
        for one in (device, other):
            card = {"card_id": b"c" * 16, "version": 1, "sealed": b"x", "created_at": NOW}
            connection.execute(insert(Card).values(device_id=one.device_id, **card))
    rig.store.label_device(mine, device.device_id, sealed_name(rig.clinician, device, "Ada"), now=NOW)
    rig.clock.now = NOW + 60
    hashes = [hashlib.sha256(frame).digest() for frame in frames]
    answer = erase(rig, device)
    assert answer == {
        "device": device.device_id.hex(),
        "state": "discharged",
        "deleted": 3,
        "sha256": deletion.digest_of(hashes).hex(),
    }
    assert frames_of(asked(rig, "/v1/records")) == kept
    assert [rows(database, table) for table in (Record, Mark, Share, Card, Tombstone)] == [1, 2, 1, 1, 3]
    with database.read() as connection:
        label, state = connection.execute(
            select(Device.label, Device.state).where(Device.id == device.device_id)
        ).one()
    assert (label, state) == (None, "discharged")
    stones = asked(rig, "/v1/tombstones")
    assert stones["retention_days"] is None
    assert stones["tombstones"][1] == {
        "cursor": 2,
        "device": device.device_id.hex(),
        "record": frames[1][24:40].hex(),
        "sequence": 2,
        "sha256": hashes[1].hex(),
        "received_at": "2026-09-21T14:13:20Z",
        "deleted_at": "2026-09-21T14:14:20Z",
        "reason": "erased",
    }
    [entry] = entries(rig, "client.erased")
    assert entry.actor == f"clinician:{mine.hex()}"
    assert (
        entry.subject
        == f"erased device:{device.device_id.hex()} cursors:1-3 count:3 sha256:{answer['sha256']}"
    )
    assert erase(rig, device)["deleted"] == 0
    with database.read() as connection:
        assert audit_log.check_deletions(connection) == []


def test_a_revoked_device_stays_revoked_when_its_client_is_erased(rig: Rig) -> None:
    device = rig.paired()
    rig.set_state(device, "revoked")
    assert erase(rig, device)["state"] == "revoked"


def test_a_lost_receipt_of_a_deleted_record_is_given_again(rig: Rig) -> None:
    device = rig.paired()
    record_id = secrets.token_bytes(16)
    frame = device.record(rig.clinician, 1, record_id)
    receipt = rig.deliver(device, frame).json()
    rig.clock.now = NOW + DAY
    erase(rig, device)
    again = rig.deliver(device, frame)
    assert (again.status_code, again.json()) == (200, receipt)
    refused(rig.deliver(device, device.record(rig.clinician, 2)), 403, "discharged")
    assert rig.set_state(device, "active").status_code == 200
    refused(rig.deliver(device, device.record(rig.clinician, 1, record_id)), 409, "conflict")
    refused(rig.deliver(device, device.record(rig.clinician, 2, record_id)), 409, "conflict")
    refused(rig.deliver(device, device.record(rig.clinician, 1)), 409, "sequence")
    assert rows(rig.store.database, Record) == 0
    assert rig.deliver(device, device.record(rig.clinician, 2)).status_code == 201


def test_one_record_is_deleted(rig: Rig) -> None:
    device = rig.paired()
    frames = delivered(rig, device, 1, 2)
    path = f"/v1/records/{device.device_id.hex()}/{frames[0][24:40].hex()}"
    answer = rig.signed(rig.clinician, "DELETE", path)
    digest = deletion.digest_of([hashlib.sha256(frames[0]).digest()]).hex()
    assert answer.json() == {"device": device.device_id.hex(), "deleted": 1, "sha256": digest}
    refused(rig.signed(rig.clinician, "DELETE", path), 404, "record")
    assert frames_of(asked(rig, "/v1/records")) == frames[1:]
    [stone] = asked(rig, "/v1/tombstones")["tombstones"]
    assert (stone["reason"], stone["sequence"]) == ("deleted", 1)
    [entry] = entries(rig, "records.deleted")
    assert entry.subject == f"deleted device:{device.device_id.hex()} cursors:1-1 count:1 sha256:{digest}"
    count = asked(rig, f"/v1/devices/{device.device_id.hex()}/records")
    assert (count["records"], count["deleted"], count["oldest_at"]) == (1, 1, "2026-09-21T14:13:20Z")


def test_tombstones_come_in_pages(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    delivered(rig, device, 1, 2, 3)
    delivered(rig, other, 1)
    erase(rig, device)
    erase(rig, other)
    page = asked(rig, "/v1/tombstones?limit=3")
    assert ([row["cursor"] for row in page["tombstones"]], page["more"]) == ([1, 2, 3], True)
    page = asked(rig, f"/v1/tombstones?after={page['next']}")
    assert ([row["cursor"] for row in page["tombstones"]], page["more"]) == ([4], False)
    of = asked(rig, f"/v1/tombstones?device={other.device_id.hex()}")
    assert [row["cursor"] for row in of["tombstones"]] == [4]


def test_an_export_is_accounted_for(rig: Rig) -> None:
    device = rig.paired()
    answer = rig.asks(rig.clinician, "POST", "/v1/exports", {"device": device.device_id.hex(), "count": 12})
    assert (answer.status_code, answer.json()) == (201, {"exported_at": "2026-09-21T14:13:20Z"})
    [entry] = entries(rig, "records.exported")
    assert entry.subject.endswith(f"device:{device.device_id.hex()} count:12")


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"device": "0" * 32},
        {"device": "x", "count": 1},
        {"device": "0" * 32, "count": "1"},
        {"device": "0" * 32, "count": True},
        {"device": "0" * 32, "count": -1},
        {"device": "0" * 32, "count": 10**10},
        {"device": 1, "count": 1},
        {"device": "0" * 32, "count": 1, "more": 1},
    ],
)
def test_an_export_that_makes_no_sense_is_refused(file_rig: Rig, document: object) -> None:
    refused(file_rig.asks(file_rig.clinician, "POST", "/v1/exports", document), 400, "body")


def test_every_call_is_in_the_contract() -> None:
    contract = (Path(voice.wire.__file__).parent / "FORMAT.md").read_text("utf-8")
    routes = [*records_api.router.routes, *audit_api.router.routes]
    assert len(routes) == 8
    for route in routes:
        assert isinstance(route, APIRoute)
        assert route.methods is not None
        [method] = route.methods
        spelt = route.path.replace("{device}", "{device hex}").replace("{record}", "{record hex}")
        assert f"`{method} {spelt}" in contract, spelt
