"""The real libvosk with the tiny model, on speech made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.device.speaking import ESPEAK, TINY, VOICES, blocks, loud, say
from voice.adapters.vosk import Model, VoskCommands, VoskTranscriber, VoskWords, find_alias, load, spoken_name
from voice.audio import BLOCK_S, RATE, Samples
from voice.errors import ModelError
from voice.ports import Command
from voice.words import SpokenName, WordsHeard

pytestmark = pytest.mark.speech

FOREMAN = SpokenName("The Foreman", ("the foreman",))
LITTLE = SpokenName("little one", ("little one",))
SILENCE = np.zeros(RATE, np.int16)


@pytest.fixture(scope="module")
def model() -> Model:
    return load(TINY)


def listen(words: VoskWords, *sounds: Samples) -> list[WordsHeard]:
    return [heard for block in blocks(np.concatenate(sounds)) for heard in words.push(block, loud(block))]


def finals(heard: list[WordsHeard]) -> list[str]:
    return [one.name for one in heard if one.final]


@pytest.mark.parametrize("voice", VOICES)
def test_a_name_is_found_in_a_sentence(model: Model, voice: str) -> None:
    words = VoskWords(model, [FOREMAN, LITTLE])
    assert finals(listen(words, say("i can feel the foreman again", voice), SILENCE)) == ["The Foreman"]


@pytest.mark.parametrize("voice", ESPEAK)
@pytest.mark.parametrize("sentence", ["my mother called me today", "one", "little", "we walk to the school"])
def test_other_talk_and_single_words_are_not_a_name(model: Model, voice: str, sentence: str) -> None:
    words = VoskWords(model, [FOREMAN, LITTLE])
    assert listen(words, say(sentence, voice), SILENCE) == []


def test_guesses_come_first_and_final_soon_after_the_name(model: Model) -> None:
    words = VoskWords(model, [FOREMAN])
    decided: list[tuple[WordsHeard, float]] = []
    speech = np.concatenate([SILENCE, say("the foreman"), SILENCE])
    for index, block in enumerate(blocks(speech)):
        decided += [(heard, (index + 1) * BLOCK_S) for heard in words.push(block, loud(block))]
    assert [heard.final for heard, _ in decided] == [False, True]
    heard, at = decided[1]
    spoken_end_s = float(np.flatnonzero(np.abs(speech) > 300)[-1]) / RATE
    assert heard.end_s == pytest.approx(spoken_end_s, abs=0.15)
    assert at - spoken_end_s <= 0.4


def test_times_stay_true_across_quiet_skips_and_resets(model: Model) -> None:
    words = VoskWords(model, [FOREMAN])
    first = finals_with_times(listen(words, SILENCE, say("the foreman"), SILENCE, SILENCE))
    so_far = len(blocks(np.concatenate([SILENCE, say("the foreman"), SILENCE, SILENCE])))
    words.skip(100)
    words.reset()
    second = finals_with_times(listen(words, SILENCE, say("the foreman"), SILENCE))
    assert second[0][0] - first[0][0] == pytest.approx((so_far + 100) * BLOCK_S, abs=0.1)


def finals_with_times(heard: list[WordsHeard]) -> list[tuple[float, float]]:
    return [(one.start_s, one.end_s) for one in heard if one.final]


def test_a_reset_forgets_what_was_being_said(model: Model) -> None:
    words = VoskWords(model, [FOREMAN])
    speech = say("the foreman", pad_s=0.0)
    assert finals(listen(words, speech[: len(speech) // 2])) == []
    words.reset()
    assert finals(listen(words, speech[len(speech) // 2 :], SILENCE)) == []


def test_recognisers_are_replaced_on_schedule(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice.adapters.vosk.REBUILD_S", 2.0)
    words = VoskWords(model, [FOREMAN])
    heard = listen(words, *(part for _ in range(4) for part in (say("the foreman is here"), SILENCE)))
    starts = [start for start, _ in finals_with_times(heard)]
    length = (len(say("the foreman is here")) + len(SILENCE)) / RATE
    assert np.diff(starts) == pytest.approx([length] * 3, abs=0.1)


def test_names_outside_the_vocabulary_are_left_out_and_never_printed(
    model: Model, capfd: pytest.CaptureFixture[str]
) -> None:
    words = VoskWords(model, [SpokenName("Grumbletron", ("grumbletron",))], near=["zxqv"])
    assert words.listening_for == ()
    assert listen(words, say("the foreman")) == []
    VoskWords(model, [FOREMAN], near=["zxqv the foreman"])
    assert capfd.readouterr() == ("", "")


def test_an_invented_name_gets_an_alias_that_finds_it(model: Model) -> None:
    takes = [say("grumbletron", voice) for voice in ESPEAK]
    alias = find_alias(model, takes)
    assert alias is not None
    assert all(model.knows(word) for word in alias.split())
    words = VoskWords(model, [spoken_name(model, "Grumbletron", alias)])
    assert finals(listen(words, say("grumbletron", "espeak:en-gb-scotland"), SILENCE)) == ["Grumbletron"]


def test_takes_without_speech_have_no_alias(model: Model) -> None:
    assert find_alias(model, [SILENCE, SILENCE, SILENCE]) is None
    assert find_alias(model, []) is None


def test_takes_of_different_names_agree_on_no_alias(model: Model) -> None:
    assert find_alias(model, [say("the foreman"), say("my mother"), say("cold water")]) is None


@pytest.mark.parametrize("voice", ESPEAK)
def test_a_line_is_transcribed(model: Model, voice: str) -> None:
    dictation = VoskTranscriber(model, "tiny").begin()
    for block in blocks(say("my mother was tired and i was afraid", voice)):
        dictation.hear(block)
    line = dictation.finish()
    assert line.text == "my mother was tired and i was afraid"
    assert line.transcriber == "tiny"
    assert line.rough, "lines of a test model are never passed off as good"


def test_a_line_with_a_pause_is_one_line(model: Model) -> None:
    dictation = VoskTranscriber(model).begin()
    for sound in (say("i feel tight in my chest"), SILENCE, SILENCE, say("the foreman is angry today")):
        for block in blocks(sound):
            dictation.hear(block)
    assert dictation.finish().text == "i feel tight in my chest the foreman is angry today"


def test_most_wrong_words_carry_the_doubt_mark_and_few_right_ones() -> None:
    sentences = ("little one is here again", "we walk to the school and the street is cold")
    right: list[bool] = []
    wrong: list[bool] = []
    for voice in VOICES:
        for sentence in sentences:
            dictation = VoskTranscriber(load(TINY)).begin()
            dictation.hear(say(sentence, voice))
            for word in dictation.finish().words:
                (right if word.text in sentence.split() else wrong).append(word.doubt)
    assert len(wrong) >= 5, "the homophones in these sentences are hard for the tiny model"
    assert sum(wrong) / len(wrong) >= 0.6
    assert sum(right) / len(right) <= 0.2


def test_silence_and_noise_are_no_words(model: Model) -> None:
    rng = np.random.default_rng(0)
    for sound in (SILENCE, (rng.normal(size=3 * RATE) * 20).astype(np.int16)):
        dictation = VoskTranscriber(model).begin()
        dictation.hear(sound)
        assert dictation.finish().words == ()


@pytest.mark.parametrize("voice", VOICES)
def test_commands_are_heard(model: Model, voice: str) -> None:
    recogniser = VoskCommands(model)
    assert Command.STOP in recogniser.commands
    assert Command.LOUDER not in recogniser.commands, "the tiny model does not know the word"
    for command in recogniser.commands:
        assert recogniser.recognise(say(command, voice)) is command


@pytest.mark.parametrize("voice", ESPEAK)
@pytest.mark.parametrize(
    "talk",
    ["please stop the car", "not yet", "top", "i was at work", "he told me not now", "help me", "a game"],
)
def test_ordinary_talk_is_no_command(model: Model, voice: str, talk: str) -> None:
    assert VoskCommands(model).recognise(say(talk, voice)) is None
    assert VoskCommands(model).recognise(SILENCE) is None


def test_a_missing_model_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(tmp_path / "nothing")


def test_a_model_is_loaded_once(model: Model) -> None:
    assert load(TINY) is model
