"""Two parts with similar names: told which, how much, and what helps."""

from __future__ import annotations

from functools import cache

import pytest

from tests.device.hearing_rig import TEACHERS, take
from voice.adapters.bank import bank
from voice.adapters.voices import Speaker
from voice.card import Card
from voice.enrolment import voiceprint
from voice.likeness import Likeness, confusions, likeness

ONE_VOICE = tuple(
    Speaker("espeak-ng", "en-us+m3", rate, pitch) for rate, pitch in ((140, 45), (150, 47), (160, 43))
)


@cache
def card(name: str, people: tuple[Speaker, ...]) -> Card:
    takes = tuple(take(name, person) for person in people)
    known, forecast = voiceprint(name, takes, bank())
    return Card(name, takes, (), known, forecast)


@pytest.mark.speech
@pytest.mark.parametrize("people", [TEACHERS, ONE_VOICE], ids=["five voices", "one voice"])
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("the foreman", "the four men"),
        ("grumbletron", "grumblestone"),
        ("the little one by the window", "the little one by the door"),
        ("the little one", "the little one by the window"),
    ],
)
def test_names_that_sound_alike_are_told(name: str, other: str, people: tuple[Speaker, ...]) -> None:
    pairs = confusions(card(name, people), [card(name, people), card(other, people)], bank().space)
    assert pairs
    assert all({pair.part, pair.other} == {name, other} for pair in pairs)
    assert all(0 <= pair.mistaken <= pair.alike <= pair.takes for pair in pairs)


@pytest.mark.speech
@pytest.mark.parametrize("people", [TEACHERS, ONE_VOICE], ids=["five voices", "one voice"])
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("the foreman", "the critic"),
        ("the wolf", "the storm"),
        ("the foreman", "the doorman"),
        ("the judge", "the fudge"),
        ("grumbletron", "the little one by the window"),
    ],
)
def test_names_that_differ_are_not(name: str, other: str, people: tuple[Speaker, ...]) -> None:
    assert confusions(card(name, people), [card(other, people)], bank().space) == []


@pytest.mark.speech
def test_one_take_alone_can_be_compared() -> None:
    first, second = (card(name, TEACHERS[:1]) for name in ("the foreman", "the four men"))
    assert likeness(first, second, bank().space).takes == 1


@pytest.mark.parametrize(
    ("mistaken", "alike", "told"), [(0, 0, False), (0, 2, False), (0, 3, True), (1, 1, True), (5, 5, True)]
)
def test_one_mistake_is_told_and_so_is_a_name_that_half_the_time_would_do(
    mistaken: int, alike: int, told: bool
) -> None:
    assert Likeness("a", "b", mistaken, alike, 5).confused is told
