"""Pairing: the link, the pinning, and what happens to what was there before."""

from __future__ import annotations

import json
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.clinic_rig import Clinic, noticing, send, serving
from voice.adapters.identity import device_keys, load_pairing, sealer
from voice.adapters.pairing import NEXT_DEVICE_FILE, claim, pair
from voice.adapters.recovery import open_store
from voice.commands.pair import command
from voice.errors import PairingError, StorageError
from voice.outbox import Outbox
from voice.wire.encoding import b64url
from voice.wire.keys import sign_statement
from voice.wire.pairing import Link


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


def save(home: Path, count: int) -> None:
    with open_store(home) as store:
        outbox = Outbox(store, sealer(home), lambda: secrets.token_bytes(16))
        for day in range(count):
            outbox.save(noticing(day))


def nobody(link: str) -> str:
    """The same link to a server that is not there."""
    parsed = Link.parse(link)
    return str(Link("http://127.0.0.1:9", parsed.pairing_id, parsed.secret, parsed.fingerprint))


def test_a_device_is_paired_and_says_with_whom(clinic: Clinic, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["-", "--home", str(tmp_path)], input=clinic.link() + "\n")
    assert result.exit_code == 0, result.output
    assert "now paired with Dr Okafor" in result.output
    assert device_keys(tmp_path).id.hex() in result.output
    for name in ("device.json", "pairing.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert send(tmp_path, noticing(0)) == 1


def test_the_link_leaves_no_secret_on_the_device(clinic: Clinic, tmp_path: Path) -> None:
    link = clinic.link()
    pair(tmp_path, link)
    kept = "".join(path.read_text() for path in tmp_path.glob("*.json"))
    assert b64url(Link.parse(link).secret) not in kept


def test_the_same_link_may_be_tried_again_after_a_lost_answer(clinic: Clinic, tmp_path: Path) -> None:
    link = Link.parse(clinic.link())
    with httpx.Client() as client:
        claim(link, device_keys(tmp_path), client)
    assert load_pairing(tmp_path) is None
    assert pair(tmp_path, str(link)).pairing.name == "Dr Okafor"


def test_a_used_link_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    link = clinic.link()
    pair(tmp_path / "one", link)
    with pytest.raises(PairingError, match="already been used") as caught:
        pair(tmp_path / "two", link)
    assert "new link" in caught.value.remedy


def test_an_unknown_or_guessed_link_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    good = Link.parse(clinic.link())
    unknown = Link(good.server, secrets.token_bytes(16), good.secret, good.fingerprint)
    with pytest.raises(PairingError, match="does not know"):
        pair(tmp_path, str(unknown))
    guessed = Link(good.server, good.pairing_id, secrets.token_bytes(16), good.fingerprint)
    with pytest.raises(PairingError, match="does not take"):
        pair(tmp_path, str(guessed))
    assert load_pairing(tmp_path) is None


def test_an_expired_link_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            410, json={"error": "expired", "message": "This link has expired.", "remedy": ""}
        )

    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as client,
        pytest.raises(PairingError, match="has expired"),
    ):
        pair(tmp_path, clinic.link(), client=client)


@pytest.mark.parametrize(
    "garbled",
    ["", "hello", "https://clinic.example/pair/", "https://clinic.example/pair/abc#def", "http://[", "-"],
)
def test_a_garbled_link_is_refused_before_any_call(tmp_path: Path, garbled: str) -> None:
    with pytest.raises(PairingError) as caught:
        pair(tmp_path, garbled)
    assert caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_cut_link_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    link = clinic.link()
    for cut in (link[:-1], link.split("#")[0], link.replace("#", "")):
        with pytest.raises(PairingError):
            pair(tmp_path, cut)


def test_an_absent_server_leaves_the_link_good(clinic: Clinic, tmp_path: Path) -> None:
    with pytest.raises(PairingError, match="did not answer") as caught:
        pair(tmp_path, nobody(clinic.link()))
    assert "still good" in caught.value.remedy


def test_a_server_that_shows_another_clinician_is_not_believed(clinic: Clinic, tmp_path: Path) -> None:
    evil = sign_statement(
        Ed25519PrivateKey.generate(),
        clinician_id=clinic.clinician.id,
        name="Dr Okafor",
        epoch=1,
        reading=X25519PrivateKey.generate().public_key(),
        issued_at=int(time.time()),
    )

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json={"device": "", "statement": b64url(evil), "server_time": ""})

    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as client,
        pytest.raises(PairingError, match="did not show the clinician"),
    ):
        pair(tmp_path, clinic.link(), client=client)
    assert load_pairing(tmp_path) is None


def test_a_paired_device_is_not_paired_again_by_mistake(clinic: Clinic, tmp_path: Path) -> None:
    pair(tmp_path, clinic.link())
    save(tmp_path, 2)
    before = (tmp_path / "pairing.json").read_bytes()
    with pytest.raises(
        PairingError, match=r"already paired with Dr Okafor\. 2 records are not yet sent"
    ) as caught:
        pair(tmp_path, clinic.link())
    assert "--replace" in caught.value.remedy
    assert "sent to nobody else" in caught.value.remedy
    assert (tmp_path / "pairing.json").read_bytes() == before


def test_replacing_delivers_what_it_can_and_starts_anew(clinic: Clinic, tmp_path: Path) -> None:
    first = pair(tmp_path, clinic.link())
    save(tmp_path, 2)
    again = pair(tmp_path, clinic.link(), replace=True)
    assert (again.before, again.delivered, again.left_behind) == ("Dr Okafor", 2, 0)
    assert again.device_id != first.device_id
    assert again.device_id == device_keys(tmp_path).id
    assert not (tmp_path / NEXT_DEVICE_FILE).exists()
    assert send(tmp_path, noticing(0)) == 1


def test_what_cannot_be_delivered_stays_with_its_own_clinician(clinic: Clinic, tmp_path: Path) -> None:
    pair(tmp_path, clinic.link())
    save(tmp_path, 2)
    fields = json.loads((tmp_path / "pairing.json").read_text())
    (tmp_path / "pairing.json").write_text(json.dumps({**fields, "server": "http://127.0.0.1:9"}))
    result = CliRunner().invoke(command, [clinic.link(), "--replace", "--home", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "could not be delivered to Dr Okafor: 2" in result.output
    with open_store(tmp_path / "previous-1") as store:
        assert store.counts() == (2, 0)
    with open_store(tmp_path) as store:
        assert store.counts() == (0, 0)
        assert store.last_sequence() == 0


def test_replacing_waits_for_the_listening_process(clinic: Clinic, tmp_path: Path) -> None:
    pair(tmp_path, clinic.link())
    before = (tmp_path / "pairing.json").read_bytes()
    link = clinic.link()
    with open_store(tmp_path), pytest.raises(StorageError, match="in use"):
        pair(tmp_path, link, replace=True)
    assert (tmp_path / "pairing.json").read_bytes() == before
    # The claim was already made with the new keys, which were kept: the same link goes on.
    assert pair(tmp_path, link, replace=True).pairing.name == "Dr Okafor"


@pytest.mark.parametrize("moved", [["pairing.json"], ["pairing.json", "device.json"]])
def test_replacing_that_was_cut_short_goes_on_with_the_same_link(
    clinic: Clinic, tmp_path: Path, moved: list[str]
) -> None:
    pair(tmp_path, clinic.link())
    link = clinic.link()
    new = device_keys(tmp_path, NEXT_DEVICE_FILE)
    with httpx.Client() as client:
        claim(Link.parse(link), new, client)
    (tmp_path / "previous-1").mkdir()
    for name in moved:
        (tmp_path / name).rename(tmp_path / "previous-1" / name)
    assert pair(tmp_path, link).device_id == new.id
    assert device_keys(tmp_path).id == new.id
    assert send(tmp_path, noticing(0)) == 1


@pytest.mark.parametrize("content", ["", "{}", '{"version": 1}', '{"version": 9}', "[]"])
def test_damaged_files_are_said_and_left(tmp_path: Path, content: str) -> None:
    for name in ("device.json", "pairing.json"):
        (tmp_path / name).write_text(content)
    with pytest.raises(StorageError, match="damaged"):
        device_keys(tmp_path)
    with pytest.raises(StorageError, match="damaged"):
        load_pairing(tmp_path)
    assert (tmp_path / "device.json").read_text() == content


def test_an_unpaired_device_seals_for_nobody(tmp_path: Path) -> None:
    with pytest.raises(PairingError, match="not paired"):
        sealer(tmp_path)(noticing(0), bytes(16), 1)
