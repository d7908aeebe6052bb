"""From probabilities to speech, in seconds of audio."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.audio import BLOCK_S
from voice.segmenter import Began, Ended, Segmenter, advance, fresh


def run(probabilities: list[float], known: Segmenter | None = None) -> list[Began | Ended]:
    known = known or fresh(0.0)
    turns = []
    for index, probability in enumerate(probabilities):
        known, turn = advance(known, probability, (index + 1) * BLOCK_S)
        if turn is not None:
            turns.append(turn)
    return turns


def test_speech_has_a_beginning_and_an_end_in_seconds_of_audio() -> None:
    began, ended = run([0.0] * 5 + [0.95] * 10 + [0.0] * 5)
    assert isinstance(began, Began)
    assert began.start_s == pytest.approx(5 * BLOCK_S)
    assert isinstance(ended, Ended)
    assert ended.start_s == pytest.approx(5 * BLOCK_S)
    assert ended.end_s == pytest.approx(15 * BLOCK_S)
    assert ended.alone


def test_one_unsure_block_is_no_speech_and_two_are() -> None:
    assert run([0.0, 0.6, 0.0, 0.0, 0.6, 0.0]) == []
    assert run([0.0, 0.6, 0.6]) == [Began(2 * BLOCK_S - BLOCK_S)]


def test_a_probability_that_hovers_between_the_thresholds_does_not_chatter() -> None:
    assert len(run([0.0] * 4 + [0.95, 0.4, 0.6, 0.45, 0.38, 0.7] * 5 + [0.0] * 5)) == 2


def test_a_short_dip_does_not_end_speech() -> None:
    assert len(run([0.9] * 10 + [0.0] * 3 + [0.9] * 10 + [0.0] * 4)) == 2


def test_speech_soon_after_speech_does_not_stand_alone() -> None:
    known = fresh(0.0, quiet_before=False)
    ended = [turn for turn in run([0.0] + [0.95] * 5 + [0.0] * 6, known) if isinstance(turn, Ended)]
    assert not ended[0].alone


def test_speech_right_after_the_device_has_spoken_stands_alone() -> None:
    ended = [turn for turn in run([0.95] * 5 + [0.0] * 6) if isinstance(turn, Ended)]
    assert ended[0].alone


@given(st.lists(st.floats(0, 1), max_size=300))
def test_beginnings_and_ends_take_turns_and_never_run_backwards(probabilities: list[float]) -> None:
    turns = run(probabilities)
    assert [type(turn) for turn in turns] == [Began, Ended] * (len(turns) // 2) + [Began] * (len(turns) % 2)
    times = [t for turn in turns for t in ((turn.start_s,) if isinstance(turn, Began) else (turn.end_s,))]
    assert times == sorted(times)
