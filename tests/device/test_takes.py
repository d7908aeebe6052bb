"""Recordings to takes with the real networks, on rooms, noise and synthesised speech."""

from __future__ import annotations

import numpy as np
import pytest

from tests.device.hearing_rig import said
from voice.adapters.bank import bank
from voice.adapters.takes import AFTER_S, BEFORE_S, TakeMaker, pad
from voice.adapters.voices import PEOPLE, Speaker
from voice.alignment import align
from voice.audio import BLOCK_S, RATE, Samples
from voice.enrolment import Problem, Take, odd_one_out

NAME = "the foreman"
CLIENT, OTHER = PEOPLE[1], PEOPLE[4]


def room(seconds: float, level: float = 6.0) -> Samples:
    return np.random.default_rng(3).normal(0, level, round(seconds * RATE)).astype(np.int16)


def around(sound: Samples, before_s: float = 0.5, after_s: float = 0.8) -> Samples:
    """The sound in a quiet room."""
    return np.concatenate([room(before_s), sound, room(after_s)])


def usable(made: Take | Problem) -> Take:
    assert isinstance(made, Take), made
    return made


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.2, 3.0])
def test_an_empty_or_silent_recording_is_too_quiet(seconds: float) -> None:
    maker = TakeMaker()
    assert maker.make(np.zeros(round(seconds * RATE), np.int16)) is Problem.TOO_QUIET
    assert maker.make(room(seconds)) is Problem.TOO_QUIET


def test_a_hum_and_a_bang_are_no_name() -> None:
    hum = (np.sin(2 * np.pi * 50 * np.arange(2 * RATE) / RATE) * 3_000).astype(np.int16)
    bang = room(2.0)
    bang[RATE : RATE + 400] = 20_000
    maker = TakeMaker()
    assert isinstance(maker.make(hum), Problem)
    assert isinstance(maker.make(bang), Problem)


def test_padding_puts_a_quiet_room_on_both_sides_and_nothing_in_the_recording() -> None:
    sound = np.arange(5_000, dtype=np.int16)
    padded = pad(sound)
    before, after = round(BEFORE_S * RATE), round(AFTER_S * RATE)
    assert len(padded) == before + len(sound) + after
    np.testing.assert_array_equal(padded[before : before + len(sound)], sound)
    np.testing.assert_array_equal(pad(sound), padded)
    rest = np.concatenate([padded[:before], padded[-after:]])
    assert 0 < np.abs(rest).max() < 30


def test_the_bank_is_real_size_and_every_piece_lies_in_its_space() -> None:
    assert bank().hours > 0.2
    assert all(piece.shape[1] == 96 for piece in bank().pieces)
    lengths = np.linalg.norm(np.concatenate(bank().pieces), axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-3)
    assert bank() is bank()


@pytest.mark.speech
def test_the_name_is_found_where_it_is_spoken() -> None:
    sound = said(NAME, CLIENT)
    take = usable(TakeMaker().make(around(sound.samples, 0.7), edges_matter=True))
    assert take.span.start_s == pytest.approx(BEFORE_S + 0.7, abs=0.15)
    assert take.span.end_s == pytest.approx(BEFORE_S + 0.7 + sound.seconds, abs=0.2)
    assert take.embeddings.shape[1] == 96
    assert len(take.embeddings) == int((BEFORE_S + 0.7 + sound.seconds + 0.8 + AFTER_S) / BLOCK_S)


@pytest.mark.speech
def test_making_a_take_leaves_nothing_behind_for_the_next() -> None:
    maker, fresh = TakeMaker(), TakeMaker()
    maker.make(said("somebody else entirely", OTHER).samples)
    again, alone = (
        usable(maker.make(said(NAME, CLIENT).samples)),
        usable(fresh.make(said(NAME, CLIENT).samples)),
    )
    assert again.span == alone.span
    np.testing.assert_array_equal(again.embeddings, alone.embeddings)


def clipped(sound: Samples) -> Samples:
    return np.clip(sound.astype(np.int32) * 40, -32_768, 32_767).astype(np.int16)


def spoilt(how: str, sound: Samples) -> Samples:
    """The spoken name in a room, recorded badly in one way."""
    match how:
        case "soft":
            return around((sound * 0.004).astype(np.int16))
        case "clipped":
            return around(clipped(sound))
        case "short":
            return around(sound[: round(0.16 * RATE)])
        case "long":
            return around(np.concatenate([sound] * 8))
        case "end missing":
            return np.concatenate([room(0.6), sound[: len(sound) // 2]])
        case _:
            return np.concatenate([sound[len(sound) // 3 :], room(0.8)])


@pytest.mark.speech
@pytest.mark.parametrize(
    ("how", "problems"),
    [
        # A breath of a sound may not count as speech at all.
        ("soft", {Problem.TOO_QUIET, Problem.TOO_SHORT}),
        ("short", {Problem.TOO_QUIET, Problem.TOO_SHORT}),
        ("clipped", {Problem.TOO_LOUD}),
        ("long", {Problem.TOO_LONG}),
        ("end missing", {Problem.CUT_OFF}),
        ("beginning missing", {Problem.CUT_OFF}),
    ],
)
def test_a_recording_that_cannot_be_used_says_why(how: str, problems: set[Problem]) -> None:
    assert TakeMaker().make(spoilt(how, said(NAME, CLIENT).samples), edges_matter=True) in problems


@pytest.mark.speech
def test_a_trimmed_file_is_as_good_as_one_with_room() -> None:
    maker = TakeMaker()
    trimmed = usable(maker.make(said(NAME, CLIENT).samples))
    roomy = usable(maker.make(around(said(NAME, CLIENT).samples)))
    space = bank().space
    (cost,) = align([space.template(trimmed.name())], [space.place(roomy.embeddings)])
    assert cost.min() < 0.2


@pytest.mark.speech
@pytest.mark.parametrize("wrong", [0, 2])
def test_a_take_of_something_else_is_the_odd_one_out(wrong: int) -> None:
    maker = TakeMaker()
    client = [Speaker("espeak-ng", "en-us+m3", rate, 45) for rate in (140, 150, 160, 170)]
    takes = [usable(maker.make(said(NAME, saying).samples)) for saying in client]
    assert odd_one_out(takes, bank().space) is None
    takes[wrong] = usable(maker.make(said("butterfly", client[wrong]).samples))
    assert odd_one_out(takes, bank().space) == wrong


@pytest.mark.speech
def test_five_voices_saying_the_same_are_no_odd_ones() -> None:
    takes = [usable(TakeMaker().make(said(NAME, person).samples)) for person in PEOPLE[:5]]
    assert odd_one_out(takes, bank().space) is None
