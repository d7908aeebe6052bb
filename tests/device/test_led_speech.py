"""The led enrolment with everything real but the sound card, from the first prompt to the card on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.device.enrol_rig import Answer, Client, RecordingPlayer
from tests.fakes import FakeSynthesiser, Log
from voice import assemble, assemble_enrolment
from voice.adapters.cards import CardBox
from voice.adapters.synthesiser import CachedSynthesiser
from voice.adapters.voices import Speaker, speak
from voice.assemble_enrolment import Asked, Enrolled
from voice.audio import RATE, Clip, Samples, level_db
from voice.audition import counted, seconds
from voice.errors import EnrolmentError
from voice.naming import NameRefusedError

pytestmark = pytest.mark.speech

NAME, PHRASE = "grumbletron", "I see you, and I am here."
TALK = (
    "The soup is almost ready, and the bus was late again this morning. "
    "Could you bring the washing in before it rains? They say tomorrow will be colder than today."
)


@cache
def says(text: str, rate: int = 150, gain: float = 1.0) -> Samples:
    return (speak(text, Speaker("espeak-ng", "en-us+m3", rate, 45)).samples * gain).astype(np.int16)


def said_five_times(name: str) -> list[Samples]:
    return [says(name, rate) for rate in (152, 144, 149, 156, 141)]


class Prompts(FakeSynthesiser):
    """The real synthesiser, noting what it was asked to say."""

    def __init__(self, log: Log, folder: Path) -> None:
        super().__init__(log)
        self._real = CachedSynthesiser(folder)

    def render(self, text: str, language: str, words_per_minute: int) -> Clip:
        self.said.append(text)
        return self._real.render(text, language, words_per_minute)


class Session:
    """A client with a synthetic voice in a quiet room, in front of a device that lives in `home`."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Sequence[Answer]]):
        log: Log = []
        noise = np.random.default_rng(5)
        self.home = home
        self.player = RecordingPlayer(log)
        synthesiser = Prompts(log, home.parent / "prompts")
        monkeypatch.setattr(assemble, "synthesiser", lambda home: synthesiser)
        self.client = Client(
            self.player,
            synthesiser,
            answers,
            room=lambda samples: noise.normal(0, 8, samples).astype(np.int16),
            after_s=0.6,
        )

    def lead(self, asked: Asked) -> Enrolled:
        return assemble_enrolment.led(self.home, asked, self.client, self.player)


def willing() -> dict[str, Sequence[Answer]]:
    return {
        "enrol.say_name": [says(NAME, 140)],
        "enrol.again": [says(NAME, rate) for rate in (150, 160, 146, 155)],
        "enrol.phrase": [says(PHRASE)],
        "enrol.audition": said_five_times(NAME),
        "enrol.talk": [says(TALK)],
    }


def test_from_hello_to_a_card_with_its_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        **willing(),
        "enrol.say_name": [says(NAME, gain=0.002)],
        "enrol.too_quiet": [says(NAME, 140)],
        "enrol.phrase": [says("oh wait, I am not ready"), says(PHRASE)],
        # The starter hears flite's "again" and "yes" more surely than espeak-ng's.
        "enrol.keep": [speak("again", Speaker("flite", "awb")).samples, None],
        "enrol.keep_talk": [speak("yes", Speaker("espeak-ng", "en-us+f4", 160, 60)).samples],
    }
    session = Session(tmp_path / "home", monkeypatch, answers)
    enrolled = session.lead(Asked(NAME))
    assert session.client.prompts == [
        "enrol.welcome", "enrol.say_name", "enrol.too_quiet", "enrol.again", "enrol.again",
        "enrol.phrase", "enrol.keep", "enrol.phrase", "enrol.keep",
        "enrol.audition", "enrol.talk", "enrol.keep_talk", "enrol.talk_kept", "enrol.done",
    ]  # fmt: skip
    (card,), _ = CardBox(session.home).load()
    assert enrolled.kept
    assert len(card.takes) == 3, "three are enough when they agree"
    assert card.phrase is not None
    assert len(says(PHRASE)) / RATE < card.phrase.seconds < len(says(PHRASE)) / RATE + 1.5
    assert level_db(card.phrase.samples) > -35
    heard = counted(card.forecast)
    assert (heard.tries, heard.tones) == (5, 0)
    assert heard.found >= 4
    assert 5 < heard.talk_s < len(says(TALK)) / RATE + 5
    assert seconds(card.talk) == pytest.approx(heard.talk_s, abs=0.1)
    assert len(card.tries) == 5


def test_without_a_yes_the_talk_is_counted_and_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tmp_path / "home", monkeypatch, willing())
    card = session.lead(Asked(NAME)).card
    assert session.client.prompts[-3:] == ["enrol.keep_talk", "enrol.talk_not_kept", "enrol.done"]
    assert counted(card.forecast).talk_s > 5
    assert card.talk == ()

    later = Session(session.home, monkeypatch, willing())
    card = later.lead(Asked(NAME, audition=True, keep_talk=True)).card
    assert later.client.prompts == ["enrol.audition", "enrol.talk", "enrol.done"]
    assert len(card.takes) == 3
    assert len(card.tries) == 10
    assert card.talk, "the clinician gave the consent, so nothing was asked"


def test_the_audition_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(tmp_path / "home", monkeypatch, willing())
    card = session.lead(Asked(NAME, audition=False)).card
    assert session.client.prompts[-2:] == ["enrol.keep", "enrol.done"]
    assert card.tries == ()


def test_an_audition_of_a_part_that_was_never_taught_is_an_error_before_anything_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path / "home", monkeypatch, willing())
    with pytest.raises(EnrolmentError, match="no take yet"):
        session.lead(Asked(NAME, audition=True))
    assert session.client.prompts == []


@pytest.mark.parametrize(
    ("name", "prompt"),
    [("me", "enrol.too_short"), ("the music", "enrol.too_common"), ("stop", "enrol.too_common")],
)
def test_a_name_that_cannot_work_is_refused_aloud_and_kindly(
    name: str, prompt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path / "home", monkeypatch, willing())
    with pytest.raises(NameRefusedError):
        session.lead(Asked(name))
    assert session.client.prompts == [prompt]


def test_a_name_that_comes_up_in_the_talk_is_refused_aloud_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = np.concatenate([says(f"{TALK} {NAME}."), says(f"And then {NAME} came. {TALK}")])
    session = Session(tmp_path / "home", monkeypatch, {**willing(), "enrol.talk": [talk]})
    enrolled = session.lead(Asked(NAME))
    assert session.client.prompts[-2:] == ["enrol.too_common", "enrol.not_kept"]
    assert not enrolled.kept
    assert CardBox(session.home).load() == ([], [])
    kept = assemble_enrolment.keep_anyway(session.home, enrolled)
    (card,), _ = CardBox(session.home).load()
    assert kept.kept
    assert card.anyway


def test_a_name_like_another_is_told_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    Session(home, monkeypatch, willing()).lead(Asked(NAME, audition=False))
    like = "grumblestone"
    again = {
        "enrol.say_name": [says(like, 140)],
        "enrol.again": [says(like, rate) for rate in (150, 160, 146)],
    }
    session = Session(home, monkeypatch, again)
    enrolled = session.lead(Asked(like, audition=False))
    assert session.client.prompts[-2:] == ["enrol.alike", "enrol.done"]
    assert {pair.other for pair in enrolled.alike} <= {NAME, like}
    assert len(CardBox(home).load()[0]) == 2
