"""How an enrolment is told while it goes on: each stage in order, what is done over, how it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.device.card_rig import noise_card
from tests.device.enrol_rig import NAME, OTHER_NAME, TALK, TROUBLES, Count, Session, mark, with_answers
from voice.audition import Heard, auditioned
from voice.enrolment import Forecast, Problem
from voice.errors import EnrolmentError
from voice.leading import GoneError
from voice.mailbox import Mailbox, Reported, Told, settled, with_report
from voice.ports import Lost
from voice.progress import OF_PROMPT, Progress, outcome, standing, told
from voice.wire.card_content import PartCard
from voice.wire.card_report_content import REASONS, Report, decode_report, encode_report
from voice.wire.card_reports import MAX_NUMBER

Step = tuple[str, int, int, str | None]


def steps(reports: list[Report]) -> list[Step]:
    """Stage, what is counted in it, of how many, and the reason."""
    counted = {"trying": lambda one: (one.tries, one.tries_of)}
    return [
        (one.stage, *counted.get(one.stage, lambda one: (one.takes, one.of))(one), one.reason)
        for one in reports
    ]


def test_a_willing_client() -> None:
    session = Session(with_answers(audition=[mark(NAME)], talk=[mark(TALK, 20.0)]))
    session.enrolling.lead(Count(4))
    assert steps(session.reports) == [
        ("waiting", 0, 3, None),
        ("recording", 0, 3, None),
        ("recording", 1, 3, None),
        ("recording", 2, 3, None),
        ("recording", 3, 4, None),
        ("phrase", 4, 4, None),
        *(("trying", tries, 5, None) for tries in range(6)),
        ("talking", 4, 4, None),
    ]
    assert all(encode_report(one) for one in session.reports)


def test_what_is_recorded_again_is_told_with_its_reason() -> None:
    answers = with_answers(
        say_name=[mark(TROUBLES[Problem.TOO_LOUD])],
        too_loud=[mark(NAME)],
        again=[mark(NAME), mark(OTHER_NAME), mark(NAME)],
        different=[mark(NAME)],
    )
    session = Session(answers)
    session.lead(4)
    assert steps(session.reports) == [
        ("waiting", 0, 3, None),
        ("recording", 0, 3, None),
        ("recording", 0, 3, "too_loud"),
        ("recording", 1, 3, None),
        ("recording", 2, 3, None),
        ("recording", 2, 3, "different"),
        ("recording", 3, 4, None),
        ("phrase", 4, 4, None),
    ]


def test_an_enrolment_without_a_usable_take_is_stopped_with_the_last_reason() -> None:
    session = Session({})
    with pytest.raises(EnrolmentError):
        session.lead()
    assert steps(session.reports)[-1] == ("stopped", 0, 3, "too_quiet")


@pytest.mark.parametrize("prompt", ["welcome", "say_name", "again", "phrase", "keep", "audition", "talk"])
def test_a_microphone_that_goes_away_ends_it(prompt: str) -> None:
    answers = with_answers(audition=[mark(NAME)], talk=[mark(TALK, 20.0)])
    session = Session({**answers, f"enrol.{prompt}": [Lost()]})
    with pytest.raises(GoneError):
        session.enrolling.lead(Count(3))
    last = session.reports[-1]
    assert (last.stage, last.reason) == ("stopped", "microphone")
    assert [one.stage for one in session.reports].count("stopped") == 1


def test_silence_in_the_audition_is_no_try() -> None:
    session = Session(with_answers(audition=[mark(NAME), None, None]))
    session.enrolling.lead(Count(3))
    assert [one.tries for one in session.reports if one.stage == "trying"] == [0, 1]
    assert session.reports[-1].stage == "talking"


def test_an_audition_alone() -> None:
    session = Session(with_answers(audition=[mark(NAME)], talk=[mark(TALK, 20.0)]))
    session.enrolling.audition()
    assert [one.stage for one in session.reports] == ["trying"] * 6 + ["talking"]


def test_the_end_is_told_once_and_nothing_after_it() -> None:
    seen: list[Report] = []
    progress = Progress(seen.append)
    progress.stopped()
    assert seen == [], "what has not begun is not stopped"
    progress.begin()
    progress.done(Forecast(9.0, 0.4), "alike")
    progress.stopped("storage")
    assert [(one.stage, one.reason) for one in seen] == [("waiting", None), ("done", "alike")]
    progress.begin()
    progress.recording(2, Problem.CUT_OFF)
    progress.stopped()
    assert seen[-1] == Report("stopped", 2, 3)
    for prompt, reason in OF_PROMPT.items():
        progress.refused(prompt)
        assert (seen[-1].stage, seen[-1].reason, seen[-1].forecast) == ("refused", reason, None)
        assert reason in REASONS["refused"]


def test_every_problem_of_a_take_can_be_told() -> None:
    assert {problem.value for problem in Problem} == REASONS["recording"]
    assert REASONS["recording"] < REASONS["stopped"]


def test_one_reason_is_told_of_a_part_that_is_kept() -> None:
    assert outcome(alike=False, as_before=False, prompt=None) is None
    assert outcome(alike=True, as_before=False, prompt=None) == "alike"
    assert outcome(alike=True, as_before=True, prompt=None) == "as_before"
    assert outcome(alike=True, as_before=True, prompt="enrol.hard_to_hear") == "hard_to_hear"


@given(
    takes=st.none() | st.floats(0, 10),
    week=st.floats(0, 1e7),
    tries=st.integers(0, 300),
    share=st.floats(0, 1),
)
def test_every_forecast_can_be_told(takes: float | None, week: float, tries: int, share: float) -> None:
    basis = {"bank_hours": 5.0, "talk_hours_a_week": 20.0}
    heard = Heard(tries, round(tries * share), 60.0, 1)
    for forecast in (Forecast(takes, week, basis), auditioned(Forecast(takes, week, basis), heard)):
        report = Report("done", 3, 3, forecast=told(forecast))
        assert decode_report(encode_report(report)) == report


def test_the_forecast_is_told_as_the_terminal_tells_it() -> None:
    basis = {"bank_hours": 5.0, "talk_hours_a_week": 20.0}
    said = told(Forecast(8.6, 0.44, basis))
    assert (said.of_ten, said.from_tries, said.false_tenths) == ((9, 9), False, 4)
    said = told(auditioned(Forecast(8.6, 0.44, basis), Heard(5, 4, 60.0, 0)))
    assert (said.of_ten, said.from_tries, said.tries, said.found) == ((4, 10), True, 5, 4)
    assert told(Forecast(None, 0.0, basis)).of_ten is None


def test_a_part_that_is_enrolled_already_is_told_as_it_stands() -> None:
    card = noise_card("the foreman", audition=True)
    report = standing(card)
    assert (report.stage, report.takes, report.forecast) == ("done", len(card.takes), told(card.forecast))
    assert decode_report(encode_report(report)) == report


TOLD = Told(b"c" * 16, 7, PartCard("the foreman"))
MAILBOX = Mailbox(bytes(16), 7, (TOLD, Told(b"d" * 16, 6, PartCard("the guard"))))


def number_as_bytes(number: int) -> bytes:
    return str(number).encode()


def test_numbers_grow_and_only_the_newest_is_kept() -> None:
    mailbox = MAILBOX
    for number in range(1, 5):
        mailbox = with_report(mailbox, TOLD, number_as_bytes)
        assert mailbox.reports == (Reported(TOLD.card_id, 7, number, number_as_bytes(number)),)
    [report] = mailbox.reports
    late = Reported(TOLD.card_id, 7, 3, b"3")
    assert settled(mailbox, late) == mailbox, "what came later still waits"
    delivered = settled(mailbox, report)
    assert delivered.reports == (Reported(TOLD.card_id, 7, 4),)
    assert with_report(delivered, TOLD, number_as_bytes).reports[0].number == 5
    other = with_report(delivered, mailbox.told[1], number_as_bytes)
    assert [(one.card_id[:1], one.number) for one in other.reports] == [(b"c", 4), (b"d", 1)]


def test_a_server_that_has_seen_more_is_counted_on_from_and_cannot_break_the_count() -> None:
    mailbox = with_report(MAILBOX, TOLD, number_as_bytes)
    ahead = settled(mailbox, mailbox.reports[0], 41)
    assert with_report(ahead, TOLD, number_as_bytes).reports[0].number == 42
    broken = settled(mailbox, mailbox.reports[0], 10**30)
    last = with_report(broken, TOLD, number_as_bytes)
    assert last.reports[0].number == MAX_NUMBER
    assert with_report(last, TOLD, number_as_bytes) == last


def test_of_a_card_that_was_replaced_nothing_is_told() -> None:
    old = Told(TOLD.card_id, 5, TOLD.part)
    assert with_report(MAILBOX, old, number_as_bytes) == MAILBOX
    assert with_report(Mailbox(bytes(16)), TOLD, number_as_bytes) == Mailbox(bytes(16))
