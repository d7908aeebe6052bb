"""Sealed marks: their shape, their versions, whose they are; the server never learns what they say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from server.errors import RefusedError
from server.marks_store import put_mark
from server.schema import Mark, Share
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty, Rig, refused, rotated, stale
from tests.server.test_records_store import asked, colleague, delivered, stranger
from voice.wire import boxes
from voice.wire.boxes import Purpose, Said, encode_mark, open_box, parse_box, seal_box
from voice.wire.encoding import b64url, from_b64url


def sealed(
    who: ClinicianParty, device: DeviceParty, record: bytes, version: int = 1, said: Said = Said.DISCUSSED
) -> bytes:
    return seal_box(
        encode_mark(boxes.Mark(said, NOW)),
        purpose=Purpose.MARK,
        identity=who.key,
        reading=who.reading.public_key(),
        clinician_id=who.clinician_id,
        device_id=device.device_id,
        record_id=record,
        version=version,
    )


def put(
    rig: Rig, who: ClinicianParty, device: DeviceParty, record: bytes, box: bytes, version: Any = 1
) -> httpx.Response:
    path = f"/v1/marks/{device.device_id.hex()}/{record.hex()}"
    return rig.asks(who, "PUT", path, {"version": version, "sealed": b64url(box)})


def one(rig: Rig) -> tuple[DeviceParty, bytes]:
    """A device and the id of its one record."""
    device = rig.paired()
    [frame] = delivered(rig, device, 1)
    return device, frame[24:40]


def test_a_mark_is_kept_and_says_nothing_to_the_server(rig: Rig) -> None:
    device, record = one(rig)
    box = sealed(rig.clinician, device, record)
    answer = put(rig, rig.clinician, device, record, box)
    assert answer.status_code == 200
    assert answer.json() == {
        "device": device.device_id.hex(),
        "record": record.hex(),
        "version": 1,
        "sealed": b64url(box),
        "updated_at": "2026-09-21T14:13:20Z",
    }
    listed = asked(rig, "/v1/marks")
    assert listed == {"marks": [answer.json()], "next": (device.device_id + record).hex(), "more": False}
    assert b"discussed" not in box
    opened = open_box(parse_box(from_b64url(listed["marks"][0]["sealed"])), rig.clinician.reading)
    assert boxes.decode_mark(opened).said is Said.DISCUSSED


def test_a_mark_only_grows(rig: Rig) -> None:
    device, record = one(rig)
    first = sealed(rig.clinician, device, record, 3)
    assert put(rig, rig.clinician, device, record, first, 3).status_code == 200
    rig.clock.now = NOW + 60
    again = put(rig, rig.clinician, device, record, first, 3)
    assert (again.status_code, again.json()["updated_at"]) == (200, "2026-09-21T14:13:20Z")
    for version in (1, 3):
        older = put(
            rig, rig.clinician, device, record, sealed(rig.clinician, device, record, version), version
        )
        refused(older, 409, "version")
        assert older.json()["version"] == "3"
    none = sealed(rig.clinician, device, record, 4, Said.NONE)
    assert put(rig, rig.clinician, device, record, none, 4).json()["version"] == 4
    [mark] = asked(rig, "/v1/marks")["marks"]
    assert (mark["sealed"], mark["updated_at"]) == (b64url(none), "2026-09-21T14:14:20Z")


def test_a_mark_to_an_older_reading_key_is_not_kept(rig: Rig) -> None:
    device, record = one(rig)
    first = sealed(rig.clinician, device, record)
    put(rig, rig.clinician, device, record, first)
    late = sealed(rig.clinician, device, record, 2)
    rotated(rig)
    stale(put(rig, rig.clinician, device, record, late, 2))
    assert put(rig, rig.clinician, device, record, first).status_code == 200, "nothing changes"
    anew = sealed(rig.clinician, device, record, 2)
    assert put(rig, rig.clinician, device, record, anew, 2).status_code == 200


def test_of_many_at_once_the_greatest_stays(rig: Rig) -> None:
    device, record = one(rig)
    boxed = {version: sealed(rig.clinician, device, record, version) for version in range(1, 8)}

    def attempt(version: int) -> bool:
        try:
            put_mark(
                rig.store.database,
                rig.clinician.clinician_id,
                device.device_id,
                record,
                version=version,
                sealed=boxed[version],
                now=NOW,
            )
        except RefusedError as refusal:
            return refusal.code != "version"
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(attempt, [3, 1, 7, 2, 5, 6, 4] * 3))
    assert any(done)
    with rig.store.database.read() as connection:
        assert connection.execute(select(Mark.version, Mark.sealed)).all() == [(7, boxed[7])]


def test_marks_of_another_record_clinician_version_or_purpose_are_refused(rig: Rig) -> None:
    device, record = one(rig)
    [other] = (frame[24:40] for frame in delivered(rig, device, 2))
    mine, someone = rig.clinician, colleague(rig)
    label = seal_box(
        b"{}",
        purpose=Purpose.LABEL,
        identity=mine.key,
        reading=mine.reading.public_key(),
        clinician_id=mine.clinician_id,
        device_id=device.device_id,
        version=1,
    )
    good = sealed(mine, device, record)
    for box, version in (
        (sealed(mine, device, other), 1),
        (good, 2),
        (sealed(someone, device, record), 1),
        (label, 1),
        (good[:-1], 1),
        (good[:-1] + bytes([good[-1] ^ 1]), 1),
        (b"", 1),
    ):
        refused(put(rig, mine, device, record, box, version), 400, "mark")
    for odd in (0, 2**53, "1", True, 1.0, None):
        refused(put(rig, mine, device, record, good, odd), 400, "body")
    path = f"/v1/marks/{device.device_id.hex()}/{record.hex()}"
    refused(rig.asks(mine, "PUT", path, {"version": 1, "sealed": "!"}), 400, "body")
    refused(rig.asks(mine, "PUT", path, {"version": 1}), 400, "body")
    assert asked(rig, "/v1/marks")["marks"] == []


def test_nobody_marks_or_sees_marks_across(rig: Rig) -> None:
    device, record = one(rig)
    assert put(rig, rig.clinician, device, record, sealed(rig.clinician, device, record)).status_code == 200
    for who in (stranger(rig), colleague(rig)):
        refused(put(rig, who, device, record, sealed(who, device, record)), 404, "record")
        nowhere = DeviceParty.new()
        refused(put(rig, who, nowhere, record, sealed(who, nowhere, record)), 404, "record")
        assert asked(rig, "/v1/marks", who)["marks"] == []
    refused(rig.signed(device, "GET", "/v1/marks"), 401, "signature")


def test_a_colleague_marks_what_was_shared_with_them(rig: Rig) -> None:
    device, record = one(rig)
    cover = colleague(rig)
    values = {"to_id": cover.clinician_id, "from_id": rig.clinician.clinician_id, "share": b"s"}
    with rig.store.database.write() as connection:
        ids = {"device_id": device.device_id, "record_id": record}
        connection.execute(insert(Share).values(**ids, **values, created_at=NOW))
    assert put(rig, cover, device, record, sealed(cover, device, record)).status_code == 200
    assert asked(rig, "/v1/marks")["marks"] == []
    assert len(asked(rig, "/v1/marks", cover)["marks"]) == 1


def test_marks_come_in_pages_and_only_as_asked(rig: Rig) -> None:
    places = set()
    for _ in range(2):
        device = rig.paired()
        for frame in delivered(rig, device, 1, 2):
            box = sealed(rig.clinician, device, frame[24:40])
            assert put(rig, rig.clinician, device, frame[24:40], box).status_code == 200
            places.add(frame[8:40].hex())
    first = asked(rig, "/v1/marks?limit=3")
    rest = asked(rig, f"/v1/marks?limit=3&after={first['next']}")
    found = [mark["device"] + mark["record"] for page in (first, rest) for mark in page["marks"]]
    assert (found, first["more"], rest["more"]) == (sorted(places), True, False)
    end = asked(rig, f"/v1/marks?after={rest['next']}")
    assert end == {"marks": [], "next": rest["next"], "more": False}
    for query in ("after=0", "after=" + "A" * 64, "limit=0", "before=1", "limit=1&limit=2"):
        refused(rig.signed(rig.clinician, "GET", f"/v1/marks?{query}"), 400, "query")


@pytest.mark.parametrize("path", [f"/v1/marks/{'0' * 32}/x", f"/v1/marks/{'A' * 32}/{'0' * 32}"])
def test_an_address_that_is_no_record_is_not_found(file_rig: Rig, path: str) -> None:
    refused(file_rig.asks(file_rig.clinician, "PUT", path, {}), 404, "not_found")
