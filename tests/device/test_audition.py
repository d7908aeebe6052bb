"""The audition: what is counted, what becomes of it in the forecast, and which names it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.device.hearing_rig import STRANGERS, TALK, TEACHERS, listen, said, take, taught
from voice.adapters.bank import bank
from voice.adapters.takes import TakeMaker
from voice.audition import (
    MOST_TONES_A_WEEK,
    Agreement,
    Heard,
    against_others,
    auditioned,
    counted,
    found,
    from_takes,
    likely,
    refusal,
    tones,
    without,
)
from voice.enrolment import Forecast
from voice.wording import KEYS

NAME, OTHER = "grumbletron", "the little one by the window"
TAKES = Forecast(8.9, 2.0, {"takes": 3.0, "bank_hours": 0.5, "talk_hours_a_week": 20.0})


@pytest.mark.parametrize(
    ("tried", "ranged"),
    [((5, 5), (6, 10)), ((5, 4), (4, 10)), ((5, 0), (0, 4)), ((10, 9), (6, 10)), ((20, 20), (8, 10))],
)
def test_a_range_is_told_and_few_tries_make_it_wide(tried: tuple[int, int], ranged: tuple[int, int]) -> None:
    assert likely(Heard(*tried)) == ranged


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_the_range_holds_what_was_counted(tried: tuple[int, int]) -> None:
    low, high = likely(Heard(*tried))
    assert 0 <= low <= 10 * tried[1] / tried[0] <= high <= 10


def test_three_tries_count_for_more_than_the_takes_and_two_do_not() -> None:
    assert auditioned(TAKES, Heard(tries=5, found=4)).found_of_ten == 8.0
    assert auditioned(TAKES, Heard(tries=2, found=0)).found_of_ten == 8.9


def test_talk_moves_the_rate_by_what_its_length_is_worth_beside_the_bank() -> None:
    quiet = auditioned(TAKES, Heard(talk_s=60.0, tones=0))
    assert quiet.false_tones_a_week == pytest.approx(2.0 * 0.5 / (0.5 + 1 / 60), abs=0.05)
    once = auditioned(TAKES, Heard(talk_s=60.0, tones=1)).false_tones_a_week
    assert once == pytest.approx(20 * (0.1 * 0.5 + 1) / (0.5 + 1 / 60), abs=0.05)
    assert auditioned(TAKES, Heard(talk_s=1800.0, tones=1)).false_tones_a_week < once


def test_what_was_counted_and_what_was_there_before_can_be_read_back() -> None:
    heard = Heard(tries=5, found=4, talk_s=61.2, tones=1)
    forecast = auditioned(TAKES, heard)
    assert counted(forecast) == heard
    assert from_takes(forecast) == TAKES
    assert counted(TAKES) == Heard()
    assert from_takes(TAKES) == TAKES
    one_take = Forecast(None, 2.0, dict(TAKES.basis))
    assert from_takes(auditioned(one_take, heard)) == one_take


@pytest.mark.parametrize(
    ("heard", "refused"),
    [
        (Heard(tries=5, found=3), False),
        (Heard(tries=5, found=2), True),
        (Heard(tries=2, found=0), False),
        (Heard(tries=3, found=1), True),
        (Heard(talk_s=60.0, tones=0), False),
        (Heard(talk_s=60.0, tones=1), True),
    ],
)
def test_a_name_that_will_not_work_is_refused_with_what_to_do(heard: Heard, refused: bool) -> None:
    against = refusal(auditioned(TAKES, heard), talk_kept=False)
    assert (against is not None) is refused
    if against is not None:
        assert against.cause.endswith(".")
        assert "one more word" in against.remedy
        assert against.prompt in KEYS


def test_too_many_false_tones_by_the_bank_alone_are_enough_to_refuse() -> None:
    assert refusal(Forecast(9.0, MOST_TONES_A_WEEK, TAKES.basis), talk_kept=False) is None
    against = refusal(Forecast(9.0, 3 * MOST_TONES_A_WEEK, TAKES.basis), talk_kept=False)
    assert against is not None
    assert "6 false tones a day" in against.cause


def test_keeping_the_talk_is_suggested_only_where_it_could_help() -> None:
    sounded = auditioned(TAKES, Heard(talk_s=60.0, tones=2))
    told = [refusal(sounded, talk_kept=kept) for kept in (False, True)]
    assert all(told)
    assert ["--keep-talk" in against.remedy for against in told if against] == [True, False]


@pytest.mark.speech
def test_three_takes_that_hear_each_other_are_enough_and_others_want_more() -> None:
    judge = Agreement(bank())
    alike = [take(OTHER, person) for person in TEACHERS[:3]]
    assert not judge.enough(alike[:2])
    assert judge.enough(alike)
    mixed = [alike[0], take(NAME, TEACHERS[0]), take("the wolf", TEACHERS[1])]
    assert not judge.enough(mixed)
    assert not judge.enough([*mixed, alike[1]])
    assert judge.enough([*mixed, *alike[:2]]), "five are enough whatever they are"


@pytest.mark.speech
def test_a_print_without_one_take_is_the_print_of_the_others() -> None:
    known, _ = taught(NAME)
    rest = without(known, 1)
    assert len(rest.takes) == len(rest.usual) == len(rest.spread) == len(known.takes) - 1
    assert rest.threshold == known.threshold
    taken = [take(NAME, person) for person in TEACHERS]
    assert (against_others(known, taken, bank().space) > 0).all()


@pytest.mark.speech
@pytest.mark.parametrize("name", [NAME, OTHER])
def test_what_the_audition_counts_is_what_the_device_hears(name: str) -> None:
    """The whole device's ears and spotter on the same recordings, one by one."""
    known, _ = taught(name)
    maker = TakeMaker()
    agree = 0
    clips = [said(name, person) for person in STRANGERS] + [said(text, STRANGERS[0]) for text in TALK]
    for clip in clips:
        at_home = len(listen([known], [clip]).hearings)
        padded = np.concatenate([np.zeros(8_000, np.int16), clip.samples, np.zeros(8_000, np.int16)])
        agree += bool(at_home) == bool(found(known, [maker.embed(padded)], bank().space))
    assert agree >= len(clips) - 1, "a score right at the threshold may fall on either side"


@pytest.mark.speech
def test_talk_is_embedded_where_somebody_speaks_and_counted_once_for_each_name_in_it() -> None:
    known, _ = taught(NAME)
    maker = TakeMaker()
    quiet = np.random.default_rng(2).normal(0, 4, 64_000).astype(np.int16)
    name = said(NAME, TEACHERS[1]).samples
    talk = said(TALK[0], TEACHERS[1]).samples
    pieces = maker.talk(np.concatenate([quiet, talk, quiet, name, quiet, talk, quiet, name, quiet]))
    assert len(pieces) == 4
    assert sum(len(piece) for piece in pieces) * 0.08 < (2 * len(talk) + 2 * len(name)) / 16_000 + 4 * 1.0
    assert tones(known, pieces, bank().space) == 2
    assert maker.talk(quiet) == ()
    assert maker.talk(np.empty(0, np.int16)) == ()
