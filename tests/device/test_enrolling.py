"""Enrolment led by voice, in audio time: what is asked, what is done over, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.device.enrol_rig import Answer, Client, RecordingPlayer
from tests.fakes import CODES, FakeActivity, FakeCards, FakeCommands, FakeSynthesiser, Log
from voice.adapters.bank import bank
from voice.adapters.prompts import load_wording
from voice.adapters.recognisers import commands
from voice.adapters.synthesiser import CachedSynthesiser
from voice.adapters.takes import TakeMaker
from voice.adapters.vad import SileroActivity
from voice.adapters.voices import Speaker, speak
from voice.alignment import Space
from voice.audio import HOP, RATE, Clip, Samples, level_db
from voice.enrolling import ATTEMPTS, Enrolling, Led
from voice.enrolment import Problem, Span, Take, odd_one_out, voiceprint
from voice.errors import AudioError, EnrolmentError
from voice.ports import Back, Block, Command, Gap, Lost
from voice.settings import Settings
from voice.speaking import Speaking

NAME, OTHER_NAME, PHRASE = 11, 12, 13
TROUBLE = {20 + index: problem for index, problem in enumerate(Problem)}
TROUBLES = {problem: mark for mark, problem in TROUBLE.items()}
SPACE = Space(np.zeros(96, np.float32), np.eye(96, dtype=np.float32))


def mark(code: int, seconds: float = 0.8) -> Samples:
    return np.full(round(seconds / 0.08) * HOP, code, np.int16)


ECHO_BLOCKS = 2
"""How long a room goes on sounding: 160 ms."""


class MarkMaker:
    """Takes by their mark: two names, or a problem. Nothing recorded is too quiet."""

    def make(self, samples: Samples, *, edges_matter: bool = False) -> Take | Problem:
        assert edges_matter, "the recording is made here, with room around it"
        if not len(samples):
            return Problem.TOO_QUIET
        code = int(samples.max())
        if code in TROUBLE:
            return TROUBLE[code]
        path = np.random.default_rng(code).normal(size=(10, 96))
        noise = np.random.default_rng(len(samples)).normal(0, 0.05, (10, 96))
        return Take((path + noise).astype(np.float32), Span(0.0, 0.8))


class Session:
    """One led enrolment on fakes, and the client's answers to it."""

    def __init__(self, answers: Mapping[str, Sequence[Answer]], **client: float) -> None:
        self.log: Log = []
        self.player = RecordingPlayer(self.log)
        self.synthesiser = FakeSynthesiser(self.log)
        self.client = Client(self.player, self.synthesiser, answers, **client)  # type: ignore[arg-type]
        settings = Settings()
        speaking = Speaking(self.synthesiser, load_wording("en"), FakeCards(), settings)
        self.enrolling = Enrolling(
            self.client, self.player, FakeActivity(), speaking, FakeCommands(), MarkMaker(), settings
        )

    def lead(self, count: int = 3) -> Led:
        return self.enrolling.lead(count, SPACE)

    @property
    def prompts(self) -> list[str]:
        return self.client.prompts


WILLING: Mapping[str, Sequence[Answer]] = {
    "enrol.say_name": [mark(NAME)],
    "enrol.again": [mark(NAME)],
    "enrol.phrase": [mark(PHRASE, 2.4)],
}


def with_answers(**changed: Sequence[Answer]) -> dict[str, Sequence[Answer]]:
    return {**WILLING, **{f"enrol.{key}": value for key, value in changed.items()}}


def test_the_name_is_asked_for_as_often_as_needed_then_the_phrase_which_is_played_back() -> None:
    session = Session(WILLING)
    led = session.lead(4)
    assert session.prompts == [
        "enrol.welcome",
        "enrol.say_name",
        "enrol.again",
        "enrol.again",
        "enrol.again",
        "enrol.phrase",
        "enrol.keep",
        "enrol.done",
    ]
    assert len(led.takes) == len(led.recordings) == 4
    assert led.phrase is not None
    back = [clips for clips in session.player.played if clips[0] is led.phrase]
    assert len(back) == 1
    spoken = np.count_nonzero(led.phrase.samples == PHRASE)
    assert spoken == len(mark(PHRASE, 2.4)), "not a sample of the phrase is lost"
    assert led.phrase.seconds < 2.4 + 1.2, "nor much silence kept"


def test_a_recording_has_room_before_and_after_the_name() -> None:
    for recording in Session(WILLING, after_s=1.0).lead().recordings:
        spoken = np.flatnonzero(recording.samples)
        assert spoken[0] >= 0.3 * RATE
        assert len(recording.samples) - spoken[-1] >= 0.7 * RATE


@pytest.mark.parametrize("after_s", [0.24, 0.32, 2.0, 8.0])
def test_the_client_may_speak_right_after_the_tone_or_take_their_time(after_s: float) -> None:
    session = Session(WILLING, after_s=after_s)
    led = session.lead()
    assert [prompt for prompt in session.prompts if prompt == "enrol.too_quiet"] == []
    assert all(np.count_nonzero(clip.samples) == len(mark(NAME)) for clip in led.recordings)


@pytest.mark.parametrize(
    ("problem", "prompt"),
    [
        (Problem.TOO_QUIET, "enrol.too_quiet"),
        (Problem.TOO_LOUD, "enrol.too_loud"),
        (Problem.CUT_OFF, "enrol.cut_off"),
        (Problem.TOO_SHORT, "enrol.too_short"),
        (Problem.TOO_LONG, "enrol.too_long"),
    ],
)
def test_a_take_that_cannot_be_used_is_asked_for_again_with_its_reason(problem: Problem, prompt: str) -> None:
    answers = with_answers(again=[mark(TROUBLES[problem]), mark(NAME)])
    answers[prompt] = [mark(NAME)]
    session = Session(answers)
    led = session.lead()
    assert session.prompts[:4] == ["enrol.welcome", "enrol.say_name", "enrol.again", prompt]
    assert len(led.takes) == 3


def test_silence_after_the_tone_is_asked_about_once_more() -> None:
    session = Session(with_answers(say_name=[None], too_quiet=[mark(NAME)]))
    assert len(session.lead().takes) == 3
    assert session.prompts[1:3] == ["enrol.say_name", "enrol.too_quiet"]


def test_a_client_who_says_nothing_at_all_is_let_go_with_the_reason() -> None:
    session = Session({})
    with pytest.raises(EnrolmentError, match="too quiet") as ended:
        session.lead()
    assert "onebreath check" in ended.value.remedy
    assert session.prompts == ["enrol.welcome", "enrol.say_name", *["enrol.too_quiet"] * (ATTEMPTS - 1)]


def test_a_take_unlike_the_others_is_asked_for_again() -> None:
    answers = with_answers(again=[mark(OTHER_NAME), mark(NAME)], different=[mark(NAME, 0.88)])
    session = Session(answers)
    led = session.lead(4)
    assert session.prompts[1:6] == [
        "enrol.say_name",
        "enrol.again",
        "enrol.again",
        "enrol.different",
        "enrol.again",
    ]
    assert len(led.takes) == len(led.recordings) == 4
    assert all(clip.samples.max() == NAME for clip in led.recordings)
    assert odd_one_out(led.takes, SPACE) is None


def test_a_client_who_never_says_it_alike_is_not_kept_forever() -> None:
    anything = [mark(40 + turn) for turn in range(60)]
    answers = with_answers(again=[mark(NAME), *anything], different=anything[::-1])
    session = Session(answers, patience_s=3_000.0)
    led = session.lead(4)
    assert len(led.takes) == 4
    assert 1 <= session.prompts.count("enrol.different") <= 4


def test_again_records_the_phrase_once_more() -> None:
    again = mark(CODES[Command.AGAIN], 0.64)
    session = Session(with_answers(phrase=[mark(PHRASE, 2.4), mark(PHRASE + 1, 1.6)], keep=[again, None]))
    led = session.lead()
    assert session.prompts[-5:] == ["enrol.phrase", "enrol.keep", "enrol.phrase", "enrol.keep", "enrol.done"]
    assert led.phrase is not None
    assert led.phrase.samples.max() == PHRASE + 1


def test_anything_else_said_after_the_phrase_keeps_it() -> None:
    session = Session(with_answers(keep=[mark(CODES[Command.HELP], 0.64)]))
    led = session.lead()
    assert led.phrase is not None
    assert session.prompts.count("enrol.phrase") == 1


def test_a_client_who_always_says_again_keeps_the_last_phrase() -> None:
    again = mark(CODES[Command.AGAIN], 0.64)
    phrases = [mark(PHRASE + turn, 1.6) for turn in range(20)]
    session = Session(with_answers(phrase=phrases, keep=[again]))
    led = session.lead()
    assert led.phrase is not None
    assert led.phrase.samples.max() == PHRASE + session.prompts.count("enrol.phrase") - 1
    assert session.prompts[-1] == "enrol.done"


def test_a_phrase_left_out_leaves_the_name_enrolled() -> None:
    session = Session(with_answers(phrase=[None]))
    led = session.lead()
    assert len(led.takes) == 3
    assert led.phrase is None
    assert session.prompts[-1] == "enrol.done"


@pytest.mark.parametrize("prompt", ["say_name", "again", "phrase", "keep"])
def test_a_microphone_that_goes_away_is_said_aloud_and_ends_it(prompt: str) -> None:
    session = Session(with_answers(**{prompt: [Lost()]}))
    with pytest.raises(AudioError, match="microphone went away") as ended:
        session.lead()
    assert "repeat" in ended.value.remedy
    assert session.prompts[-1] == "microphone.lost"
    assert not session.player.playing(), "the sentence was said to its end"


def test_a_microphone_that_ends_within_the_session_ends_it_too() -> None:
    session = Session(WILLING, patience_s=9.0)
    with pytest.raises(AudioError, match="microphone went away"):
        session.lead()


def test_the_device_does_not_hear_itself() -> None:
    """What the microphone gives while a prompt sounds, and the room's echo of it, reaches no recording."""
    session = Session(WILLING)

    class Loud(Client):
        def __iter__(self) -> Iterator[Block | Gap | Lost | Back]:
            echo = 0
            for item in super().__iter__():
                echo = ECHO_BLOCKS if self._player.playing() else echo - 1
                if isinstance(item, Block) and echo >= 0:
                    yield replace(item, samples=np.full(HOP, 99, np.int16))
                else:
                    yield item

    loud = Loud(session.player, session.synthesiser, WILLING)
    speaking = Speaking(session.synthesiser, load_wording("en"), FakeCards(), Settings())
    enrolling = Enrolling(
        loud, session.player, FakeActivity(), speaking, FakeCommands(), MarkMaker(), Settings()
    )
    led = enrolling.lead(3, SPACE)
    assert all(99 not in clip.samples for clip in (*led.recordings, led.phrase) if clip is not None)


def test_prompts_of_enrolment_are_short_enough_for_one_breath_of_attention() -> None:
    session = Session(WILLING)
    session.lead()
    seconds = [sum(clip.seconds for clip in clips) for clips in session.player.played]
    assert max(seconds) < 9.0


def client_says(text: str, rate: int = 150, gain: float = 1.0) -> Samples:
    return (speak(text, Speaker("espeak-ng", "en-us+m3", rate, 45)).samples * gain).astype(np.int16)


@pytest.mark.speech
def test_a_led_enrolment_with_everything_real_but_the_sound_card(tmp_path: Path) -> None:
    """Real prompts, voice activity, takes and "again"; a synthesised client speaks after each tone."""
    log: Log = []
    player = RecordingPlayer(log)
    noise = np.random.default_rng(5)

    class Prompts(FakeSynthesiser):
        """The real synthesiser, noting what it was asked to say."""

        def render(self, text: str, language: str, words_per_minute: int) -> Clip:
            self.said.append(text)
            return real.render(text, language, words_per_minute)

    real = CachedSynthesiser(tmp_path / "prompts")
    synthesiser = Prompts(log)
    name, phrase = "grumbletron", "I see you, and I am here."
    client = Client(
        player,
        synthesiser,
        {
            "enrol.say_name": [client_says(name, gain=0.002)],
            "enrol.too_quiet": [client_says(name, 140)],
            "enrol.again": [client_says(name, rate) for rate in (150, 160, 146)],
            "enrol.phrase": [client_says("oh wait, I am not ready"), client_says(phrase)],
            # The starter hears flite's "again" more surely than espeak-ng's.
            "enrol.keep": [speak("again", Speaker("flite", "awb")).samples, None],
        },
        room=lambda samples: noise.normal(0, 8, samples).astype(np.int16),
        after_s=0.6,
    )
    settings = Settings()
    speaking = Speaking(synthesiser, load_wording("en"), FakeCards(), settings)
    session = Enrolling(client, player, SileroActivity(), speaking, commands("en"), TakeMaker(), settings)
    led = session.lead(4, bank().space)

    assert client.prompts == [
        "enrol.welcome", "enrol.say_name", "enrol.too_quiet", "enrol.again", "enrol.again", "enrol.again",
        "enrol.phrase", "enrol.keep", "enrol.phrase", "enrol.keep", "enrol.done",
    ]  # fmt: skip
    assert led.phrase is not None
    said = client_says(phrase)
    assert len(said) / RATE < led.phrase.seconds < len(said) / RATE + 1.5
    assert level_db(led.phrase.samples) > -35
    known, forecast = voiceprint(name, led.takes, bank())
    assert known.threshold > 0
    assert forecast.found_of_ten is not None
    assert forecast.found_of_ten > 7
