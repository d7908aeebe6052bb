"""The mailbox in a device's home, against a real server: fetched, kept, told, and nothing else ever sent."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.card_maker import card_id_of, make_card, next_version
from tests.clinic_rig import Clinic, noticing, serving
from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card
from tests.device.mailbox_rig import PART, fetched, send
from voice import assemble
from voice.adapters.card_reports import of_enrolled
from voice.adapters.cards import CardBox
from voice.adapters.courier import Courier, CourierState
from voice.adapters.identity import device_keys
from voice.adapters.mailbox import DeviceMailbox, Page
from voice.adapters.pairing import pair
from voice.adapters.records import DeviceRecords
from voice.adapters.uplink import HttpUplink, http_client
from voice.errors import PairingError, StorageError
from voice.mailbox import asked_for, at_rest
from voice.outbox import DeviceState, UnreachableError
from voice.settings import PROFILES
from voice.wire.card_content import PartCard


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


@pytest.fixture
def home(clinic: Clinic, tmp_path: Path) -> Path:
    pair(tmp_path / "device", clinic.link())
    return tmp_path / "device"


@pytest.fixture
def link(home: Path) -> Iterator[HttpUplink]:
    made = HttpUplink.of(home)
    yield made
    made.close()


def test_a_card_is_fetched_kept_and_said_to_be_here(clinic: Clinic, home: Path, link: HttpUplink) -> None:
    mailbox = DeviceMailbox(home)
    assert mailbox.collect(link) == 0
    assert not (home / "mailbox.json").exists()
    send(clinic, home, PART)
    assert fetched(clinic, home) == [False]
    assert mailbox.collect(link) == 1
    assert fetched(clinic, home) == [True]
    assert [told.part for told in asked_for(mailbox.state, ())] == [PART]
    assert DeviceMailbox(home).state == mailbox.state, "as after a restart"
    assert mailbox.collect(link) == 0
    assert stat.S_IMODE((home / "mailbox.json").stat().st_mode) == 0o600


def test_many_cards_come_in_pages(clinic: Clinic, home: Path, link: HttpUplink) -> None:
    for number in range(25):
        send(clinic, home, PartCard(f"the foreman of {number}"), number + 1)
    mailbox = DeviceMailbox(home)
    assert mailbox.collect(link) == 25
    assert len(asked_for(mailbox.state, ())) == 25
    assert all(fetched(clinic, home))


class Server:
    """A server that gives whatever it likes."""

    def __init__(self, *pages: Page) -> None:
        self.pages = list(pages)
        self.told: list[tuple[bytes, int]] = []
        self.asked: list[int] = []

    def cards(self, after: int) -> Page:
        self.asked.append(after)
        return self.pages.pop(0) if self.pages else Page((), False)

    def card_fetched(self, card_id: bytes, version: int) -> None:
        self.told.append((card_id, version))

    def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
        raise AssertionError("nothing was enrolled")


def test_an_older_card_is_refused_after_a_restart_too(clinic: Clinic, home: Path, link: HttpUplink) -> None:
    old = send(clinic, home, PART)
    gone = send(clinic, home, PartCard(FOREMAN, removed=True))
    DeviceMailbox(home).collect(link)
    for replayed in ((old,), (gone,), (old, gone, old)):
        restarted = DeviceMailbox(home)
        before = restarted.state
        assert restarted.collect(Server(Page(replayed, False))) == 0
        assert restarted.state == before
        assert at_rest(restarted.state) == {FOREMAN}


def test_moving_the_mailbox_away_lets_nothing_older_in(clinic: Clinic, home: Path, link: HttpUplink) -> None:
    old = send(clinic, home, PART)
    send(clinic, home, PartCard(FOREMAN, removed=True))
    DeviceMailbox(home).collect(link)
    (home / "mailbox.json").unlink()
    mailbox = DeviceMailbox(home)
    assert mailbox.collect(Server(Page((old,), False))) == 0
    assert asked_for(mailbox.state, ()) == ()


def test_a_hostile_server_gets_nothing_in_and_keeps_nothing_out(
    clinic: Clinic, home: Path, tmp_path: Path
) -> None:
    keys = device_keys(home)
    encryption = keys.encryption.public_key().public_bytes_raw()
    good = make_card(clinic.clinician.identity, keys.id, encryption, PART, 9)[1]
    forged = make_card(Ed25519PrivateKey.generate(), keys.id, encryption, PART, 99)[1]
    pair(tmp_path / "other", clinic.link())
    other = device_keys(tmp_path / "other")
    moved = make_card(
        clinic.clinician.identity, other.id, other.encryption.public_key().public_bytes_raw(), PART, 99
    )[1]
    misnamed = make_card(clinic.clinician.identity, other.id, encryption, PART, 99)[1]
    mailbox = DeviceMailbox(home)
    server = Server(Page((b"", forged, moved, misnamed, good[:-1], good, good), False))
    assert mailbox.collect(server) == 1
    assert mailbox.state.highest == 9
    assert server.told == [(card_id_of(clinic.clinician.identity, keys.id, FOREMAN), 9)]


def test_a_server_without_an_end_is_left(clinic: Clinic, home: Path) -> None:
    server = Server(*[Page((b"x",), True)] * 1000)
    assert DeviceMailbox(home).collect(server) == 0
    assert len(server.asked) == 1, "nothing new came, so that there is no reason to go on"


def test_a_lost_acknowledgement_is_made_up_for(clinic: Clinic, home: Path, link: HttpUplink) -> None:
    send(clinic, home, PART)

    class Lossy(Server):
        def cards(self, after: int) -> Page:
            return link.cards(after)

        def card_fetched(self, card_id: bytes, version: int) -> None:
            raise UnreachableError("gone", before_any_byte=False)

    with pytest.raises(UnreachableError):
        DeviceMailbox(home).collect(Lossy())
    assert fetched(clinic, home) == [False]
    again = DeviceMailbox(home)
    assert again.collect(link) == 0
    assert fetched(clinic, home) == [True]
    assert again.state.owed == ()


def test_a_card_taken_out_meanwhile_is_owed_to_nobody(clinic: Clinic, home: Path, link: HttpUplink) -> None:
    sealed = send(clinic, home, PART)
    with clinic.client() as client:
        client.remove_card(device_keys(home).id, sealed[23:39])
    mailbox = DeviceMailbox(home)

    class Late(Server):
        def card_fetched(self, card_id: bytes, version: int) -> None:
            link.card_fetched(card_id, version)

    assert mailbox.collect(Late(Page((sealed,), False))) == 1
    assert mailbox.state.owed == ()


def test_two_processes_use_one_mailbox(clinic: Clinic, home: Path, link: HttpUplink) -> None:
    listening, enrolling = DeviceMailbox(home), DeviceMailbox(home)
    send(clinic, home, PART)
    assert enrolling.collect(link) == 1
    send(clinic, home, PartCard(LITTLE_ONE))
    assert listening.collect(link) == 1
    assert len(asked_for(listening.state, ())) == 2
    assert DeviceMailbox(home).state == listening.state


def test_a_device_paired_anew_begins_with_an_empty_mailbox(
    clinic: Clinic, home: Path, link: HttpUplink
) -> None:
    send(clinic, home, PART)
    DeviceMailbox(home).collect(link)
    pair(home, clinic.link(), replace=True)
    assert DeviceMailbox(home).state.highest == 0
    assert (home / "previous-1" / "mailbox.json").exists()
    assert DeviceMailbox(home).state.told == ()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 2}', '{"version": 1}', "null"])
def test_a_damaged_mailbox_is_said_and_left(clinic: Clinic, home: Path, damage: str) -> None:
    (home / "mailbox.json").write_text(damage)
    with pytest.raises(StorageError, match="damaged") as caught:
        DeviceMailbox(home)
    assert "Move it away" in caught.value.remedy
    assert (home / "mailbox.json").read_text() == damage


def test_an_unpaired_home_has_an_empty_mailbox_and_gets_no_keys(tmp_path: Path) -> None:
    assert DeviceMailbox(tmp_path).state.told == ()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_no_card(
    clinic: Clinic, home: Path, link: HttpUplink, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(clinic, home, PART)
    mailbox = DeviceMailbox(home)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("voice.adapters.mailbox.write_private", full)
        with pytest.raises(StorageError, match="No space left"):
            mailbox.collect(link)
    assert fetched(clinic, home) == [False]
    assert mailbox.collect(link) == 1
    assert fetched(clinic, home) == [True]


ALLOWED = (
    ("GET", r"/v1/device\?outbox=\d+", b""),
    ("GET", r"/v1/cards\?after=\d+", b""),
    ("PUT", r"/v1/cards/[0-9a-f]{32}/\d+/fetched", b""),
    ("PUT", r"/v1/cards/[0-9a-f]{32}/\d+/report", b"1BRp"),
    ("PUT", r"/v1/records/[0-9a-f]{32}", b"1BRc"),
)
HEADERS = {
    "host",
    "accept",
    "accept-encoding",
    "connection",
    "user-agent",
    "content-type",
    "content-length",
    "content-digest",
    "signature-input",
    "signature",
}


def test_nothing_but_the_fixed_calls_is_ever_sent_and_no_recording(clinic: Clinic, home: Path) -> None:
    sent: list[httpx.Request] = []
    box = CardBox(home)
    box.put(noise_card(FOREMAN, audition=True))
    box.put(noise_card("the guard at the gate", seed=2))
    mailbox = DeviceMailbox(home, of_enrolled(home))
    client = http_client()
    client.event_hooks = {"request": [sent.append]}
    now = [0.0]
    records = DeviceRecords(
        home,
        courier=False,
        hold_s=0.0,
        connect=lambda where: HttpUplink.of(where, client=client),
        mailbox=mailbox,
    )
    uplink = records._uplink
    assert isinstance(uplink, HttpUplink)
    courier = Courier(
        records.outbox,
        uplink,
        clock=lambda: now[0],
        on_asking=records._tell_depth,
        errand=records._collect,
    )
    send(clinic, home, PART)
    send(clinic, home, PartCard(LITTLE_ONE))
    records.save(noticing(0, "he", "yelled"))
    for at in (0.0, 1000.0, 2000.0):
        courier.round(at)
        send(clinic, home, PartCard(LITTLE_ONE, removed=True))
        records.save(noticing(1))
    records.close()
    client.close()
    assert all(fetched(clinic, home)[:1])
    assert {request.method for request in sent} == {"GET", "PUT"}
    seen = set()
    for request in sent:
        target = request.url.raw_path.decode()
        matching = [
            index
            for index, (method, pattern, start) in enumerate(ALLOWED)
            if request.method == method and re.fullmatch(pattern, target)
            if (request.content.startswith(start) if start else request.content == b"")
        ]
        assert len(matching) == 1, (request.method, target)
        seen |= set(matching)
        assert {name.lower() for name in request.headers} <= HEADERS
    assert seen == set(range(len(ALLOWED)))
    everything = b"".join(
        request.url.raw_path + b"".join(key + value for key, value in request.headers.raw) + request.content
        for request in sent
    )
    for path in (home / "cards").rglob("*"):
        if path.is_file() and path.suffix in (".flac", ".npz"):
            data = path.read_bytes()
            assert all(data[at : at + 24] not in everything for at in range(0, len(data) - 24, 24)), path.name
    for name in (FOREMAN, LITTLE_ONE, "jaw set", "guard"):
        assert name.encode() not in everything


def test_the_courier_tells_the_depth_and_fetches_with_each_question(clinic: Clinic, home: Path) -> None:
    mailbox, seen = DeviceMailbox(home), list[CourierState]()
    with DeviceRecords(home, courier=False, hold_s=600.0, mailbox=mailbox) as records:
        uplink = records._uplink
        assert isinstance(uplink, HttpUplink)
        courier = Courier(
            records.outbox,
            uplink,
            on_state=seen.append,
            on_asking=records._tell_depth,
            errand=records._collect,
        )
        for day in range(3):
            records.save(noticing(day))
        send(clinic, home, PART)
        courier.round(0.0)
        assert mailbox.state.told
        with clinic.client() as client:
            [entry] = [one for one in client.devices() if one.device_id == device_keys(home).id]
            assert entry.outbox_depth == 3
        send(clinic, home, PartCard(LITTLE_ONE))
        courier.round(100.0)
        assert len(mailbox.state.told) == 1, "not before the next question"
        courier.round(900.0)
        assert len(mailbox.state.told) == 2
        with clinic.client() as client:
            client.set_state(device_keys(home).id, "revoked")
        send_again = mailbox.state
        courier.round(1800.0)
        assert courier.state.device is DeviceState.REVOKED
        assert mailbox.state == send_again


def test_what_goes_wrong_with_cards_is_a_problem_and_not_the_end(clinic: Clinic, home: Path) -> None:
    def fail() -> None:
        raise (UnreachableError("cut off", before_any_byte=False) if failing else StorageError("Full.", ""))

    failing = True
    with DeviceRecords(home, courier=False) as records:
        uplink = records._uplink
        assert uplink is not None
        courier = Courier(records.outbox, uplink, errand=fail)
        courier.round(0.0)
        assert (courier.state.device, courier.state.problem) == (DeviceState.ACTIVE, "cut off")
        failing = False
        courier.round(900.0)
        assert (courier.state.reachable, courier.state.problem) == (True, "Full.")


def test_settings_from_cards_go_before_the_file_and_after_the_client(
    clinic: Clinic, home: Path, link: HttpUplink
) -> None:
    (home / "settings.toml").write_text('pace = "brisk"\ndanger_number = "999"\nvolume = 2\n')
    (home / "preferences.json").write_text(json.dumps({"volume": 4, "words_per_minute": 115}))
    send(
        clinic, home, PartCard(FOREMAN, settings={"pace": "slow", "talk_number": "116 123", "language": "xx"})
    )
    DeviceMailbox(home).collect(link)
    settings = assemble.settings_of(home)
    assert settings.timing == PROFILES["slow"]
    assert (settings.danger_number, settings.talk_number) == ("999", "116 123")
    assert (settings.volume, settings.words_per_minute, settings.language) == (4, 115, "en")


def test_versions_grow_though_cards_were_deleted_and_clocks_go_back() -> None:
    assert next_version([], 1_790_000_000) == 1_790_000_000
    assert next_version([5], 3) == 6
    assert next_version([5], 100) == 100
    assert next_version([], -5) == 1
    assert next_version([2**63 - 1], 5) == 2**63 - 1


def test_an_id_tells_nothing_without_the_key() -> None:
    one, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    ids = {
        card_id_of(key, device, name)
        for key in (one, other)
        for device in (b"a" * 16, b"b" * 16)
        for name in "xy"
    }
    assert len(ids) == 8
    assert card_id_of(one, b"a" * 16, "x") == card_id_of(one, b"a" * 16, "x")


def test_not_paired_means_no_link(tmp_path: Path) -> None:
    with pytest.raises(PairingError):
        HttpUplink.of(tmp_path)
