"""From takes to a card, without a recogniser: usable or not, the odd one out, names, threshold, forecast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.alignment import align, combine
from voice.audio import RATE, Samples
from voice.enrolment import (
    CHUNK_S,
    LONGEST_S,
    SHORTEST_S,
    Bank,
    Problem,
    Span,
    Take,
    examine,
    odd_one_out,
    voiceprint,
)
from voice.errors import EnrolmentError
from voice.ports import Embeddings
from voice.space import CONTEXT, Space
from voice.wording import KEYS

quick = settings(max_examples=25, deadline=None)


def recording(*pieces: tuple[float, float], quiet: float = 3.0) -> tuple[Samples, list[float]]:
    """Pieces of (seconds, peak level 0-1; 0 is a quiet room), and their speech probabilities."""
    rng = np.random.default_rng(2)
    sound, speech = [], []
    for seconds, level in pieces:
        frames = round(seconds / CHUNK_S) * round(CHUNK_S * RATE)
        voice = np.sin(2 * np.pi * 180 * np.arange(frames) / RATE) * level * 32_767
        sound.append(voice + rng.normal(0, quiet, frames))
        speech += [0.95 if level else 0.02] * round(seconds / CHUNK_S)
    return np.clip(np.concatenate(sound), -32_768, 32_767).astype(np.int16), speech


def look(*pieces: tuple[float, float], edges_matter: bool = True) -> Span | Problem:
    samples, speech = recording(*pieces)
    return examine(samples, speech, edges_matter=edges_matter)


def test_a_good_take_is_found_where_it_is() -> None:
    span = look((0.64, 0), (0.96, 0.3), (0.8, 0))
    assert isinstance(span, Span)
    assert span.start_s == pytest.approx(0.64, abs=CHUNK_S)
    assert span.end_s == pytest.approx(1.6, abs=CHUNK_S)


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        ([(2.0, 0)], Problem.TOO_QUIET),
        ([(0.5, 0), (0.8, 0.0008), (0.5, 0)], Problem.TOO_QUIET),
        ([(0.5, 0), (0.8, 1.6), (0.5, 0)], Problem.TOO_LOUD),
        ([(0.5, 0), (SHORTEST_S - 0.1, 0.3), (0.5, 0)], Problem.TOO_SHORT),
        ([(0.5, 0), (LONGEST_S + 0.5, 0.3), (0.5, 0)], Problem.TOO_LONG),
        ([(0.8, 0.3), (0.5, 0)], Problem.CUT_OFF),
        ([(0.5, 0), (0.8, 0.3)], Problem.CUT_OFF),
    ],
)
def test_what_cannot_be_used_says_why(pieces: list[tuple[float, float]], problem: Problem) -> None:
    assert look(*pieces) is problem


def test_a_file_trimmed_on_purpose_is_not_cut_off() -> None:
    assert isinstance(look((0.8, 0.3), edges_matter=False), Span)


def test_no_sound_at_all_is_too_quiet() -> None:
    assert examine(np.empty(0, np.int16), [], edges_matter=False) is Problem.TOO_QUIET
    assert examine(np.zeros(100, np.int16), [], edges_matter=False) is Problem.TOO_QUIET


def test_silence_around_a_name_does_not_make_it_too_quiet() -> None:
    """How loud a name is does not depend on how long the recorder ran."""
    soft = 0.006
    assert isinstance(look((0.5, 0), (0.8, soft), (0.5, 0)), Span)
    assert isinstance(look((30, 0), (0.8, soft), (30, 0)), Span)


def test_a_cough_beside_the_name_is_not_taken_for_it() -> None:
    span = look((0.5, 0), (0.2, 0.5), (1.0, 0), (0.8, 0.3), (0.5, 0))
    assert isinstance(span, Span)
    assert span.start_s == pytest.approx(1.7, abs=2 * CHUNK_S)


def test_a_pause_between_the_words_of_a_name_belongs_to_it() -> None:
    span = look((0.5, 0), (0.4, 0.3), (0.4, 0), (0.6, 0.3), (0.5, 0))
    assert isinstance(span, Span)
    assert span.end_s - span.start_s == pytest.approx(1.4, abs=2 * CHUNK_S)


@given(st.lists(st.floats(0, 1), max_size=400), st.integers(0, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_span_always_lies_within_its_recording(speech: list[float], more: int, edges: bool) -> None:
    samples = recording((max(len(speech), 1) * CHUNK_S, 0.3))[0][: len(speech) * 512 + more * 100]
    found = examine(samples, speech, edges_matter=edges)
    if isinstance(found, Span):
        assert 0 <= found.start_s < found.end_s <= len(samples) / RATE + 1e-9
        assert SHORTEST_S <= found.end_s - found.start_s <= LONGEST_S


def test_every_problem_has_a_prompt_that_says_kindly_what_to_do() -> None:
    from voice.enrolling import PROMPTS

    assert set(PROMPTS) == set(Problem)
    assert set(PROMPTS.values()) <= set(KEYS)
    assert all(f"enrol.{problem.value}" in KEYS for problem in Problem)


@given(st.integers(1, 60), st.floats(0, 5), st.floats(0.05, 5))
@quick
def test_a_name_has_at_least_three_frames_and_lies_within_the_take(
    frames: int, start_s: float, seconds: float
) -> None:
    embeddings = np.arange(frames * 96, dtype=np.float32).reshape(frames, 96)
    name = Take(embeddings, Span(start_s, start_s + seconds)).name()
    assert CONTEXT + min(3, frames) <= len(name) <= CONTEXT + frames


# Takes as walks through a space of embeddings.


def walk(rng: np.random.Generator, frames: int) -> Embeddings:
    return np.asarray(
        np.cumsum(rng.normal(size=(frames, 96)), axis=0) * 0.6 + rng.normal(size=(frames, 96)), np.float32
    )


def takes_of(name: Embeddings, count: int, rng: np.random.Generator, noise: float = 0.3) -> list[Take]:
    """The name said several times: a little faster or slower, a little different, with room around it."""
    made = []
    for index in range(count):
        at = np.linspace(0, len(name) - 1, round(len(name) * (0.85 + 0.1 * index))).round().astype(int)
        said = name[at] + rng.normal(0, noise * name.std(), (len(at), 96))
        room = [rng.normal(0, 0.3, (14, 96)), said, rng.normal(0, 0.3, (9, 96))]
        start_s = 14 * 0.08
        made.append(Take(np.concatenate(room).astype(np.float32), Span(start_s, start_s + len(at) * 0.08)))
    return made


def synthetic_bank(rng: np.random.Generator, seconds: float = 600) -> Bank:
    pieces = [walk(rng, int(length)) for length in rng.integers(7, 60, round(seconds / 0.08 / 33))]
    space = Space.of(np.concatenate(pieces))
    return Bank(space, tuple(space.place(piece) for piece in pieces))


RNG = np.random.default_rng(11)
BANK = synthetic_bank(RNG)
NAME = walk(RNG, 12)


def test_takes_that_are_alike_are_all_kept() -> None:
    assert odd_one_out(takes_of(NAME, 5, np.random.default_rng(1)), BANK.space) is None


@pytest.mark.parametrize("place", [0, 2, 4])
def test_the_odd_one_out_is_found_wherever_it_is(place: int) -> None:
    rng = np.random.default_rng(3)
    takes = takes_of(NAME, 4, rng)
    takes.insert(place, takes_of(walk(rng, 12), 1, rng)[0])
    assert odd_one_out(takes, BANK.space) == place


def test_two_takes_have_no_odd_one_out() -> None:
    rng = np.random.default_rng(4)
    assert odd_one_out([*takes_of(NAME, 1, rng), *takes_of(walk(rng, 12), 1, rng)], BANK.space) is None
    assert odd_one_out([], BANK.space) is None


def test_a_voiceprint_needs_a_take() -> None:
    with pytest.raises(EnrolmentError, match="no take yet"):
        voiceprint("the foreman", [], BANK)


def test_the_threshold_lies_between_what_others_score_and_what_the_name_scores() -> None:
    rng = np.random.default_rng(5)
    takes = takes_of(NAME, 6, rng)
    known, _ = voiceprint("the foreman", takes[:4], BANK)
    placed = BANK.space.templates(known.takes)

    def score(take: Take) -> float:
        (costs,) = align(placed, [BANK.space.place(take.embeddings)])
        return float(combine(costs, known.usual, known.spread).max())

    assert all(score(take) > known.threshold for take in takes[4:])
    others = [takes_of(walk(rng, 12), 1, rng)[0] for _ in range(20)]
    assert all(score(other) < known.threshold for other in others)


@pytest.mark.parametrize("frames", [4, 12, 25, 45])
def test_short_and_long_names_are_told_from_the_bank_alike(frames: int) -> None:
    """Pieces of the bank are loose words as well as sentences; the shorter say nothing of a long name."""
    rng = np.random.default_rng(6)
    takes = takes_of(walk(rng, frames), 5, rng)
    known, forecast = voiceprint("a name", takes, BANK)
    assert np.isfinite(known.usual).all()
    assert (known.usual <= 2.0).all(), "a cost is at most 2"
    assert (known.spread < 1.0).all()
    assert forecast.found_of_ten is not None
    assert forecast.found_of_ten > 7


def test_one_take_can_be_listened_for_and_has_no_forecast_of_finding() -> None:
    known, forecast = voiceprint("the foreman", takes_of(NAME, 1, np.random.default_rng(7)), BANK)
    assert len(known.takes) == 1
    assert np.isfinite(known.threshold)
    assert forecast.found_of_ten is None
    assert forecast.false_tones_a_week >= 0


def test_a_name_that_the_bank_is_full_of_is_forecast_to_sound_more_often() -> None:
    rng = np.random.default_rng(8)
    takes = takes_of(NAME, 4, rng)
    heard = [BANK.space.place(take.embeddings) for take in takes_of(NAME, 12, rng, noise=0.5)]
    full = Bank(BANK.space, (*BANK.pieces, *heard))
    rare, common = voiceprint("a", takes, BANK)[1], voiceprint("a", takes, full)[1]
    assert common.false_tones_a_week > rare.false_tones_a_week


@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.05, 2.0))
@settings(max_examples=10, deadline=None)
def test_a_forecast_is_always_a_number_a_person_can_read(seed: int, count: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    known, forecast = voiceprint("a name", takes_of(walk(rng, 10), count, rng, noise), BANK)
    assert forecast.found_of_ten is not None
    assert 0 <= forecast.found_of_ten <= 10
    assert 0 <= forecast.false_tones_a_week < 1e5
    assert forecast.basis["takes"] == count
    assert np.isfinite(known.threshold)
    assert known.usual.shape == known.spread.shape == (count,)
