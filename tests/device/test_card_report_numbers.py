"""A report whose number the server will not take: made anew by whoever knows what it said, and never lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clinic_rig import Clinic, serving
from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card
from tests.device.mailbox_rig import PART, send
from tests.device.test_card_reports import NOWHERE, collect, elsewhere, looked
from voice.adapters.card_reports import CardReports, of_enrolled, reporting
from voice.adapters.cards import CardBox
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.pairing import pair
from voice.adapters.uplink import HttpUplink
from voice.mailbox import told_of
from voice.wire.card_content import PartCard
from voice.wire.card_report_content import Report, encode_report
from voice.wire.card_reports import parse_report


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


def test_of_an_enrolled_part_a_report_that_came_with_an_old_number_is_made_anew(
    clinic: Clinic, home: Path
) -> None:
    earlier = (home / "mailbox.json").read_bytes()
    for _ in range(3):
        with reporting(home, FOREMAN) as progress:
            progress.begin()
    _, seen = looked(clinic, home)
    (home / "mailbox.json").write_bytes(earlier)
    elsewhere(home, NOWHERE)
    card = noise_card(FOREMAN, audition=True)
    with reporting(home, FOREMAN) as progress:
        progress.begin()
        assert card.forecast is not None
        progress.done(card.forecast)
    CardBox(home).put(card)
    elsewhere(home, clinic.url)
    collect(home)
    found, _ = looked(clinic, home, seen)
    assert [(one.report and one.report.stage, one.problem) for one in found] == [("done", None)]
    assert DeviceMailbox(home).state.reports[0].sealed is None


def test_of_two_parts_the_other_s_report_is_made_anew_too(clinic: Clinic, home: Path) -> None:
    send(clinic, home, PartCard(LITTLE_ONE))
    collect(home)
    other = told_of(DeviceMailbox(home).state, LITTLE_ONE)
    assert other is not None
    CardBox(home).put(noise_card(LITTLE_ONE, audition=True))
    earlier = (home / "mailbox.json").read_bytes()
    with reporting(home, LITTLE_ONE) as progress:
        progress.begin()
    (home / "mailbox.json").write_bytes(earlier)
    DeviceMailbox(home).report(other, encode_report(Report("done")))
    with reporting(home, FOREMAN) as progress:
        progress.begin()
    found, _ = looked(clinic, home)
    told = {one.card.card_id: one.report.stage for one in found if one.report is not None}
    assert told.pop(other.card_id) == "done"
    assert list(told.values()) == ["stopped"]


def test_a_server_that_never_takes_a_report_is_asked_again_at_the_next(home: Path) -> None:
    offered: list[int] = []

    class Never(HttpUplink):
        def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
            offered.append(parse_report(sealed).number)
            return offered[-1] + 5

    mine = told_of(DeviceMailbox(home).state, FOREMAN)
    assert mine is not None
    CardBox(home).put(noise_card(FOREMAN, audition=True))
    mailbox = DeviceMailbox(home, of_enrolled(home))
    mailbox.report(mine, encode_report(Report("done")))
    link = Never.of(home)
    try:
        for _ in range(2):
            mailbox.collect(link)
    finally:
        link.close()
    assert offered == [1, 7, 13, 19]
    [kept] = DeviceMailbox(home).state.reports
    assert (kept.number, kept.sealed is not None) == (25, True)


def test_what_the_end_of_the_program_kept_is_not_replaced_by_what_was_refused(home: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Late(HttpUplink):
        def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
            asked.set()
            go_on.wait(30)
            return 9

    mine = told_of(DeviceMailbox(home).state, FOREMAN)
    assert mine is not None
    reports = CardReports(home, mine, connect=Late.of)
    try:
        reports.tell(Report("recording", 2, 3))
        assert asked.wait(30)
        reports.tell(Report("stopped", 2, 3))
        reports.close(wait_s=0)
        [kept] = DeviceMailbox(home).state.reports
    finally:
        go_on.set()
        reports._thread.join(30)
    [after] = DeviceMailbox(home).state.reports
    assert after == replace(kept, number=9), "only the number that it counts on from"


def test_the_last_report_is_made_anew_though_the_program_ends(home: Path) -> None:
    asked, go_on, offered = threading.Event(), threading.Event(), list[int]()

    class Late(HttpUplink):
        def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
            offered.append(parse_report(sealed).number)
            asked.set()
            go_on.wait(30)
            return 9 if len(offered) == 1 else None

    mine = told_of(DeviceMailbox(home).state, FOREMAN)
    assert mine is not None
    reports = CardReports(home, mine, connect=Late.of)
    try:
        reports.tell(Report("stopped", 2, 3))
        assert asked.wait(30)
        reports.close(wait_s=0)
    finally:
        go_on.set()
        reports._thread.join(30)
    assert offered == [1, 10]
    assert DeviceMailbox(home).state.reports[0].sealed is None
