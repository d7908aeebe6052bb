"""Own voice and words still being spoken, fused: the decision, then the real recogniser on made speech."""

from __future__ import annotations

import numpy as np
import pytest

from tests.device.hearing_rig import TALK, said, taught
from tests.device.speaking import ESPEAK, TINY, blocks, say
from tests.device.test_spotting import FOREMAN, GIANT, decide, known
from voice.adapters import word_evidence
from voice.adapters.bank import bank
from voice.adapters.embedding import SpeechEmbedder
from voice.adapters.vad import SileroActivity
from voice.adapters.voices import PEOPLE
from voice.adapters.vosk import STANDING_BLOCKS, Model, VoskWords, load
from voice.audio import BLOCK_S, RATE, Samples
from voice.ears import Ears
from voice.ports import Evidence, Hearing
from voice.spotting import GUESSED, MEMORY_BLOCKS, VETO, Decision, NameSpotter
from voice.words import SpokenName

THRESHOLD = 4.0
SILENCE = np.zeros(RATE, np.int16)


def row(score: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([score], np.float32)


def test_a_guess_names_a_part_that_the_own_voice_mostly_knows() -> None:
    decision = Decision([known(FOREMAN)])
    assert decide(decision, [1, THRESHOLD * GUESSED, 1]) == []
    hearing = decision.push(4, row(1), guessed=[FOREMAN])
    assert hearing is not None
    assert hearing.evidence is Evidence.WORDS
    assert hearing.name_end_s == pytest.approx(2 * BLOCK_S)


def test_a_guess_needs_more_than_words_that_are_over() -> None:
    assert GUESSED > VETO
    between = THRESHOLD * (GUESSED + VETO) / 2
    decision = Decision([known(FOREMAN)])
    assert decide(decision, [between]) == []
    assert decision.push(2, row(1), guessed=[FOREMAN]) is None
    assert decision.push(3, row(1), [FOREMAN]) is not None


def test_a_guess_that_comes_too_late_or_for_another_part_names_nothing() -> None:
    decision = Decision([known(FOREMAN), known(GIANT)])
    assert decision.push(1, np.array([3.0, 0.0], np.float32)) is None
    assert decision.push(2, np.zeros(2, np.float32), guessed=[GIANT]) is None
    for block in range(3, MEMORY_BLOCKS + 1):
        assert decision.push(block, None) is None
    assert decision.push(MEMORY_BLOCKS + 1, None, guessed=[FOREMAN]) is None


def test_a_guess_ends_the_waiting_for_a_better_score() -> None:
    decision = Decision([known(FOREMAN)])
    hearing = decision.push(1, row(5), guessed=[FOREMAN])
    assert hearing is not None
    assert hearing.evidence is Evidence.BOTH


def test_where_words_may_name_nothing_no_guess_does() -> None:
    strict = known(FOREMAN)
    strict = type(strict)(**{**strict.__dict__, "with_words": 1.0})
    decision = Decision([strict])
    assert decide(decision, [THRESHOLD - 0.01]) == []
    assert decision.push(2, row(1), [FOREMAN], [FOREMAN]) is None


@pytest.fixture(scope="module")
def model() -> Model:
    return load(TINY)


def words(model: Model) -> VoskWords:
    return VoskWords(model, [SpokenName(FOREMAN, (FOREMAN,))])


@pytest.mark.speech
@pytest.mark.parametrize("voice", ESPEAK)
def test_a_name_in_running_speech_is_a_guess_long_before_it_is_final(model: Model, voice: str) -> None:
    listening = words(model)
    speech = np.concatenate([say("i feel the foreman and my mother was at home with me", voice), SILENCE])
    at: dict[bool, int] = {}
    for number, block in enumerate(blocks(speech)):
        for heard in listening.push(block, bool(np.abs(block.astype(np.int32)).max() > 300)):
            assert heard.name == FOREMAN
            assert heard.final not in at, "once each"
            at[heard.final] = number
    assert at[True] - at[False] > STANDING_BLOCKS


@pytest.mark.speech
def test_what_stands_only_for_a_moment_is_no_guess(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sentences, with guesses counted from the first block on and as they are."""
    counts = []
    for standing in (1, STANDING_BLOCKS):
        monkeypatch.setattr("voice.adapters.vosk.STANDING_BLOCKS", standing)
        listening, guesses = words(model), 0
        for voice in ESPEAK:
            for sentence in ("for a man of the world", "the form on the table", "for the four of them"):
                for block in blocks(np.concatenate([say(sentence, voice), SILENCE])):
                    heard = listening.push(block, bool(np.abs(block.astype(np.int32)).max() > 300))
                    guesses += sum(not one.final for one in heard)
        counts.append(guesses)
    assert counts[1] <= counts[0]


def heard_in(sound: Samples) -> list[Hearing]:
    """What a device with this part and the tiny model hears, through its own ears."""
    listening = word_evidence.words("en", [(FOREMAN, None)], TINY)
    spotter = NameSpotter(SpeechEmbedder(), bank().space, [taught(FOREMAN)[0]], listening)
    ears = Ears(SileroActivity(), spotter)
    return [
        hearing
        for number, block in enumerate(blocks(sound), 1)
        for hearing in ears.hear(block, number * BLOCK_S, names=True).names
    ]


class WordsAlone:
    """Stands where the spotter stands: words through the device's own gate."""

    def __init__(self, words: VoskWords) -> None:
        self.words = words
        self.loud = 0
        self.finals: list[str] = []

    def push(self, block: Samples, speech: bool) -> list[Hearing]:
        self.loud += speech
        self.finals += [heard.name for heard in self.words.push(block, speech) if heard.final]
        return []

    def reset(self) -> None:
        self.words.reset()

    def skip(self, blocks: int) -> None:
        self.words.skip(blocks)


def through_the_gate(model: Model, sound: Samples) -> WordsAlone:
    alone = WordsAlone(words(model))
    ears = Ears(SileroActivity(), alone)
    for number, block in enumerate(blocks(sound), 1):
        ears.hear(block, number * BLOCK_S, names=True)
    return alone


@pytest.mark.speech
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_no_fixed_level_opens_the_recogniser(model: Model, gain: float) -> None:
    """A quiet voice in a quiet room: it is speech above the room's floor that counts, 20 dB softer too."""
    name = said(FOREMAN, PEOPLE[0]).samples
    room = np.random.default_rng(0).normal(0, 3, 4 * RATE + len(name))
    room[2 * RATE : 2 * RATE + len(name)] += gain * name
    assert through_the_gate(model, room.astype(np.int16)).finals == [FOREMAN]


@pytest.mark.speech
@pytest.mark.parametrize("level", [30, 300, 3000])
def test_steady_noise_however_loud_is_no_speech_to_recognise(model: Model, level: int) -> None:
    noise = np.random.default_rng(1).normal(0, level, 10 * RATE).clip(-32768, 32767).astype(np.int16)
    alone = through_the_gate(model, noise)
    assert alone.loud <= 5
    assert alone.finals == []


@pytest.mark.speech
def test_ordinary_talk_is_not_taken_for_the_name_by_both_together() -> None:
    for sentence in TALK[:3]:
        assert heard_in(np.concatenate([SILENCE, said(sentence, PEOPLE[1]).samples, SILENCE])) == []


@pytest.mark.speech
def test_a_model_without_a_word_for_the_unknown_hears_ordinary_words_instead(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "unknown", None)
    bare = words(model)
    listening = word_evidence.words("en", [(FOREMAN, None)], TINY)
    assert listening is not None
    found = {"bare": 0, "with others": 0}
    for voice in ESPEAK:
        for sentence in ("we were at home and it was late", "please do not tell her that", FOREMAN):
            for block in blocks(np.concatenate([say(sentence, voice), SILENCE])):
                loud = bool(np.abs(block.astype(np.int32)).max() > 300)
                found["bare"] += sum(one.final for one in bare.push(block, loud))
                found["with others"] += sum(one.final for one in listening.push(block, loud))
    assert found["with others"] == len(ESPEAK), "the name itself, once in each voice"
    assert found["bare"] > found["with others"]


@pytest.mark.speech
def test_without_a_word_for_the_unknown_and_without_other_words_the_own_voice_listens_alone(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "unknown", None)
    monkeypatch.setattr(word_evidence, "ORDINARY", ("zxqv", "grumbletron"))
    assert word_evidence.words("en", [(FOREMAN, None)], TINY) is None


def test_without_an_installed_model_the_spotter_of_this_distribution_listens_for_the_names_it_knows() -> None:
    """A name in no vocabulary, and a language without a spotter, are left to the own voice."""
    listening = word_evidence.words("en-us", [(FOREMAN, None), ("grumbletron", None)])
    assert listening is not None
    assert [name for name in (FOREMAN, "grumbletron") if name in str(listening.listening_for)] == [FOREMAN]
    assert word_evidence.words("en", [("grumbletron", None)]) is None
    assert word_evidence.words("is", [(FOREMAN, None)]) is None
    assert word_evidence.alias("en", "grumbletron", []) is None
