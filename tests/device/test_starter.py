"""The starter transcriber: pocketsphinx with its own model, on speech made here."""

from __future__ import annotations

import numpy as np
import pytest

from tests.device.speaking import ESPEAK, blocks, say
from voice.adapters.starter import NAME, StarterCommands, StarterTranscriber
from voice.audio import RATE, Samples
from voice.ports import Command
from voice.transcript import Transcript

pytestmark = pytest.mark.speech

SILENCE = np.zeros(RATE, np.int16)
SENTENCE = "he raised his voice and i felt small again"


@pytest.fixture(scope="module")
def starter() -> StarterTranscriber:
    return StarterTranscriber()


@pytest.fixture(scope="module")
def commands() -> StarterCommands:
    return StarterCommands()


def transcribe(starter: StarterTranscriber, samples: Samples) -> Transcript:
    dictation = starter.begin()
    for block in blocks(samples):
        dictation.hear(block)
    return dictation.finish()


@pytest.mark.parametrize("voice", ["flite:slt", "flite:rms"])
def test_a_sentence_is_written_roughly(starter: StarterTranscriber, voice: str) -> None:
    line = transcribe(starter, say(SENTENCE, voice))
    assert line.rough
    assert line.transcriber == NAME
    assert len(set(line.text.split()) & set(SENTENCE.split())) >= 5
    assert not any(mark in line.text for mark in "<>[]()")


def test_wrong_words_carry_the_mark_more_often_than_right_ones(starter: StarterTranscriber) -> None:
    right: list[bool] = []
    wrong: list[bool] = []
    for voice in ("flite:slt", "flite:rms", "espeak:en-us", "espeak:en-gb"):
        for word in transcribe(starter, say(SENTENCE, voice)).words:
            (right if word.text in SENTENCE.split() else wrong).append(word.doubt)
    assert wrong
    assert sum(wrong) / len(wrong) > sum(right) / len(right)


def test_silence_and_nothing_at_all_are_no_words(starter: StarterTranscriber) -> None:
    assert transcribe(starter, SILENCE).words == ()
    assert starter.begin().finish().words == ()


def test_a_line_that_was_dropped_leaves_nothing_in_the_next(starter: StarterTranscriber) -> None:
    starter.begin().hear(say(SENTENCE))
    assert transcribe(starter, SILENCE).words == ()


def test_nothing_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    transcribe(StarterTranscriber(), say(SENTENCE))
    StarterCommands().recognise(say("stop"))
    assert capfd.readouterr() == ("", "")


def test_commands_are_heard(commands: StarterCommands) -> None:
    """It finds about half of them in these voices; what it must not do is take one for another."""
    tries = [(command, voice) for command in Command for voice in ("flite:slt", "flite:rms", "espeak:en-us")]
    heard = [(command, commands.recognise(say(command, voice))) for command, voice in tries]
    assert sum(command is got for command, got in heard) >= len(tries) * 0.4
    assert [pair for pair in heard if pair[1] not in (pair[0], None)] == []


@pytest.mark.parametrize("voice", ESPEAK)
@pytest.mark.parametrize(
    "talk", ["i was at work", "thank you", "my mother was there", "please help", "good night"]
)
def test_ordinary_talk_is_no_command(commands: StarterCommands, voice: str, talk: str) -> None:
    assert commands.recognise(say(talk, voice)) is None


def test_silence_is_no_command(commands: StarterCommands) -> None:
    assert commands.recognise(SILENCE) is None
    assert commands.recognise(SILENCE[:0]) is None
