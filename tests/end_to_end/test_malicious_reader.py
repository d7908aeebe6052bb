"""A server that lies to the reader: every row for the reader of the table in test_malicious_server.py."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.commands.read import command as read_command
from server.key_slots import RECOMMENDED
from tests.clinic_rig import CHEAP, Clinic, noticing, send
from tests.end_to_end.hostile import Answered, Asked, Forward
from tests.end_to_end.malice import Rows, World, always, at, kinds, listing, of, read, reading, run_read
from voice.adapters.identity import device_keys
from voice.wire.content import encode
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.envelope import Recipient, seal_record


@pytest.fixture
def desk(tmp_path: Path, world: World) -> Path:
    """A reader who has read nothing yet."""
    return tmp_path


@pytest.fixture
def read_before(desk: Path, world: World) -> Path:
    """A reader who has read everything there is."""
    read(world, desk)
    return desk


def mine(world: World, rows: Rows) -> Rows:
    """The rows of the first device, in order."""
    return [row for row in rows if row["device"] == device_keys(world.first).id.hex()]


def test_the_honest_server_gets_no_flag_for_these_devices(world: World, desk: Path) -> None:
    document = read(world, desk)
    names = {device_keys(home).id.hex() for home in (world.first, world.second)}
    assert [flag for flag in document["flags"] if flag["device"] in names] == []
    assert of(document, world.first) == [1, 2, 3, 4]
    assert "not yours" not in json.dumps(document)


def test_a_record_left_out_is_missed_by_day(world: World, desk: Path) -> None:
    gone = "Wednesday"
    with world.server.playing(listing(lambda rows: [r for r in rows if r != mine(world, rows)[2]])):
        document = read(world, desk)
        shown = run_read(world, desk)
    said = [flag["message"] for flag in document["flags"] if flag["kind"] == "missing"]
    assert said == ["A record is missing between Tuesday 3 March and Thursday 5 March."]
    assert gone not in said[0]
    assert "! A record is missing between Tuesday 3 March" in " ".join(shown.stdout.split())
    assert of(document, world.first) == [1, 2, 4]


def test_an_acknowledged_record_that_was_dropped_is_missed(world: World, desk: Path) -> None:
    """The device believes a true receipt, and deletes; the next record shows the gap."""
    home = world.clinic.device(f"dropped-{secrets.token_hex(4)}")

    def drop(asked: Asked, _: Forward) -> Answered:
        said = {"record": asked.path.rsplit("/", 1)[1], "sha256": digest_of(asked.body)}
        return Answered.saying({**said, "received_at": "2026-03-02T23:06:00Z"}, 201)

    with world.server.playing(drop):
        assert send(home, noticing(0, "he", "yelled")) == 1
    assert send(home, noticing(1)) == 1
    name = device_keys(home).id.hex()
    flags = [flag for flag in read(world, desk)["flags"] if flag["device"] == name]
    assert [(flag["kind"], flag["sequence"]) for flag in flags] == [("missing", 1)]


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_records_cut_off_the_end_are_missed_by_who_had_read_them(world: World, read_before: Path) -> None:
    with world.server.playing(listing(lambda rows: [r for r in rows if r not in mine(world, rows)[2:]])):
        document = read(world, read_before)
    assert "vanished" in kinds(document)
    assert of(document, world.first) == [1, 2]


def test_a_withheld_last_page_is_missed_by_who_had_read_it(world: World, read_before: Path) -> None:
    def first_two(answer: Answered) -> Answered:
        return answer.changed(records=answer.document["records"][:2], more=False)

    with world.server.playing(at("GET", "/v1/records", first_two)):
        assert "vanished" in kinds(read(world, read_before))


def forged_by(world: World, keys: Ed25519PrivateKey, name: bytes, sequence: int) -> dict[str, Any]:
    """What any server can make: sealed for the clinician, signed by whom it likes."""
    frame = seal_record(
        encode(noticing(9, "send", "money")),
        signer=keys,
        device_id=name,
        record_id=secrets.token_bytes(16),
        sequence=sequence,
        recipients=[Recipient.of(world.clinic.clinician.reading.public_key())],
    )
    return {
        "cursor": 999,
        "device": name.hex(),
        "received_at": "2026-03-12T00:00:00Z",
        "frame": b64url(frame),
    }


def test_a_forged_record_is_not_shown(world: World, desk: Path) -> None:
    row = forged_by(world, Ed25519PrivateKey.generate(), device_keys(world.first).id, 5)
    with world.server.playing(listing(lambda rows: [*rows, row])):
        document = read(world, desk)
    assert "forged" in kinds(document)
    assert of(document, world.first) == [1, 2, 3, 4]
    assert "money" not in json.dumps(document["records"])


@pytest.mark.parametrize("place", [0, 60, 100, 700, 2250])
def test_an_altered_record_is_not_shown(world: World, desk: Path, place: int) -> None:
    def alter(rows: Rows) -> Rows:
        row = mine(world, rows)[1]
        frame = bytearray(from_b64url(row["frame"]))
        frame[place] ^= 0x10
        return [{**r, "frame": b64url(bytes(frame))} if r == row else r for r in rows]

    with world.server.playing(listing(alter)):
        document = read(world, desk)
    assert kinds(document) & {"forged", "frame"}
    assert "missing" in kinds(document)
    assert of(document, world.first) == [1, 3, 4]


def test_a_device_of_the_servers_own_is_not_believed(world: World, desk: Path) -> None:
    keys, agreement = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    signing = keys.public_key().public_bytes_raw()
    name = key_id(signing)

    def play(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked)
        if asked.path == "/v1/devices":
            posing = {
                **answer.document["devices"][0],
                "device": name.hex(),
                "signing": b64url(signing),
                "encryption": b64url(agreement.public_key().public_bytes_raw()),
                "proof": b64url(secrets.token_bytes(32)),
            }
            return answer.changed(devices=[*answer.document["devices"], posing])
        if asked.path.startswith("/v1/records"):
            row = forged_by(world, keys, name, 1)
            return answer.changed(records=[*answer.document["records"], row])
        return answer

    with world.server.playing(play) as server:
        document = read(world, desk)
    assert {"device": name.hex(), "trust": None} in [
        {key: one[key] for key in ("device", "trust")} for one in document["devices"]
    ]
    assert [flag["kind"] for flag in document["flags"] if flag["device"] == name.hex()] == ["unapproved"] * 2
    assert "money" not in json.dumps(document["records"])
    assert not any(name.hex() in asked.path for asked in server.asked), "and is not approved"


def test_a_record_of_another_client_is_not_shown(world: World, desk: Path) -> None:
    theirs = world.other.listed()[1].records[0]
    row = {
        "cursor": 999,
        "device": theirs.device,
        "received_at": theirs.received_at,
        "frame": b64url(theirs.frame),
    }
    with world.server.playing(listing(lambda rows: [*rows, row])):
        document = read(world, desk)
    assert "unapproved" in kinds(document)
    assert "not yours" not in json.dumps(document)


def test_a_record_under_another_device_is_said(world: World, desk: Path) -> None:
    name = device_keys(world.second).id.hex()
    with world.server.playing(
        listing(lambda rows: [{**r, "device": name} if r == mine(world, rows)[1] else r for r in rows])
    ):
        document = read(world, desk)
    assert "misfiled" in kinds(document)
    assert of(document, world.first) == [1, 2, 3, 4], "it is shown with the device that signed it"


def test_a_replayed_record_is_shown_once(world: World, desk: Path) -> None:
    with world.server.playing(listing(lambda rows: [*rows, {**mine(world, rows)[0], "cursor": 999}])):
        document = read(world, desk)
    assert "duplicate" in kinds(document)
    assert of(document, world.first) == [1, 2, 3, 4]


def test_another_order_is_said(world: World, desk: Path) -> None:
    with world.server.playing(listing(lambda rows: rows[::-1])):
        document = read(world, desk)
    assert "order" in kinds(document)
    assert of(document, world.first) == [1, 2, 3, 4]


def test_truncated_frames_and_nonsense_are_counted(world: World, desk: Path) -> None:
    def spoil(rows: Rows) -> Rows:
        row = mine(world, rows)[1]
        cut = b64url(from_b64url(row["frame"])[:-1])
        nonsense: list[Any] = [None, 7, {}, {"cursor": "x"}, {**row, "frame": "!"}, {**row, "frame": None}]
        return [*({**r, "frame": cut} if r == row else r for r in rows), *nonsense]

    with world.server.playing(listing(spoil)):
        document = read(world, desk)
    said = [flag["message"] for flag in document["flags"] if flag["kind"] == "frame"]
    assert any("damaged" in message for message in said)
    assert any(message.startswith("6 records") for message in said)
    assert of(document, world.first) == [1, 3, 4]


@pytest.mark.parametrize("following", [0, -1, "5", None, 1.5, True])
def test_pages_that_run_in_a_circle_are_said(world: World, desk: Path, following: object) -> None:
    with world.server.playing(at("GET", "/v1/records", lambda a: a.changed(more=True, next=following))):
        document = read(world, desk)
    assert "list" in kinds(document)
    assert of(document, world.first) == [1, 2, 3, 4]


def test_a_device_left_out_is_missed(world: World, read_before: Path) -> None:
    name = device_keys(world.first).id.hex()

    def leave_out(answer: Answered) -> Answered:
        return answer.changed(devices=[one for one in answer.document["devices"] if one["device"] != name])

    with world.server.playing(at("GET", "/v1/devices", leave_out)):
        document = read(world, read_before)
    of_it = {flag["kind"] for flag in document["flags"] if flag["device"] == name}
    assert of_it == {"unapproved", "vanished"}


def test_a_foreign_approval_is_none(world: World, desk: Path) -> None:
    """Neither an approval of another device, nor one of another clinician, nor a spoilt proof."""
    read(world, desk)  # approves what proved itself
    name = device_keys(world.first).id.hex()

    def swap(answer: Answered) -> Answered:
        devices = answer.document["devices"]
        foreign = next(one["approval"] for one in devices if one["device"] != name and one["approval"])
        spoilt = {"approval": foreign, "proof": b64url(bytes(32))}
        return answer.changed(
            devices=[{**one, **spoilt} if one["device"] == name else one for one in devices]
        )

    with world.server.playing(at("GET", "/v1/devices", swap)):
        document = read(world, desk)
    assert {one["device"]: one["trust"] for one in document["devices"]}[name] is None
    assert of(document, world.first) == []


@pytest.mark.parametrize(
    "answer",
    [
        Answered(200, b"<html>", "text/html"),
        Answered(200, b"[]"),
        Answered(200, b"{"),
        Answered(200, b"\xff\xfe"),
        Answered.saying({"records": "none", "next": 0, "more": False}),
        Answered.saying({}),
        None,
    ],
)
def test_what_is_no_answer_is_said_to_be_none(world: World, desk: Path, answer: Answered | None) -> None:
    with world.server.playing(always(answer)):
        shown = run_read(world, desk)
    assert shown.exit_code == 1
    assert shown.stdout == ""
    assert "Traceback" not in shown.output
    assert any(
        word in shown.stderr for word in ("not an Onebreath server", "did not answer", "not of this version")
    )


def test_weakened_parameters_are_refused_before_the_passphrase_is_used(world: World, tmp_path: Path) -> None:
    """As a server could hand out a wrapped key; today the reader has it in a file."""
    weak = Clinic(tmp_path, world.server.url, cost=CHEAP)
    with world.server.playing(always(None)) as server:
        shown = CliRunner().invoke(read_command, reading(world, weak.key_file))
    assert shown.exit_code == 1
    assert "weaker than this version allows" in shown.stderr
    assert server.asked == []
    fields = json.loads(world.clinic.key_file.read_text())
    fields["slots"][0]["passes"] = RECOMMENDED.passes - 1
    (tmp_path / "edited.json").write_text(json.dumps(fields))
    shown = CliRunner().invoke(read_command, reading(world, tmp_path / "edited.json"))
    assert shown.exit_code == 1
    assert "weaker than this version allows" in shown.stderr


def test_a_huge_answer_is_not_read_to_its_end(world: World, desk: Path) -> None:
    with world.server.playing(always(Answered(200, b" " * 200_000_000))) as server:
        shown = run_read(world, desk)
    assert shown.exit_code == 1
    assert server.wrote < 150_000_000


def test_pages_without_end_are_given_up(world: World, desk: Path) -> None:
    """Each page is empty and promises another. This server gives in at last, so that the test ends."""
    asked_for = 0

    def endless(answer: Answered) -> Answered:
        nonlocal asked_for
        asked_for += 1
        return answer.changed(records=[], more=asked_for < 40, next=asked_for)

    with world.server.playing(at("GET", "/v1/records", endless)):
        document = read(world, desk)
    assert asked_for < 40
    assert "list" in kinds(document)
