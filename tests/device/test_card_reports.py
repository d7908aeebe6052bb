"""From an enrolment to the clinician who asked for it, by a real server: live, late, lost and forged."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.clinician_client import CardEntry
from server.keys_client import KeysClient
from server.reader import Device, judge
from server.reader_reports import Seen, Told, lines, read_reports
from tests.clinic_rig import Clinic, serving
from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card
from tests.device.mailbox_rig import PART, send
from voice import assemble_enrolment
from voice.adapters import card_reports
from voice.adapters.card_reports import CardReports, of_enrolled, reporting
from voice.adapters.cards import CardBox
from voice.adapters.identity import device_keys
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.pairing import pair
from voice.adapters.recorded import Recorded
from voice.adapters.uplink import HttpUplink
from voice.assemble_enrolment import Enrolled
from voice.audition import Refusal
from voice.enrolment import Forecast
from voice.errors import EnrolmentError, StorageError
from voice.mailbox import told_of
from voice.outbox import UnreachableError
from voice.progress import told
from voice.revising import Revised
from voice.wire.card_content import PartCard
from voice.wire.card_report_content import Report, encode_report
from voice.wire.card_reports import parse_report, seal_report
from voice.wire.encoding import key_id
from voice.wire.keys import sign_statement

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


@pytest.fixture
def home(clinic: Clinic, tmp_path: Path) -> Path:
    """A device that was asked for one part."""
    home = tmp_path / "device"
    pair(home, clinic.link())
    send(clinic, home, PART)
    collect(home)
    return home


def collect(home: Path) -> None:
    link = HttpUplink.of(home)
    try:
        DeviceMailbox(home, of_enrolled(home)).collect(link)
    finally:
        link.close()


def looked(clinic: Clinic, home: Path, seen: Seen | None = None) -> tuple[list[Told], Seen]:
    """What the clinician sees of the device's cards."""
    with clinic.client() as client:
        [entry] = [one for one in client.devices() if one.device_id == device_keys(home).id]
        cards = client.cards(entry.device_id)
    return read_reports(clinic.clinician, judge(entry, clinic.clinician), cards, seen or {})


def reported(clinic: Clinic, home: Path) -> Report | None:
    found, _ = looked(clinic, home)
    return found[0].report if found else None


def elsewhere(home: Path, server: str) -> None:
    """As a network does that is not there, or is again."""
    fields = json.loads((home / "pairing.json").read_text())
    (home / "pairing.json").write_text(json.dumps({**fields, "server": server}))


def everything(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_each_stage_is_seen_while_it_goes_on(clinic: Clinic, home: Path) -> None:
    arrived = threading.Semaphore(0)

    class Watched(HttpUplink):
        def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
            try:
                return super().card_report(card_id, version, sealed)
            finally:
                arrived.release()

    mine = told_of(DeviceMailbox(home).state, FOREMAN)
    assert mine is not None
    reports = CardReports(home, mine, connect=Watched.of)
    numbers = []
    for report in (Report("waiting", of=3), Report("recording", 1, 3), Report("phrase", 3, 3)):
        reports.tell(report)
        assert arrived.acquire(timeout=30)
        found, seen = looked(clinic, home)
        assert [one.report for one in found] == [report]
        numbers += [number for _, number in seen.values()]
    reports.close()
    assert numbers == [1, 2, 3]


def test_an_enrolment_that_is_left_was_stopped_and_a_finished_one_was_not(clinic: Clinic, home: Path) -> None:
    def interrupted() -> None:
        with reporting(home, FOREMAN) as progress:
            progress.begin()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reported(clinic, home) == Report("stopped", 0, 3)
    forecast = Forecast(9.0, 0.4)
    with reporting(home, FOREMAN) as progress:
        progress.begin()
        progress.done(forecast)
    assert reported(clinic, home) == Report("done", 0, 3, forecast=told(forecast))


def test_nobody_is_told_of_a_part_that_nobody_asked_for(clinic: Clinic, home: Path, tmp_path: Path) -> None:
    before = threading.active_count()
    with reporting(home, LITTLE_ONE) as progress:
        progress.begin()
        assert threading.active_count() == before
    with reporting(tmp_path / "unpaired", FOREMAN) as progress:
        progress.begin()
    assert not (tmp_path / "unpaired").exists()
    send(clinic, home, PartCard(FOREMAN, removed=True))
    collect(home)
    with reporting(home, FOREMAN) as progress:
        progress.begin()
        assert threading.active_count() == before, "a part at rest is not reported on"
    assert reported(clinic, home) is None


def test_a_damaged_mailbox_does_not_keep_anyone_from_enrolling(home: Path) -> None:
    (home / "mailbox.json").write_text("{")
    with reporting(home, FOREMAN) as progress:
        progress.begin()


def test_without_a_network_the_newest_is_kept_sealed_and_goes_out_later(clinic: Clinic, home: Path) -> None:
    elsewhere(home, NOWHERE)
    before = everything(home)
    with reporting(home, FOREMAN) as progress:
        progress.begin()
        for takes in range(3):
            progress.recording(takes)
        progress.refused("enrol.hard_to_hear", Forecast(4.0, 0.4))
    [kept] = DeviceMailbox(home).state.reports
    assert kept.sealed is not None
    assert parse_report(kept.sealed).number == kept.number >= 1
    added = everything(home)
    for word in (b"hard_to_hear", b"refused", b"recording", b"takes"):
        assert added.count(word) == before.count(word), "nothing of it is readable"
    elsewhere(home, clinic.url)
    assert reported(clinic, home) is None
    collect(home)
    report = reported(clinic, home)
    assert report is not None
    assert (report.stage, report.reason) == ("refused", "hard_to_hear")
    [delivered] = DeviceMailbox(home).state.reports
    assert delivered == replace(kept, sealed=None)
    collect(home)
    assert DeviceMailbox(home).state.reports == (delivered,)


def test_a_server_that_does_not_answer_holds_nobody_up(home: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Slow(HttpUplink):
        def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
            asked.set()
            go_on.wait(30)
            raise UnreachableError("too late", before_any_byte=False)

    mine = told_of(DeviceMailbox(home).state, FOREMAN)
    assert mine is not None
    reports = CardReports(home, mine, connect=Slow.of)
    try:
        reports.tell(Report("waiting", of=3))
        assert asked.wait(30)
        for takes in range(3):
            reports.tell(Report("recording", takes, 3))
        reports.close(wait_s=0)
        [kept] = DeviceMailbox(home).state.reports
        assert (kept.number, kept.sealed is not None) == (2, True), "of four, the last was kept"
    finally:
        go_on.set()
        reports._thread.join(30)
    assert DeviceMailbox(home).state.reports == (kept,)


def test_a_full_disk_fails_no_enrolment(
    clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("voice.adapters.mailbox.write_private", full)
        with reporting(home, FOREMAN) as progress:
            progress.begin()
    assert "could not be kept" in caplog.text
    assert FOREMAN not in caplog.text
    assert reported(clinic, home) is None


def test_a_card_that_was_put_back_to_an_earlier_day_counts_on(clinic: Clinic, home: Path) -> None:
    earlier = (home / "mailbox.json").read_bytes()
    for _ in range(3):
        with reporting(home, FOREMAN) as progress:
            progress.begin()
    _, seen = looked(clinic, home)
    (home / "mailbox.json").write_bytes(earlier)
    with reporting(home, FOREMAN) as progress:
        progress.begin()
        progress.phrase(3)
        progress.done(Forecast(9.0, 0.4))
    found, _ = looked(clinic, home, seen)
    assert [(one.report and one.report.stage, one.problem) for one in found] == [("done", None)]


def test_a_card_that_was_replaced_meanwhile_gets_no_old_report(clinic: Clinic, home: Path) -> None:
    send(clinic, home, PART)
    with reporting(home, FOREMAN) as progress:
        progress.begin()
    assert reported(clinic, home) is None
    assert DeviceMailbox(home).state.reports[0].sealed is None, "nobody waits for it"
    collect(home)
    assert DeviceMailbox(home).state.reports == ()


def test_of_a_part_that_is_enrolled_a_new_card_is_answered_at_once(clinic: Clinic, home: Path) -> None:
    card = noise_card(FOREMAN, audition=True)
    CardBox(home).put(card)
    collect(home)
    assert reported(clinic, home) is None, "the card was taken before"
    send(clinic, home, replace(PART, settings={"quiet": True}))
    collect(home)
    report = reported(clinic, home)
    assert report is not None
    assert (report.stage, report.forecast) == ("done", told(card.forecast))
    send(clinic, home, PartCard(FOREMAN, removed=True))
    collect(home)
    assert reported(clinic, home) is None


def test_what_the_clinician_decides_at_the_device_is_told(clinic: Clinic, home: Path) -> None:
    card = replace(noise_card(FOREMAN), forecast=Forecast(9.0, 40.0, {"talk_hours_a_week": 20.0}))
    refusal = Refusal("Too common.", "Add a word.", "enrol.too_common")
    assemble_enrolment.keep_anyway(home, Enrolled(card, None, False, refusal, ()))
    report = reported(clinic, home)
    assert report is not None
    assert (report.stage, report.reason, report.takes) == ("done", "too_common", len(card.takes))


def test_a_new_reading_key_is_sealed_to_at_once(tmp_path: Path) -> None:
    home, fresh = tmp_path / "device", X25519PrivateKey.generate()
    with serving(tmp_path / "server.db") as url:
        clinic = Clinic(tmp_path, url)
        pair(home, clinic.link())
        send(clinic, home, PART)
        collect(home)
        statement = sign_statement(
            clinic.clinician.identity,
            clinician_id=clinic.clinician.id,
            name="Dr Okafor",
            epoch=2,
            reading=fresh.public_key(),
            issued_at=int(time.time()),
        )
        with clinic.client() as client:
            KeysClient(client).put_epoch(2, statement)
        with reporting(home, FOREMAN) as progress:
            progress.begin()
        [found], seen = looked(clinic, home)
        assert found.card.report is not None
        assert parse_report(found.card.report).recipient == key_id(fresh.public_key().public_bytes_raw())
        assert "a key that is not here" in str(found.problem), "it is said when the old keys are used"
        assert seen, "and its number is noted all the same"


def entry_of(clinic: Clinic, home: Path) -> tuple[Device, CardEntry]:
    with clinic.client() as client:
        [entry] = [one for one in client.devices() if one.device_id == device_keys(home).id]
        [card] = client.cards(entry.device_id)
    return judge(entry, clinic.clinician), card


def test_forged_foreign_and_replayed_reports_are_flagged_and_not_shown(clinic: Clinic, home: Path) -> None:
    kept: list[bytes] = []
    for _ in range(2):
        with reporting(home, FOREMAN) as progress:
            progress.begin()
        device, card = entry_of(clinic, home)
        assert card.report is not None
        kept.append(card.report)
    older, newest = kept
    keys, reading = device_keys(home), clinic.clinician.reading.public_key()
    frame = parse_report(newest)

    def sealed(
        signer: Ed25519PrivateKey = keys.signing, card_id: bytes = card.card_id, version: int = card.version
    ) -> bytes:
        said = encode_report(Report("phrase", 3, 3))
        return seal_report(
            said, signer=signer, card_id=card_id, version=version, number=99, recipient=reading
        )

    def problems(shown: CardEntry, seen: Seen, by: Device = device) -> list[str | None]:
        found, after = read_reports(clinic.clinician, by, [shown], seen)
        assert all(one.report is None for one in found) or all(one.problem is None for one in found)
        assert all(after.get(place, (0, 0)) >= known for place, known in seen.items())
        return [one.problem for one in found]

    seen: Seen = {(keys.id, card.card_id): (card.version, frame.number)}
    assert problems(card, {}) == problems(card, seen) == [None]
    for forged, why in (
        (b"", "shorter"),
        (newest[:-1] + bytes([newest[-1] ^ 1]), "not signed by this device"),
        (newest[:200] + bytes([newest[200] ^ 1]) + newest[201:], "not signed by this device"),
        (sealed(signer=Ed25519PrivateKey.generate()), "another device"),
        (sealed(card_id=bytes(16)), "another card"),
        (sealed(version=card.version + 1), "another version"),
        (older, "an earlier one back"),
    ):
        [problem] = problems(replace(card, report=forged), seen)
        assert why in str(problem)
        assert lines(Told(card, problem=problem))[0].startswith(f"! Card {card.card_id.hex()[:8]}: ")
    assert problems(replace(card, report=sealed()), seen) == [None], "a greater number is newer"
    assert problems(replace(card, report=None), seen) == [
        "The report that you had seen is gone from the server."
    ]
    assert problems(replace(card, report=None), {}) == []
    [problem] = problems(card, {}, replace(device, trust=None))
    assert "paired by your link" in str(problem)


def test_an_enrolment_from_files_reports_its_end(
    clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> None:
        raise EnrolmentError("No.", "Really.")

    monkeypatch.setattr(assemble_enrolment, "revise", broken)
    monkeypatch.setattr(assemble_enrolment, "bank", lambda: None)
    monkeypatch.setattr(Recorded, "takes", lambda self, files: ((), ()))
    files = assemble_enrolment.Files(takes=[home / "1.wav"])
    with pytest.raises(EnrolmentError):
        assemble_enrolment.from_files(home, assemble_enrolment.Asked(FOREMAN), files)
    assert reported(clinic, home) == Report("stopped")


def test_a_part_that_cannot_be_kept_is_told(
    clinic: Clinic, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = noise_card(FOREMAN)
    monkeypatch.setattr(assemble_enrolment, "revise", lambda *given: Revised(card))
    monkeypatch.setattr(assemble_enrolment, "bank", lambda: None)

    def full(self: CardBox, card: object) -> None:
        raise StorageError("The card could not be kept.", "Free some space.")

    monkeypatch.setattr(CardBox, "put", full)
    monkeypatch.setattr(Recorded, "takes", lambda self, files: ((), ()))
    files = assemble_enrolment.Files(takes=[home / "1.wav"])
    with pytest.raises(StorageError):
        assemble_enrolment.from_files(home, assemble_enrolment.Asked(FOREMAN), files)
    report = reported(clinic, home)
    assert report is not None
    assert (report.stage, report.reason) == ("stopped", "storage")


def test_nothing_is_waited_for_longer_than_a_moment() -> None:
    assert card_reports.CLOSE_WAIT_S <= 5
