"""Shares between colleagues: what the server takes and gives, who it refuses, and what it cannot fake."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi.routing import APIRoute
from sqlalchemy import insert

import voice.wire
from server import audit, keys_api
from server.clinician_keys import Clinician, Epoch
from server.colleagues import Colleague
from server.keys_client import SharedEntry, SharedListing
from server.reader_sequence import Kind
from server.reader_shared import read_shared
from server.schema import Practice
from tests.clinic_rig import noticing
from tests.server.server_rig import ClinicianParty, DeviceParty, Rig, refused
from voice.wire.content import encode
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.envelope import Recipient, seal_record
from voice.wire.keys import parse_statement
from voice.wire.sharing import make_share


class Cover:
    """A clinician with a device and three records, and a colleague of the same practice."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.me, self.colleague = rig, rig.clinician, rig.add_clinician()
        self.device = rig.paired()
        self.frames = [self.record(sequence) for sequence in (1, 2, 3)]

    def record(self, sequence: int) -> bytes:
        frame = seal_record(
            encode(noticing(sequence, "he", "yelled")),
            signer=self.device.key,
            device_id=self.device.device_id,
            record_id=secrets.token_bytes(16),
            sequence=sequence,
            recipients=[Recipient.of(self.me.reading.public_key())],
        )
        assert self.rig.deliver(self.device, frame).status_code == 201
        return frame

    def share(self, frame: bytes, to: ClinicianParty | None = None) -> bytes:
        return make_share(
            frame,
            device=self.device.key.public_key(),
            reading=self.me.reading,
            identity=self.me.key,
            recipient=(to or self.colleague).reading.public_key(),
        )

    def give(
        self, *shares: bytes, to: ClinicianParty | None = None, by: ClinicianParty | None = None
    ) -> httpx.Response:
        to = to or self.colleague
        document = {"to": to.clinician_id.hex(), "shares": [b64url(share) for share in shares]}
        return self.rig.asks(by or self.me, "POST", "/v1/shares", document)

    def got(self, query: str = "", by: ClinicianParty | None = None) -> dict[str, Any]:
        answer = self.rig.signed(by or self.colleague, "GET", f"/v1/shares{query}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture
def cover(rig: Rig) -> Cover:
    return Cover(rig)


def elsewhere(rig: Rig) -> ClinicianParty:
    """A clinician of another practice."""
    practice = secrets.token_bytes(16)
    with rig.store.database.write() as connection:
        values = {"id": practice, "name": "Other", "created_at": rig.clock(), "rotation_days": 30}
        connection.execute(insert(Practice).values(values))
    other = ClinicianParty.new()
    rig.store.add_clinician(other.clinician_id, other.statement(), now=rig.clock(), practice_id=practice)
    return other


def acts(rig: Rig) -> list[str]:
    with rig.store.database.read() as connection:
        return [f"{entry.act} {entry.subject}" for entry in audit.entries(connection, limit=1000)]


def test_a_colleague_gets_what_was_shared_and_no_more(cover: Cover) -> None:
    shares = [cover.share(frame) for frame in cover.frames[:2]]
    assert cover.give(*shares).json() == {"shared": 2, "added": 2}
    listed = cover.got()["shares"]
    assert [from_b64url(one["share"]) for one in listed] == shares
    assert [from_b64url(one["frame"]) for one in listed] == cover.frames[:2]
    assert {one["from"] for one in listed} == {cover.me.clinician_id.hex()}
    assert cover.got(by=cover.me)["shares"] == []
    to = cover.colleague.clinician_id.hex()
    assert f"records.shared clinician:{to} 2" in acts(cover.rig)
    assert "records.shared_fetched 2" in acts(cover.rig)


def test_sharing_again_replaces_and_adds_nothing(cover: Cover) -> None:
    assert cover.give(cover.share(cover.frames[0])).status_code == 201
    again = cover.share(cover.frames[0])
    answer = cover.give(again)
    assert (answer.status_code, answer.json()) == (200, {"shared": 1, "added": 0})
    assert [from_b64url(one["share"]) for one in cover.got()["shares"]] == [again]


def test_pages_hold_everything_once(cover: Cover) -> None:
    second = cover.rig.paired()
    other = replace_device(cover, second)
    cover.give(*(cover.share(frame) for frame in cover.frames))
    cover.give(*(other.share(frame) for frame in other.frames))
    seen, after = [], ""
    for _ in range(10):
        page = cover.got(f"?limit=2{f'&after={after}' if after else ''}")
        seen += [one["frame"] for one in page["shares"]]
        after = page["next"]
        if not page["more"]:
            break
    assert sorted(seen) == sorted(b64url(frame) for frame in (*cover.frames, *other.frames))


def replace_device(cover: Cover, device: DeviceParty) -> Cover:
    """The same two clinicians with another device and three records of its own."""
    other = object.__new__(Cover)
    other.rig, other.me, other.colleague, other.device = cover.rig, cover.me, cover.colleague, device
    other.frames = [other.record(sequence) for sequence in (1, 2, 3)]
    return other


def test_the_end_of_a_cover(cover: Cover) -> None:
    cover.give(*(cover.share(frame) for frame in cover.frames))
    path = f"/v1/shares/{cover.colleague.clinician_id.hex()}"
    assert cover.rig.signed(cover.colleague, "DELETE", path).status_code == 404
    mine = f"/v1/shares/{cover.me.clinician_id.hex()}"
    assert cover.rig.signed(cover.colleague, "DELETE", mine).json() == {"removed": 0}
    assert len(cover.got()["shares"]) == 3
    assert cover.rig.signed(cover.me, "DELETE", path).json() == {"removed": 3}
    assert cover.got()["shares"] == []
    to = cover.colleague.clinician_id.hex()
    assert f"records.share_removed clinician:{to} 3" in acts(cover.rig)


def test_another_practice_does_not_exist(cover: Cover) -> None:
    other = elsewhere(cover.rig)
    share = cover.share(cover.frames[0], other)
    refused(cover.give(share, to=other), 404, "clinician")
    nobody = ClinicianParty.new()
    refused(cover.give(share, to=nobody), 404, "clinician")
    path = f"/v1/shares/{other.clinician_id.hex()}"
    refused(cover.rig.signed(cover.me, "DELETE", path), 404, "clinician")
    colleagues = cover.rig.signed(cover.me, "GET", "/v1/colleagues").json()["colleagues"]
    assert [one["clinician"] for one in colleagues] == [cover.colleague.clinician_id.hex()]
    assert cover.rig.signed(other, "GET", "/v1/colleagues").json()["colleagues"] == []


def test_only_the_records_own_clinician_shares_it(cover: Cover) -> None:
    stranger = cover.rig.add_clinician()
    body = cover.share(cover.frames[0])[:-64]
    forged = body + stranger.key.sign(b"onebreath share signature v1\x00" + body)
    refused(cover.give(forged, by=stranger), 404, "record")
    refused(cover.give(cover.share(cover.frames[0]), by=stranger), 400, "share")
    refused(cover.give(cover.share(cover.frames[0], cover.me), to=cover.me), 404, "clinician")
    assert cover.got()["shares"] == []


def test_what_is_not_of_the_record_or_the_newest_key_is_refused(cover: Cover) -> None:
    good = cover.share(cover.frames[0])
    refused(cover.give(good, good), 400, "share")
    refused(cover.give(good[:-1] + bytes([good[-1] ^ 1])), 400, "share")
    refused(cover.give(good[:-1]), 400, "body")
    refused(cover.give(cover.share(cover.frames[0], cover.rig.add_clinician())), 409, "stale_key")
    # The same place of the same device, another frame: the server keeps the first one.
    other = seal_record(
        b"{}",
        signer=cover.device.key,
        device_id=cover.device.device_id,
        record_id=cover.frames[0][24:40],
        sequence=1,
        recipients=[Recipient.of(cover.me.reading.public_key())],
    )
    refused(cover.give(cover.share(other)), 400, "share")
    never = seal_record(
        b"{}",
        signer=cover.device.key,
        device_id=cover.device.device_id,
        record_id=secrets.token_bytes(16),
        sequence=9,
        recipients=[Recipient.of(cover.me.reading.public_key())],
    )
    refused(cover.give(cover.share(cover.frames[1]), cover.share(never)), 404, "record")
    assert cover.got()["shares"] == [], "all or none"


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"to": "00" * 16},
        {"to": "00" * 16, "shares": []},
        {"to": "00" * 16, "shares": ["AA"] * 101},
        {"to": "00" * 16, "shares": "AA"},
        {"to": 1, "shares": ["AA"]},
        {"to": "00" * 16, "shares": [1]},
        {"to": "00" * 16, "shares": [None]},
        {"to": "00" * 16, "shares": ["AA"], "more": 1},
    ],
)
def test_a_batch_has_its_shape(file_rig: Rig, document: object) -> None:
    refused(file_rig.asks(file_rig.clinician, "POST", "/v1/shares", document), 400, "body")


@pytest.mark.parametrize(
    "query",
    [
        "?limit=0",
        "?limit=201",
        "?limit=x",
        "?after=1",
        "?after=" + "g" * 48,
        "?after=" + "f" * 48,
        "?limit=1&limit=2",
        "?other=1",
    ],
)
def test_a_page_is_asked_for_as_written(file_rig: Rig, query: str) -> None:
    refused(file_rig.signed(file_rig.clinician, "GET", f"/v1/shares{query}"), 400, "query")


def test_a_hundred_shares_fit_one_call(cover: Cover) -> None:
    cover.frames += [cover.record(sequence) for sequence in range(4, 101)]
    answer = cover.give(*(cover.share(frame) for frame in cover.frames))
    assert answer.json() == {"shared": 100, "added": 100}


# What a malicious server can try on the colleague's reader.


def unlocked(party: ClinicianParty) -> Clinician:
    statement = party.statement()
    stated = parse_statement(statement)
    return Clinician(
        party.key, party.reading, statement, stated, epochs=(Epoch(statement, stated, party.reading),)
    )


def shown(cover: Cover, *entries: SharedEntry, confirmed: bool = True) -> tuple[list[str], list[Kind]]:
    sharer = Colleague(parse_statement(cover.me.statement()), confirmed)
    listing = SharedListing(entries)
    reading = read_shared(unlocked(cover.colleague), listing, {cover.me.clinician_id: sharer})
    assert all(record.shared_by == "Dr Okafor" for record in reading.records)
    texts = [record.line.text for record in reading.records if record.line is not None]
    return texts, [flag.kind for flag in reading.flags]


def entry(cover: Cover, share: bytes, frame: bytes) -> SharedEntry:
    return SharedEntry(cover.me.clinician_id, share, frame, "2026-03-02T00:00:00Z")


def test_an_honest_share_is_shown_under_the_sharers_name(file_rig: Rig) -> None:
    cover = Cover(file_rig)
    entries = [entry(cover, cover.share(frame), frame) for frame in cover.frames]
    assert shown(cover, *entries) == (["he yelled"] * 3, [])
    assert shown(cover, *entries, entries[0]) == (["he yelled"] * 3, [Kind.DUPLICATE])


def test_what_the_server_forges_moves_or_alters_is_not_shown(file_rig: Rig) -> None:
    cover = Cover(file_rig)
    first, second = cover.frames[:2]
    good = cover.share(first)
    mallory = Ed25519PrivateKey.generate()
    body = good[:-64]
    resealed = make_share(
        seal_record(
            encode(noticing(1, "forged")),
            signer=mallory,
            device_id=DeviceParty(mallory, "").device_id,
            record_id=first[24:40],
            sequence=1,
            recipients=[Recipient.of(cover.colleague.reading.public_key())],
        ),
        device=mallory.public_key(),
        reading=cover.colleague.reading,
        identity=mallory,
        recipient=cover.colleague.reading.public_key(),
    )
    flipped = bytearray(first)
    flipped[600] ^= 1
    tried = [
        entry(cover, body + mallory.sign(b"onebreath share signature v1\x00" + body), first),
        entry(cover, resealed, first),
        entry(cover, good, second),
        entry(cover, good, bytes(flipped)),
        entry(cover, good, b""),
        entry(cover, good[:-1], first),
        entry(cover, b"", first),
    ]
    assert shown(cover, *tried) == ([], [Kind.FORGED] * len(tried))


def test_a_share_for_someone_else_is_said_to_be_that(file_rig: Rig) -> None:
    cover = Cover(file_rig)
    third = cover.rig.add_clinician()
    frame = cover.frames[0]
    assert shown(cover, entry(cover, cover.share(frame, third), frame)) == ([], [Kind.UNOPENABLE])


def test_nothing_is_shown_of_a_sharer_who_was_not_confirmed(file_rig: Rig) -> None:
    cover = Cover(file_rig)
    frame = cover.frames[0]
    honest = entry(cover, cover.share(frame), frame)
    assert shown(cover, honest, honest, confirmed=False) == ([], [Kind.UNAPPROVED])
    assert shown(cover, replace(honest, from_id=bytes(16))) == ([], [Kind.UNAPPROVED])


def test_a_share_for_an_older_key_is_opened_and_for_a_destroyed_one_is_said(file_rig: Rig) -> None:
    cover = Cover(file_rig)
    frame = cover.frames[0]
    share = cover.share(frame)
    me = unlocked(cover.colleague)
    newer = X25519PrivateKey.generate()
    rotated = replace(cover.colleague, reading=newer)
    second = rotated.statement(2)
    later = Epoch(second, parse_statement(second), newer)
    sharers = {cover.me.clinician_id: Colleague(parse_statement(cover.me.statement()), True)}
    listing = SharedListing((entry(cover, share, frame),))
    both = replace(me, reading=newer, statement=second, stated=later.stated, epochs=(*me.epochs, later))
    assert len(read_shared(both, listing, sharers).records) == 1
    gone = replace(both, epochs=(replace(me.epochs[0], private=None, shredded_at=1), later))
    reading = read_shared(gone, listing, sharers)
    assert [flag.kind for flag in reading.flags] == [Kind.DESTROYED]


def test_a_broken_or_endless_list_is_said(file_rig: Rig, tmp_path: Path) -> None:
    cover = Cover(file_rig)
    reading = read_shared(unlocked(cover.colleague), SharedListing((), broken=2, whole=False), {})
    assert [flag.kind for flag in reading.flags] == [Kind.FRAME, Kind.LIST]


def test_every_call_about_keys_is_in_the_contract() -> None:
    text = (Path(voice.wire.__file__).parent / "FORMAT.md").read_text("utf-8")
    assert len(keys_api.router.routes) == 11
    for route in keys_api.router.routes:
        assert isinstance(route, APIRoute)
        assert route.methods is not None
        [method] = route.methods
        spelt = route.path.replace("{slot}", "{slot hex}").replace("{clinician}", "{clinician hex}")
        assert f"`{method} {spelt}" in text, spelt


def test_what_was_given_is_listed_to_who_gave_it_alone(cover: Cover) -> None:
    path = f"/v1/shares/{cover.colleague.clinician_id.hex()}"
    empty = cover.rig.signed(cover.me, "GET", path).json()
    assert empty == {"shares": [], "next": "", "more": False, "count": 0}
    cover.give(*(cover.share(frame) for frame in cover.frames))
    first = cover.rig.signed(cover.me, "GET", f"{path}?limit=2").json()
    rest = cover.rig.signed(cover.me, "GET", f"{path}?limit=2&after={first['next']}").json()
    assert (first["more"], rest["more"], first["count"], rest["count"]) == (True, False, 3, 3)
    listed = first["shares"] + rest["shares"]
    assert [one["sequence"] for one in listed] == [1, 2, 3]
    assert [one["record"] for one in listed] == [frame[24:40].hex() for frame in cover.frames]
    reading = key_id(cover.colleague.reading.public_key().public_bytes_raw()).hex()
    assert {(one["device"], one["recipient"]) for one in listed} == {(cover.device.device_id.hex(), reading)}
    mine = f"/v1/shares/{cover.me.clinician_id.hex()}"
    assert cover.rig.signed(cover.colleague, "GET", mine).json()["count"] == 0
    assert cover.rig.signed(cover.rig.add_clinician(), "GET", path).json()["count"] == 0
    other = elsewhere(cover.rig)
    for who, where in ((cover.me, f"/v1/shares/{other.clinician_id.hex()}"), (other, path), (cover.me, mine)):
        refused(cover.rig.signed(who, "GET", where), 404, "clinician")
    for query in ("?limit=0", "?limit=201", "?after=x", "?to=1", "?limit=1&limit=2"):
        refused(cover.rig.signed(cover.me, "GET", path + query), 400, "query")
