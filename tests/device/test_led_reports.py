"""A led enrolment with everything real but the sound card, and the clinician who asked for it looking on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clinic_rig import Clinic, serving
from tests.device.mailbox_rig import send
from tests.device.test_card_reports import collect, elsewhere, everything, looked, reported
from tests.device.test_led_speech import NAME, Session, says, willing
from voice import assemble_enrolment
from voice.adapters.pairing import pair
from voice.adapters.uplink import HttpUplink
from voice.assemble_enrolment import Asked
from voice.leading import GoneError
from voice.naming import NameRefusedError
from voice.ports import Lost
from voice.progress import told
from voice.wire.card_content import PartCard
from voice.wire.card_report_content import REASONS, Report, decode_report
from voice.wire.card_reports import open_report, parse_report

pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


@pytest.fixture
def home(clinic: Clinic, tmp_path: Path) -> Path:
    home = tmp_path / "device"
    pair(home, clinic.link())
    send(clinic, home, PartCard(NAME))
    waiting = assemble_enrolment.waiting(home)
    assert waiting is not None
    assert waiting.names == (NAME,)
    return home


def test_from_the_first_prompt_to_the_forecast(
    clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Report] = []
    numbers: list[int] = []
    offer = HttpUplink.card_report

    def watched(self: HttpUplink, card_id: bytes, version: int, sealed: bytes) -> int | None:
        frame = parse_report(sealed)
        numbers.append(frame.number)
        sent.append(decode_report(open_report(frame, clinic.clinician.reading)))
        return offer(self, card_id, version, sealed)

    monkeypatch.setattr(HttpUplink, "card_report", watched)
    answers = {**willing(), "enrol.say_name": [says(NAME, gain=0.002)], "enrol.too_quiet": [says(NAME, 140)]}
    enrolled = Session(home, monkeypatch, answers).lead(Asked(NAME))
    assert enrolled.kept
    [found], _ = looked(clinic, home)
    report = found.report
    assert report is not None
    assert report == sent[-1]
    assert (report.stage, report.takes, report.of) == ("done", 3, 3)
    assert (report.tries, report.tries_of) == (5, 5)
    assert report.forecast == told(enrolled.card.forecast)
    assert report.forecast is not None
    assert report.forecast.from_tries
    order = list(REASONS)
    places = [order.index(one.stage) for one in sent]
    assert places == sorted(places)
    assert places[0] == 0
    assert numbers == sorted(set(numbers))


def test_the_same_enrolment_without_a_network(
    clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(home, "http://127.0.0.1:9")
    session = Session(home, monkeypatch, willing())
    enrolled = session.lead(Asked(NAME))
    assert enrolled.kept
    assert session.client.prompts[-1] == "enrol.done"
    assert b"false_tenths" not in everything(home)
    elsewhere(home, clinic.url)
    collect(home)
    report = reported(clinic, home)
    assert report is not None
    assert (report.stage, report.forecast) == ("done", told(enrolled.card.forecast))


def test_a_microphone_that_goes_away_is_told(
    clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(GoneError):
        Session(home, monkeypatch, {**willing(), "enrol.phrase": [Lost()]}).lead(Asked(NAME))
    report = reported(clinic, home)
    assert report is not None
    assert (report.stage, report.reason, report.takes) == ("stopped", "microphone", 3)


def test_a_name_that_cannot_work_is_told(clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send(clinic, home, PartCard("me"))
    assemble_enrolment.waiting(home)
    with pytest.raises(NameRefusedError):
        Session(home, monkeypatch, {}).lead(Asked("me"))
    reports = [one.report for one in looked(clinic, home)[0]]
    assert reports == [Report("refused", reason="name_too_short")]
