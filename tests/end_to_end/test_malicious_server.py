"""A server that lies: what it can do, who notices, and how. Every row is a test, here for the device, in
test_malicious_reader.py for the reader.

| attack | who notices | how |
|---|---|---|
| another clinician's statement while pairing | device | the link's fingerprint: nothing is kept |
| the device's keys exchanged while pairing | reader | the link's proof fails: `unapproved`, for ever |
| another clinician's statement later | device | not taken, and said; it still seals for the right one |
| an older epoch, or an older statement of the same one | device | not taken; the newest stays |
| a receipt for another record, or for other bytes | device | the record is kept; five in a row, set aside |
| HTML, no JSON, half, an array, nesting, silence | device | no answer; tried again later |
| a true answer under another content type | nobody needs to | a receipt names the bytes itself |
| a redirect | device, reader | not followed; the other address gets no byte |
| a huge answer | device, reader | cut off; no answer |
| an answer a byte at a time, without end | device, reader | given up as a whole |
| "refused for ever" (400, 409) for a good record | device | set aside, counted, can be put back |
| states that flap, a state that is none | device | the last word counts (S17); nothing is lost |
| a clock refusal without end, a nonce with a header in it | device | asked twice at most; not sent |
| control characters in messages and states | device, reader | harmless before a terminal gets them |
| a record acknowledged and dropped, or left out | reader | `missing`, between which days |
| the list's end or last page withheld | reader | `vanished`, if it was read before |
| a record forged in a device's name, or altered | reader | `forged`, not shown |
| a device of the server's own, with records | reader | `unapproved`, not shown |
| a record of another clinician's client | reader | `unapproved`, not shown |
| a record listed under another device | reader | `misfiled` |
| a record listed twice; another order | reader | `duplicate`, shown once; `order` |
| a truncated frame, entries of nonsense | reader | `frame`, counted |
| pages in a circle; pages without end | reader | `list` |
| a device left out of the list | reader | its records `unapproved`, and `vanished` if read before |
| a foreign approval | reader | falls back to the proof; without it `unapproved` |
| invalid JSON, HTML, an array | reader | said to be no Onebreath server |
| weaker Argon2id parameters in a passphrase slot | reader | refused before anything is stretched |

A record that is dropped at the very end, before it was ever read, is seen only when the next one arrives: the
device counts its records and does not yet tell the reader the count. The clinician's page does not exist yet;
when it does, each row for the reader is a row for the page.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.commands.clinician import command as clinician_command
from server.commands.read import command as read_command
from tests.clinic_rig import Clinic, noticing
from tests.end_to_end.hostile import Answered, Asked, Forward, hostile
from tests.end_to_end.malice import World, always, at, changing, kinds, read, reading
from voice.adapters.courier import Courier
from voice.adapters.identity import device_keys, load_pairing, renew_statement, sealer
from voice.adapters.pairing import pair
from voice.adapters.recovery import open_store
from voice.adapters.uplink import HttpUplink, http_client
from voice.errors import PairingError
from voice.outbox import DeviceState, Outbox, UnreachableError
from voice.wire.encoding import b64url, key_id
from voice.wire.envelope import open_frame, parse_frame
from voice.wire.keys import sign_statement


@dataclass
class Box:
    """A paired device with records of its own, and its outbox open."""

    home: Path
    outbox: Outbox
    uplink: HttpUplink
    now: float = 0.0

    def flush(self) -> Any:
        self.now += 10_000.0
        return self.outbox.flush(self.uplink, self.now, ignore_hold=True)

    @property
    def kept(self) -> int:
        return len(self.outbox.pending()) + len(self.outbox.set_aside())


@pytest.fixture
def box(world: World) -> Iterator[Box]:
    home = world.clinic.device(f"box-{secrets.token_hex(4)}")
    client = http_client()
    client.timeout = httpx.Timeout(2.0)
    with open_store(home) as store:
        outbox = Outbox(store, sealer(home), lambda: secrets.token_bytes(16))
        outbox.save(noticing(0, "he", "yelled"))
        yield Box(home, outbox, HttpUplink.of(home, client=client))
    client.close()


def statement(world: World, *, epoch: int, issued_at: int = 2_000_000_000, by: Clinic | None = None) -> bytes:
    clinician = (by or world.clinic).clinician
    return sign_statement(
        clinician.identity,
        clinician_id=clinician.id,
        name="Dr Okafor",
        epoch=epoch,
        reading=X25519PrivateKey.generate().public_key(),
        issued_at=issued_at,
    )


def arrives(world: World, box: Box) -> None:
    """With the honest server again, what was kept arrives, once."""
    box.outbox.put_back()
    flushed = box.flush()
    assert (flushed.delivered, flushed.waiting, flushed.set_aside) == (1, 0, 0), flushed
    records = [
        one for one in world.clinic.listed()[1].records if one.device == device_keys(box.home).id.hex()
    ]
    assert len(records) == 1


def test_another_clinicians_statement_ends_the_pairing(world: World, tmp_path: Path) -> None:
    link = world.clinic.link()
    pairing_id = link.split("/pair/")[1].split("#")[0]
    for said in (world.other.clinician.statement, statement(world, epoch=1, by=world.other)):
        play = changing("POST", f"/v1/pairings/{pairing_id}", statement=b64url(said))
        with world.server.playing(play), pytest.raises(PairingError, match="did not show the clinician"):
            pair(tmp_path, link)
        assert load_pairing(tmp_path) is None
    assert pair(tmp_path, link).pairing.name == "Dr Okafor", "the same link is still good for this device"


def test_keys_that_were_exchanged_while_pairing_are_never_approved(world: World, tmp_path: Path) -> None:
    own = Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    def swap(asked: Asked, forward: Forward) -> Answered:
        if asked.path.startswith("/v1/pairings/"):
            fields = {**json.loads(asked.body), "signing": b64url(own)}
            asked = replace(asked, body=json.dumps(fields).encode())
        return forward(asked)

    with world.server.playing(swap):
        pair(tmp_path, world.clinic.link())
    document = read(world, tmp_path)
    listed = {one["device"]: one["trust"] for one in document["devices"]}
    assert listed[key_id(own).hex()] is None
    assert device_keys(tmp_path).id.hex() not in listed
    assert "unapproved" in kinds(document)


def test_another_clinician_later_is_not_taken(world: World, box: Box) -> None:
    swapped = b64url(world.other.clinician.statement)
    with world.server.playing(at("GET", "/v1/device", lambda a: a.changed(statement=swapped))):
        with pytest.raises(UnreachableError, match="another clinician"):
            box.uplink.device_state()
        courier = Courier(box.outbox, box.uplink)
        courier.round(0.0)
        assert courier.state.reachable is False
        assert "another clinician" in (courier.state.problem or "")
    row = box.outbox.pending()[0]
    assert open_frame(parse_frame(row.sealed), world.clinic.clinician.reading)
    arrives(world, box)


def test_an_older_epoch_or_statement_is_not_taken(world: World, box: Box) -> None:
    newest = statement(world, epoch=3, issued_at=2_000_000_000)
    assert renew_statement(box.home, newest)
    older = b64url(world.clinic.clinician.statement)
    play = at("GET", "/v1/device", lambda a: a.changed(statement=older))
    with world.server.playing(play), pytest.raises(UnreachableError, match="older"):
        box.uplink.device_state()
    earlier = b64url(statement(world, epoch=3, issued_at=1_900_000_000))
    with world.server.playing(at("GET", "/v1/device", lambda a: a.changed(statement=earlier))):
        assert box.uplink.device_state() is DeviceState.ACTIVE
    pairing = load_pairing(box.home)
    assert pairing is not None
    assert pairing.statement == newest


@pytest.mark.parametrize(
    "changes",
    [
        {"record": "00" * 16},
        {"sha256": "00" * 32},
        {"sha256": ""},
        {"record": "00" * 16, "sha256": "00" * 32},
    ],
)
def test_a_receipt_for_anything_else_deletes_nothing(world: World, box: Box, changes: dict[str, str]) -> None:
    path = f"/v1/records/{box.outbox.pending()[0].record_id.hex()}"
    with world.server.playing(at("PUT", path, lambda a: a.changed(**changes))):
        for _ in range(6):
            flushed = box.flush()
            assert (flushed.delivered, box.kept) == (0, 1)
    assert (flushed.waiting, flushed.set_aside) == (0, 1)
    assert "other bytes" in (box.outbox.set_aside()[0].set_aside or "")
    arrives(world, box)


def test_the_receipt_of_the_record_before_deletes_nothing(world: World, box: Box) -> None:
    box.outbox.save(noticing(1))
    first: list[Answered] = []

    def replay(asked: Asked, forward: Forward) -> Answered:
        answer = forward(asked)
        first.append(answer)
        return first[0]

    with world.server.playing(replay):
        flushed = box.flush()
    assert (flushed.delivered, flushed.waiting) == (1, 1)
    assert box.outbox.pending()[0].sealed[40:48] == (2).to_bytes(8, "big")


NO_ANSWER = {
    "HTML": Answered(200, b"<html>Welcome, guest</html>", "text/html"),
    "not JSON": Answered(201, b"{'record': 1}"),
    "an array": Answered(201, b"[]"),
    "nesting": Answered(201, b"[" * 60_000),
    "half": Answered(201, b'{"record":', length=900),
    "nothing": Answered(201, b""),
    "not UTF-8": Answered(201, b'{"record": "\xff\xfe"}'),
    "other types": Answered.saying({"record": 1, "sha256": None, "received_at": []}, 201),
    "no error code": Answered.saying({"detail": "Internal"}, 500),
    "silence": None,
    "a huge answer": Answered(201, b" " * 50_000_000),
    "a huge answer that is a receipt": Answered(201, b'{"record":"' + b"0" * 50_000_000 + b'"}'),
}


@pytest.mark.parametrize("answer", NO_ANSWER.values(), ids=NO_ANSWER)
def test_what_is_no_answer_changes_nothing(world: World, box: Box, answer: Answered | None) -> None:
    with world.server.playing(always(answer)) as server:
        flushed = box.flush()
        assert (flushed.delivered, flushed.waiting, flushed.reachable) == (0, 1, False)
        with pytest.raises(UnreachableError):
            box.uplink.device_state()
    assert server.wrote < 20_000_000, "a huge answer is not read to its end"
    arrives(world, box)


def test_a_server_that_says_nothing_is_given_up(world: World, box: Box) -> None:
    box.uplink._client.timeout = httpx.Timeout(0.3)
    with world.server.playing(always(Answered(201, b'{"record": "' + b"0" * 20, drip_s=0.6))):
        flushed = box.flush()
    assert flushed.reachable is False
    assert "no answer" in (flushed.problem or "")
    box.uplink._client.timeout = httpx.Timeout(5.0)
    arrives(world, box)


def test_a_true_receipt_under_another_label_is_a_receipt(world: World, box: Box) -> None:
    with world.server.playing(lambda asked, forward: replace(forward(asked), kind="text/html")):
        assert box.flush().delivered == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(world: World, box: Box, status: int) -> None:
    with hostile() as elsewhere:
        away = Answered(status, b'{"error": "moved"}', headers=(("Location", f"{elsewhere.url}/v1/device"),))
        with world.server.playing(always(away)):
            assert box.flush().delivered == 0
            with pytest.raises(UnreachableError):
                box.uplink.device_state()
            shown = CliRunner().invoke(read_command, reading(world, world.clinic.key_file))
            assert shown.exit_code == 1
        assert elsewhere.asked == []
    arrives(world, box)


@pytest.mark.parametrize("status", [400, 409, 413])
def test_a_refusal_for_ever_keeps_the_record_and_says_so(world: World, box: Box, status: int) -> None:
    with world.server.playing(
        always(Answered.saying({"error": "frame", "message": "No.", "remedy": ""}, status))
    ):
        flushed = box.flush()
    assert (flushed.delivered, flushed.waiting, flushed.set_aside) == (0, 0, 1)
    assert flushed.problem == "frame: No."
    arrives(world, box)


def test_S17_states_that_flap_lose_nothing(world: World, box: Box) -> None:
    states = iter(["paused", "active", "discharged", "revoked", "active", "paused"])
    with world.server.playing(at("GET", "/v1/device", lambda a: a.changed(state=next(states)))):
        seen = [box.uplink.device_state() for _ in range(6)]
    assert [state.value for state in seen] == [
        "paused",
        "active",
        "discharged",
        "revoked",
        "active",
        "paused",
    ]
    for nonsense in ("open", "", None, 1, ["active"], {"state": "active"}):
        play = changing("GET", "/v1/device", state=nonsense)
        with world.server.playing(play), pytest.raises(UnreachableError):
            box.uplink.device_state()
    for state in ("paused", "discharged", "revoked"):
        with world.server.playing(always(Answered.saying({"error": state, "message": "Rest."}, 403))):
            flushed = box.flush()
            assert (flushed.delivered, flushed.waiting, flushed.device_state) == (0, 1, DeviceState(state))
    arrives(world, box)


@pytest.mark.parametrize(
    "nonce", ["n" * 22, "", "short", 'n"; created=1' + "n" * 16, "n" * 16 + "\r\nX: y", 7]
)
def test_a_clock_refusal_without_end_is_asked_twice(world: World, box: Box, nonce: object) -> None:
    refusal = Answered.saying({"error": "clock", "message": "", "nonce": nonce}, 401)
    with world.server.playing(always(refusal)) as server:
        assert box.flush().delivered == 0
    assert 1 <= len(server.asked) <= 2
    assert not any(name == "X" for asked in server.asked for name, _ in asked.headers)
    arrives(world, box)


def test_what_the_server_says_is_harmless_in_a_terminal(world: World, box: Box) -> None:
    nasty = "\x1b]0;owned\x07\x1b[2J\r\n\u202egnp.exe"
    refusal = Answered.saying({"error": nasty, "message": nasty, "remedy": nasty}, 403)
    with world.server.playing(always(refusal)):
        assert (box.flush().problem or "").isprintable()
        shown = CliRunner().invoke(read_command, reading(world, world.clinic.key_file))
    assert shown.exit_code == 1
    assert "\x1b" not in shown.output
    assert "\u202e" not in shown.output

    def devices(answer: Answered) -> Answered:
        return answer.changed(devices=[{**one, "state": nasty} for one in answer.document["devices"]])

    with world.server.playing(at("GET", "/v1/devices", devices)):
        shown = CliRunner().invoke(clinician_command, ["devices", *reading(world, world.clinic.key_file)])
    assert shown.exit_code == 0
    assert "\x1b" not in shown.output


def test_an_answer_without_end_is_given_up_as_a_whole(world: World, box: Box) -> None:
    """A byte now and then keeps each wait short; the whole must not last for ever."""
    box.uplink._client.timeout = httpx.Timeout(0.5)
    with world.server.playing(always(Answered(201, b" " * 40, drip_s=0.1))) as server:
        assert box.flush().reachable is False
    assert server.wrote < 40
