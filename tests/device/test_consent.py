"""A spoken yes, and everything that is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.device.hearing_rig import said
from voice.adapters.recognisers import transcriber
from voice.adapters.voices import PEOPLE
from voice.audio import Samples
from voice.consent import SpokenConsent
from voice.transcript import Transcript, Word


@dataclass
class Heard:
    """Writes down one answer, whatever is said."""

    words: tuple[Word, ...]

    def begin(self) -> Heard:
        return self

    def hear(self, samples: Samples) -> None:
        pass

    def finish(self) -> Transcript:
        return Transcript(self.words, "heard")


ANSWER = np.ones(1280, np.int16)


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        ("yes", True),
        ("Yes please", True),
        ("yes you may", True),
        ("no", False),
        ("", False),
        ("yes but not today", False),
        ("yesterday", False),
        ("oh yes no", False),
        ("yeah right", False),
    ],
)
def test_only_an_explicit_yes_is_one(answer: str, given: bool) -> None:
    words = tuple(Word(text) for text in answer.split())
    assert SpokenConsent(Heard(words), "en").given(ANSWER) is given


def test_a_doubtful_yes_and_a_silent_one_are_none() -> None:
    assert not SpokenConsent(Heard((Word("yes", doubt=True),)), "en").given(ANSWER)
    assert not SpokenConsent(Heard((Word("yes"),)), "en").given(np.empty(0, np.int16))


def test_a_language_without_a_known_yes_is_not_asked() -> None:
    assert SpokenConsent(Heard(()), "en-GB").asks
    other = SpokenConsent(Heard((Word("yes"),)), "ka")
    assert not other.asks
    assert not other.given(ANSWER)


@pytest.mark.speech
def test_the_starter_hears_a_yes_and_takes_no_for_none() -> None:
    consent = SpokenConsent(transcriber("en"), "en")
    quiet = np.random.default_rng(0).normal(0, 8, 12_800).astype(np.int16)

    def given(text: str) -> list[bool]:
        return [
            consent.given(np.concatenate([quiet, said(text, person).samples, quiet])) for person in PEOPLE
        ]

    assert sum(given("yes")) >= 3
    assert not any(given("no") + given("no thanks") + given("I don't know"))
