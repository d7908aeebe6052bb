"""Enrolment led by voice, in audio time: what is asked, what is done over, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.device.enrol_rig import (
    NAME,
    NO,
    OTHER_NAME,
    PHRASE,
    SPACE,
    TALK,
    TROUBLES,
    WILLING,
    YES,
    Client,
    Count,
    MarkMaker,
    Session,
    Yes,
    mark,
    with_answers,
)  # fmt: skip
from tests.fakes import CODES, FakeActivity, FakeCards, FakeCommands
from voice.adapters.prompts import load_wording
from voice.audio import HOP, RATE
from voice.enrolling import ATTEMPTS, SILENT_TRIES, TALK_S, Enrolling
from voice.enrolment import Problem, odd_one_out
from voice.errors import AudioError, EnrolmentError
from voice.leading import Leading
from voice.ports import Back, Block, Command, Gap, Lost
from voice.progress import TRIES
from voice.settings import Settings
from voice.speaking import Speaking

ECHO_BLOCKS = 2
"""How long a room goes on sounding: 160 ms."""


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
    leading = Leading(loud, session.player, FakeActivity(), speaking, Settings())
    led = Enrolling(leading, FakeCommands(), MarkMaker(), Yes()).lead(Count(3), audition=False)
    assert all(99 not in clip.samples for clip in (*led.recordings, led.phrase) if clip is not None)


def test_prompts_of_enrolment_are_short_enough_for_one_breath_of_attention() -> None:
    session = Session(WILLING)
    session.lead()
    seconds = [sum(clip.seconds for clip in clips) for clips in session.player.played]
    assert max(seconds) < 9.0


AUDITION = with_answers(audition=[mark(NAME)], talk=[mark(TALK, 20.0)], keep_talk=[None])


def test_the_audition_is_five_tries_a_minute_of_talk_and_a_question() -> None:
    session = Session(AUDITION)
    led = session.enrolling.lead(Count(3))
    assert session.prompts[-5:] == [
        "enrol.keep", "enrol.audition", "enrol.talk", "enrol.keep_talk", "enrol.talk_not_kept",
    ]  # fmt: skip
    assert len(led.tries) == TRIES
    assert all(embedded.max() == NAME for embedded in led.tries)
    (talk,) = led.talk
    assert len(talk) == 250
    assert len(led.takes) == 3
    assert led.phrase is not None


def test_no_word_is_said_between_the_tries_or_about_them() -> None:
    """S4, S13: a tone for each, no count and no verdict."""
    session = Session(with_answers(audition=[mark(NAME), mark(OTHER_NAME), mark(NAME)]))
    session.enrolling.lead(Count(3))
    said = session.prompts
    assert said[said.index("enrol.audition") + 1] == "enrol.talk"


@pytest.mark.parametrize(("answer", "kept"), [(mark(YES), True), (mark(NO), False), (None, False)])
def test_talk_is_kept_on_an_explicit_yes_alone_and_what_was_understood_is_said(
    answer: np.ndarray | None, kept: bool
) -> None:
    session = Session({**AUDITION, "enrol.keep_talk": [answer]})
    led = session.enrolling.lead(Count(3))
    assert led.keep_talk is kept
    assert led.talk, "it is there for the forecast either way"
    assert session.prompts[-1] == ("enrol.talk_kept" if kept else "enrol.talk_not_kept")


def test_where_no_yes_could_be_understood_nothing_is_asked_and_nothing_kept() -> None:
    session = Session({**AUDITION, "enrol.keep_talk": [mark(YES)]})
    session.consent.asks = False
    led = session.enrolling.lead(Count(3))
    assert led.keep_talk is False
    assert "enrol.keep_talk" not in session.prompts


def test_what_the_clinician_has_settled_is_not_asked_again() -> None:
    session = Session({**AUDITION, "enrol.keep_talk": [mark(YES)]})
    assert session.enrolling.lead(Count(3), ask=False).keep_talk is False
    assert "enrol.keep_talk" not in session.prompts


def test_an_audition_alone_asks_for_no_take() -> None:
    session = Session(AUDITION)
    led = session.enrolling.audition()
    assert session.prompts == ["enrol.audition", "enrol.talk", "enrol.keep_talk", "enrol.talk_not_kept"]
    assert not led.takes
    assert len(led.tries) == TRIES


def test_a_client_who_stops_saying_the_name_is_not_kept_waiting() -> None:
    session = Session({**AUDITION, "enrol.audition": [mark(NAME), mark(NAME), None]})
    led = session.enrolling.audition()
    assert len(led.tries) == 2
    tones = [clips for clips in session.player.played if len(clips) == 1 and clips[0].seconds < 0.3]
    assert len(tones) == 1 + SILENT_TRIES


def test_no_talk_is_no_question() -> None:
    session = Session({**AUDITION, "enrol.talk": [None]})
    led = session.enrolling.audition()
    assert led.talk == ()
    assert session.prompts[-1] == "enrol.talk"


def test_talk_ends_after_a_minute_and_a_pause_to_think_does_not_end_it() -> None:
    pause = np.zeros(round(5.0 / 0.08) * HOP, np.int16)
    halves = np.concatenate([mark(TALK, 8.0), pause, mark(TALK, 90.0)])
    (talk,) = Session({**AUDITION, "enrol.talk": [halves]}).enrolling.audition().talk
    assert TALK_S - 6.5 < len(talk) * 0.08 < TALK_S


@pytest.mark.parametrize("prompt", ["audition", "talk", "keep_talk"])
def test_a_microphone_that_goes_away_within_the_audition_is_said_too(prompt: str) -> None:
    session = Session({**AUDITION, f"enrol.{prompt}": [Lost()]})
    with pytest.raises(AudioError, match="microphone went away"):
        session.enrolling.audition()
    assert session.prompts[-1] == "microphone.lost"
