"""Cards as people meet them: sent by the clinician's commands, enrolled and deleted by the device's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.card_maker import card_id_of, make_card
from server.clinician_client import ClinicianClient
from server.commands import cards as card_commands
from server.commands.clinician import command as clinician
from server.commands.keys import command as keys_command
from server.commands.unlocking import judged
from server.key_slots import RECOMMENDED
from server.keyfile import unlock
from server.keys_client import KeysClient
from server.part_notes import fetch_notes, make_note, put_note, read_note
from server.reader_memory import memory_path
from server.rotating import rotate
from tests.clinic_rig import PASSPHRASE, Clinic, serving
from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card
from tests.device.mailbox_rig import PART, fetched, send
from voice import assemble_enrolment, cli
from voice.adapters.card_reports import CardReports, reporting
from voice.adapters.cards import CardBox
from voice.adapters.identity import device_keys
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.pairing import pair
from voice.adapters.uplink import HttpUplink
from voice.audition import Heard, auditioned
from voice.enrolment import Forecast
from voice.errors import EnrolmentError
from voice.mailbox import asked_for, at_rest, told_of
from voice.wire.card_content import PartCard, Value
from voice.wire.card_report_content import Report
from voice.wire.part_notes import PartNote


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url, cost=RECOMMENDED)


@pytest.fixture
def home(clinic: Clinic, tmp_path: Path) -> Path:
    pair(tmp_path / "device", clinic.link())
    return tmp_path / "device"


@pytest.fixture
def link(home: Path) -> Iterator[HttpUplink]:
    made = HttpUplink.of(home)
    yield made
    made.close()


def onebreath(*arguments: object) -> Result:
    return CliRunner().invoke(cli.onebreath, [str(argument) for argument in arguments])


def test_enrol_without_a_name_takes_the_part_that_was_asked_for(
    clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    led: list[str] = []

    def led_by_card(where: Path, asked: assemble_enrolment.Asked, *devices: object) -> None:
        led.append(asked.name)
        raise EnrolmentError("Enough of it.", "For this test.")

    monkeypatch.setattr(assemble_enrolment, "led_by_card", led_by_card)
    nothing = onebreath("enrol", "--home", home)
    assert isinstance(nothing.exception, EnrolmentError)
    assert "Dr Okafor has not asked for a part" in nothing.exception.cause
    send(clinic, home, PART)
    send(clinic, home, PartCard(LITTLE_ONE))
    result = onebreath("enrol", "--home", home)
    assert led == [FOREMAN]
    assert f"Dr Okafor asked for “{FOREMAN}”." in result.stderr
    assert "1 more after it" in result.stderr
    CardBox(home).put(noise_card(FOREMAN))
    onebreath("enrol", "--home", home)
    assert led == [FOREMAN, LITTLE_ONE]
    checked = onebreath("check", "--home", home)
    assert "1 enrolled, 1 asked for" in " ".join(checked.output.split())


def test_enrol_without_a_name_and_without_a_server_uses_what_was_fetched(
    clinic: Clinic, home: Path, link: HttpUplink, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(clinic, home, PART)
    DeviceMailbox(home).collect(link)
    fields = json.loads((home / "pairing.json").read_text())
    (home / "pairing.json").write_text(json.dumps({**fields, "server": "http://127.0.0.1:9"}))
    waiting = assemble_enrolment.waiting(home)
    assert waiting is not None
    assert (waiting.names, waiting.reached) == ((FOREMAN,), False)


def test_enrol_without_a_name_on_an_unpaired_device_is_a_usage_error(tmp_path: Path) -> None:
    for arguments in ((), ("--take", "x.wav"), ("--delete",)):
        result = onebreath("enrol", "--home", tmp_path / "home", *arguments)
        assert result.exit_code == 2, result.output
        assert "--name" in result.output
    assert not (tmp_path / "home").exists()


def test_a_part_at_rest_keeps_its_recordings_until_the_client_agrees(
    clinic: Clinic, home: Path, link: HttpUplink
) -> None:
    CardBox(home).put(noise_card(FOREMAN))
    before = {path: path.read_bytes() for path in (home / "cards").rglob("*") if path.is_file()}
    send(clinic, home, PartCard(FOREMAN, removed=True))
    DeviceMailbox(home).collect(link)
    assert {path: path.read_bytes() for path in (home / "cards").rglob("*") if path.is_file()} == before
    assert "1 enrolled, 1 at rest" in " ".join(onebreath("check", "--home", home).output.split())
    arguments = ["enrol", "--home", str(home), "--name", FOREMAN, "--delete"]
    for answer in ("n\n", "\n"):
        kept = CliRunner().invoke(cli.onebreath, arguments, input=answer)
        assert "Nothing was deleted" in kept.output
        assert CardBox(home).get(FOREMAN) is not None
    gone = CliRunner().invoke(cli.onebreath, arguments, input="y\n")
    assert gone.exit_code == 0, gone.output
    assert CardBox(home).load() == ([], [])
    assert list((home / "cards").iterdir()) == []
    again = CliRunner().invoke(cli.onebreath, arguments, input="y\n")
    assert isinstance(again.exception, EnrolmentError)


class Desk:
    """The clinician's commands as they are typed."""

    def __init__(self, clinic: Clinic, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.passphrase = passphrase = folder / "passphrase"
        passphrase.write_text(PASSPHRASE + "\n")
        self._options = [
            "--key-file",
            clinic.key_file,
            "--passphrase-file",
            passphrase,
            "--server",
            clinic.url,
        ]

    def do(self, *words: str) -> Result:
        return CliRunner().invoke(clinician, [*words, *map(str, self._options)])


def test_the_commands_as_they_are_typed(clinic: Clinic, home: Path, link: HttpUplink, tmp_path: Path) -> None:
    desk, name = Desk(clinic, tmp_path), device_keys(home).id.hex()
    assert "No cards" in desk.do("cards", name).output
    said = desk.do(
        "send", name[:12], "--name", " the  foreman", "--tell", "jaw set", "--alias", "four man", "--quiet",
        "--pace", "slow", "--quiet-hours", "22:30-07:00", "--danger-number", "112",
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    assert f"is waiting for device {name}" in said.output
    listed = desk.do("cards", name)
    assert "not yet" in listed.output
    mailbox = DeviceMailbox(home)
    mailbox.collect(link)
    [told] = asked_for(mailbox.state, ())
    assert told.part == PartCard(
        FOREMAN,
        "four man",
        "jaw set",
        {
            "danger_number": "112",
            "pace": "slow",
            "quiet": True,
            "quiet_from": "22:30",
            "quiet_until": "07:00",
        },
    )
    assert told.quiet is True
    assert "not yet" not in desk.do("cards", name).output
    again = desk.do(
        "send", name, "--name", FOREMAN, "--pace", "default", "--quiet-hours", "default", "--spoken"
    )
    assert again.exit_code == 0, again.output
    assert desk.do("send", name, "--name", LITTLE_ONE).exit_code == 0
    mailbox.collect(link)
    assert mailbox.state.settings == {"danger_number": "112"}
    assert len(mailbox.state.told) == 2
    shown = desk.do("cards", name, "--name", FOREMAN).output
    assert card_id_of(clinic.clinician.identity, bytes.fromhex(name), FOREMAN).hex()[:8] in shown
    assert len(shown.strip().splitlines()) == 3
    assert desk.do("send", name, "--name", FOREMAN, "--remove").exit_code == 0
    mailbox.collect(link)
    assert at_rest(mailbox.state) == {FOREMAN}


def test_a_part_set_up_in_the_page_keeps_its_card_and_what_the_client_told(
    clinic: Clinic, home: Path, tmp_path: Path
) -> None:
    desk, keys = Desk(clinic, tmp_path), device_keys(home)
    encryption = keys.encryption.public_key().public_bytes_raw()
    told = PartNote(FOREMAN, tell="jaw set", settings={"pace": "slow"}, age="about nine")
    with clinic.client() as client:
        card_id, sealed = make_card(
            clinic.clinician.identity, keys.id, encryption, PartCard(FOREMAN), 5, card_id=b"p" * 16
        )
        client.send_card(keys.id, card_id, sealed)
        put_note(client, make_note(clinic.clinician, keys.id, card_id, 5, told))
        said = desk.do("send", keys.id.hex(), "--name", FOREMAN, "--tell", "shoulders up", "--quiet")
        assert said.exit_code == 0, said.output
        [note] = fetch_notes(client, keys.id)
        assert note.card_id == card_id
        settings: dict[str, Value] = {"pace": "slow", "quiet": True}
        assert read_note(clinic.clinician, note) == replace(told, tell="shoulders up", settings=settings)
        assert FOREMAN in desk.do("cards", keys.id.hex()).output
        assert desk.do("send", keys.id.hex(), "--name", FOREMAN, "--remove").exit_code == 0
        [note] = fetch_notes(client, keys.id)
        assert read_note(clinic.clinician, note).removed
        assert read_note(clinic.clinician, note).age == "about nine"
    assert f"{FOREMAN} (resting)" in " ".join(desk.do("cards", keys.id.hex()).output.split())


def test_a_note_that_the_page_sealed_to_a_newer_key_is_not_overwritten(tmp_path: Path) -> None:
    with serving(tmp_path / "server.db") as url:
        clinic = Clinic(tmp_path, url, cost=RECOMMENDED)
        keys = device_keys(clinic.device("ana"))
        desk, encryption = Desk(clinic, tmp_path), keys.encryption.public_key().public_bytes_raw()
        told = PartNote(FOREMAN, tell="jaw set", age="about nine")
        elsewhere = tmp_path / "elsewhere.key.json"
        shutil.copy(clinic.key_file, elsewhere)
        with clinic.client() as client:
            newer = rotate(elsewhere, clinic.clinician, KeysClient(client), now=1, copy=True).clinician
            card_id, sealed = make_card(
                newer.identity, keys.id, encryption, PartCard(FOREMAN), 5, card_id=b"p" * 16
            )
            client.send_card(keys.id, card_id, sealed)
            put_note(client, make_note(newer, keys.id, card_id, 5, told))
            cards, notes = client.cards(keys.id), fetch_notes(client, keys.id)
            late = desk.do("send", keys.id.hex(), "--name", FOREMAN, "--tell", "shoulders up")
            assert late.exit_code == 1
            assert "sealed to a newer key than this key file has" in late.output
            assert "onebreath keys rotate" in late.output
            assert (client.cards(keys.id), fetch_notes(client, keys.id)) == (cards, notes)
            typed = ["rotate", "--key-file", str(clinic.key_file), "--passphrase-file", str(desk.passphrase)]
            done = CliRunner().invoke(keys_command, [*typed, "--server", url])
            assert done.exit_code == 0, done.output
            said = desk.do("send", keys.id.hex(), "--name", FOREMAN, "--tell", "shoulders up")
            assert said.exit_code == 0, said.output
            assert [card.card_id for card in client.cards(keys.id)] == [card_id]
            [note] = fetch_notes(client, keys.id)
        after = unlock(clinic.key_file, PASSPHRASE)
        assert read_note(after, note) == replace(told, tell="shoulders up")


def test_how_an_enrolment_goes_is_listed_with_its_forecast(
    clinic: Clinic, home: Path, link: HttpUplink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, name = Desk(clinic, tmp_path), device_keys(home).id.hex()
    send(clinic, home, PART)
    DeviceMailbox(home).collect(link)
    assert "enrolment" not in desk.do("cards", name).output
    kept: list[bytes | None] = []
    forecast = auditioned(
        Forecast(9.0, 0.4, {"bank_hours": 5.0, "talk_hours_a_week": 20.0}), Heard(5, 5, 60.0, 0)
    )
    mine = told_of(DeviceMailbox(home).state, FOREMAN)
    assert mine is not None
    reports = CardReports(home, mine)
    reports.tell(Report("recording", 1, 3, reason="too_quiet"))
    reports.close(30)
    shown = desk.do("cards", name)
    assert "enrolment: the name is recorded, take 2 of 3." in shown.output
    assert "! The last recording was too quiet." in shown.output
    with clinic.client() as client:
        kept += [card.report for card in client.cards(device_keys(home).id)]
    with reporting(home, FOREMAN) as progress:
        progress.begin()
        progress.done(forecast, "alike")
    shown = desk.do("cards", name, "--name", FOREMAN)
    assert shown.exit_code == 0, shown.output
    assert "enrolment: done." in shown.output
    assert "found: 5 of 5 tries, so probably at least 6 of 10" in shown.output
    assert "false tones: about one a week" in shown.output
    assert "! It sounds like another part" in shown.output
    listed = ClinicianClient.cards
    for report, why in (
        (kept[0], "brought an earlier one back"),
        (b"1BRp", "not believed"),
        (None, "is gone"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(
                ClinicianClient,
                "cards",
                lambda self, device, report=report: tuple(
                    replace(card, report=report) for card in listed(self, device)
                ),
            )
            said = desk.do("cards", name)
        assert said.exit_code == 0, said.output
        assert why in said.output
        assert "enrolment:" not in said.output
    assert "enrolment: done." in desk.do("cards", name).output
    notes = memory_path(clinic.key_file)
    before = notes.read_bytes()
    notes.write_text("{")
    said = desk.do("cards", name)
    assert "nothing could be compared" in said.output
    assert notes.read_text() == "{", "left for `onebreath read`, which puts it aside"
    notes.write_bytes(before)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--name", " "), "name is text"),
        (("--name", "n" * 81), "at most 80"),
        (("--name", FOREMAN, "--pace", "fast"), "pace cannot be that"),
        (("--name", FOREMAN, "--quiet-hours", "22:30"), "quiet_until cannot be that"),
        (("--name", FOREMAN, "--danger-number", "HELP"), "danger_number cannot be that"),
        (("--name", FOREMAN, "--remove", "--tell", "jaw"), "says nothing else"),
    ],
)
def test_what_a_card_cannot_say_is_said_before_anything_is_sent(
    clinic: Clinic, home: Path, tmp_path: Path, words: tuple[str, ...], problem: str
) -> None:
    said = Desk(clinic, tmp_path).do("send", device_keys(home).id.hex(), *words)
    assert said.exit_code != 0
    assert problem in said.output
    assert fetched(clinic, home) == []


def test_nothing_is_sealed_to_a_device_that_nobody_vouches_for(
    clinic: Clinic, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        card_commands, "judged", lambda *who: [replace(device, trust=None) for device in judged(*who)]
    )
    said = Desk(clinic, tmp_path).do("send", device_keys(home).id.hex(), "--name", FOREMAN)
    assert said.exit_code == 1
    assert "nothing was sent" in said.output
    assert fetched(clinic, home) == []
