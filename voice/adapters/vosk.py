"""libvosk: lines to words, names as words, and the words that always work.

Facts that shape this file (vosk 0.3.45): a grammar word outside the vocabulary is dropped and printed to
stderr whatever the log level, and a name must not be printed, so only known words are ever passed; `conf` of
a word found with a grammar says nothing; times count from the first sample a recogniser was given.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import vosk

from voice.adapters.model_files import FIXTURE
from voice.audio import BLOCK_S, HOP, RATE, Samples
from voice.errors import ModelError
from voice.ports import Command
from voice.transcript import Transcript, Word
from voice.words import (
    GAP,
    NEAR_COMMANDS,
    UNKNOWN,
    HeardWord,
    SpokenName,
    WordsHeard,
    agreed_alias,
    alias_candidates,
    all_known,
    command_of,
    grammar,
    names_in,
    sayable,
    whole_names,
)

DOUBT_BELOW: Final = 0.9
"""A word of a line with less confidence than this carries the doubt mark; `bench/lines.py` measures it."""

PREROLL_BLOCKS: Final = 4
"""Blocks before the energy gate opened that are still given to the recogniser: a name may start softly."""

STANDING_BLOCKS: Final = 5
"""Blocks for which a whole name must stand in the partial result to be a guess worth telling: 0.4 s. In noise
names flare up in it for a quarter of a second where none was said (docs/words.md)."""

SETTLED_BLOCKS: Final = 3
"""Quiet blocks (80 ms each) after which a name that stands in the partial result is made final."""

CLOSE_BLOCKS: Final = 8
"""Quiet blocks after which what was spoken is over."""

REBUILD_S: Final = 300.0
"""Seconds of decoded audio after which a recogniser is replaced: its memory grows with the stream."""

ALTERNATIVES: Final = 5
"""Decodings of each take that may become an alias."""


class Model:
    """A loaded model, shared by any number of recognisers.

    `unknown` is its word for anything outside the vocabulary, None where it has none. `fixture` marks a test
    model, whose lines are always rough.
    """

    def __init__(self, path: Path) -> None:
        vosk.SetLogLevel(-1)
        try:
            self.handle: Any = vosk.Model(str(path))
        except Exception as error:  # the wheel raises bare Exception
            raise ModelError(
                f"The speech model in {path} cannot be loaded.",
                "`onebreath models verify` says what is wrong with it.",
            ) from error
        self.path = path
        self.name = path.name
        self.fixture = (path / FIXTURE).is_file()
        self.unknown = next((word for word in UNKNOWN if self.knows(word)), None)

    def knows(self, word: str) -> bool:
        """Whether the word is in the vocabulary."""
        return bool(self.handle.vosk_model_find_word(word) >= 0)

    def recogniser(self, phrases: Iterable[str] | None = None) -> Any:
        """A new recogniser: free, or restricted to `phrases`, all of whose words must be known."""
        if phrases is None:
            made = vosk.KaldiRecognizer(self.handle, RATE)
        else:
            listed = [phrase for phrase in phrases if all_known(phrase, self.knows)]
            made = vosk.KaldiRecognizer(self.handle, RATE, grammar(listed, self.unknown))
        made.SetWords(True)
        return made

    def decode(self, samples: Samples, phrases: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """One utterance as libvosk's words: `word`, `start`, `end` (seconds), `conf`."""
        recogniser = self.recogniser(phrases)
        words: list[dict[str, Any]] = []
        for at in range(0, len(samples), HOP):
            if recogniser.AcceptWaveform(samples[at : at + HOP].tobytes()):
                words += json.loads(recogniser.Result()).get("result", [])
        words += json.loads(recogniser.FinalResult()).get("result", [])
        return words


@lru_cache(maxsize=4)
def load(path: Path) -> Model:
    """The model in this folder, read once. ModelError when it cannot be.

    Run `model_files.check` first: libvosk can end the whole process on a damaged model.
    """
    return Model(path)


class VoskTranscriber:
    """Lines to words by free decoding. Nothing is corrected; what is no known word is a doubtful gap."""

    def __init__(self, model: Model, name: str | None = None) -> None:
        self._model = model
        self._name = name or model.name

    def begin(self) -> VoskDictation:
        """Start a new line."""
        return VoskDictation(self._model, self._name)


class VoskDictation:
    """One line. Recognition goes along with the speech, so it is done when the line is."""

    def __init__(self, model: Model, name: str) -> None:
        self._recogniser = model.recogniser()
        self._name = name
        self._rough = model.fixture
        self._words: list[Word] = []

    def hear(self, samples: Samples) -> None:
        """Take more of the line, int16 mono at 16 kHz."""
        if self._recogniser.AcceptWaveform(samples.tobytes()):
            self._take(self._recogniser.Result())

    def finish(self) -> Transcript:
        """The words; none when nothing could be made out."""
        self._take(self._recogniser.FinalResult())
        if all(word.text == GAP for word in self._words):
            self._words = []
        return Transcript(tuple(self._words), self._name, rough=self._rough)

    def _take(self, result: str) -> None:
        for word in json.loads(result).get("result", []):
            if word["word"] not in UNKNOWN:
                self._words.append(Word(word["word"], doubt=word["conf"] < DOUBT_BELOW))
            elif not self._words or self._words[-1].text != GAP:
                self._words.append(Word(GAP, doubt=True))


class VoskWords:
    """Hears names as words in the stream, a block at a time.

    `names` without any alias whose words are all known are left out (`listening_for` tells which remain).
    `near` are phrases that the recogniser may hear instead, for a model that has no word for the unknown.
    """

    def __init__(self, model: Model, names: Sequence[SpokenName], near: Sequence[str] = ()) -> None:
        kept = [SpokenName(n.name, tuple(a for a in n.aliases if all_known(a, model.knows))) for n in names]
        self.listening_for = tuple(spoken for spoken in kept if spoken.aliases)
        self._model = model
        self._phrases = [alias for spoken in self.listening_for for alias in spoken.aliases]
        # A word of a name alone must have a place to go, or "little" is heard as "little one".
        self._phrases += [word for phrase in self._phrases for word in phrase.split()]
        self._phrases += near
        self._blocks = 0
        self._preroll: deque[Samples] = deque(maxlen=PREROLL_BLOCKS)
        self._recogniser: Any = None
        self._open, self._quiet = False, 0
        self._named = False
        self._standing: dict[str, int] = {}
        self._build()

    def push(self, block: Samples, loud: bool) -> Sequence[WordsHeard]:
        """Take one block of 1,280 samples; `loud` is whether it rises above the room's floor.

        Quiet blocks outside an utterance are not decoded. Answers with guesses (`final` false), once each
        time that a name has stood for STANDING_BLOCKS, and with whole names that were said.
        """
        self._blocks += 1
        if not self._phrases:
            return []
        if not self._open:
            if not loud:
                self._preroll.append(block)
                return []
            self._start()
        self._quiet = 0 if loud else self._quiet + 1
        ended = self._feed(block)
        heard: list[WordsHeard] = []
        if ended:
            heard = self._finals(self._recogniser.Result())
        guesses = self._guesses()
        if self._quiet >= (SETTLED_BLOCKS if self._named else CLOSE_BLOCKS):
            heard += self._finals(self._recogniser.FinalResult())
            self._open = False
            if self._fed / RATE >= REBUILD_S:
                self._build()
        elif self._fed / RATE >= 2 * REBUILD_S:
            heard += self._finals(self._recogniser.FinalResult())
            self._build()
        return [*guesses, *heard]

    def reset(self) -> None:
        """Forget what was being spoken; the time keeps counting."""
        self._preroll.clear()
        self._build()

    def skip(self, blocks: int) -> None:
        """Count blocks that were not listened to."""
        if blocks > 0:
            self.reset()
            self._blocks += blocks

    def _build(self) -> None:
        if self._phrases:
            self._recogniser = self._model.recogniser(self._phrases)
        self._fed = 0
        self._offset_s = 0.0
        self._open, self._quiet = False, 0
        self._forget_guesses()

    def _start(self) -> None:
        before = list(self._preroll)
        self._preroll.clear()
        # The recogniser counts only what it was given; the stream goes on between utterances.
        self._offset_s = (self._blocks - 1 - len(before)) * BLOCK_S - self._fed / RATE
        self._open, self._quiet = True, 0
        self._forget_guesses()
        for block in before:
            self._feed(block)

    def _feed(self, block: Samples) -> bool:
        self._fed += len(block)
        return bool(self._recogniser.AcceptWaveform(block.tobytes()))

    def _guesses(self) -> list[WordsHeard]:
        partial = json.loads(self._recogniser.PartialResult()).get("partial", "")
        now = self._blocks * BLOCK_S
        names = names_in(partial, self.listening_for)
        self._named = self._named or bool(names)
        self._standing = {name: self._standing.get(name, 0) + 1 for name in names}
        stood = [name for name, blocks in self._standing.items() if blocks == STANDING_BLOCKS]
        return [WordsHeard(name, max(0.0, now - 1.0), now, final=False) for name in stood]

    def _forget_guesses(self) -> None:
        self._named = False
        self._standing = {}

    def _finals(self, result: str) -> list[WordsHeard]:
        self._forget_guesses()
        words = [
            HeardWord(word["word"], word["start"] + self._offset_s, word["end"] + self._offset_s)
            for word in json.loads(result).get("result", [])
        ]
        return whole_names(words, self.listening_for)


def spoken_name(model: Model, name: str, alias: str | None) -> SpokenName:
    """How to listen for a name: as it is written where the model knows its words, and as its alias."""
    ways = dict.fromkeys(way for way in (sayable(name), sayable(alias or "")) if all_known(way, model.knows))
    return SpokenName(name, tuple(ways))


def find_alias(model: Model, takes: Sequence[Samples]) -> str | None:
    """A sayable alias for a name with words outside the vocabulary; None when the takes agree on none.

    The takes are decoded freely; then each is decoded again with only those texts to choose from, and the
    text that more than half of them are recognised as is the alias.
    """
    candidates = alias_candidates([_alternatives(model, take) for take in takes])
    if not candidates:
        return None
    votes = Counter(" ".join(w["word"] for w in model.decode(take, candidates)) for take in takes)
    return agreed_alias({text: votes[text] for text in candidates}, len(takes))


def _alternatives(model: Model, take: Samples) -> list[str]:
    recogniser = model.recogniser()
    recogniser.SetMaxAlternatives(ALTERNATIVES)
    recogniser.AcceptWaveform(take.tobytes())
    result = json.loads(recogniser.FinalResult())
    return [str(way["text"]).strip() for way in result.get("alternatives", [])]


class VoskCommands:
    """The words that always work, where the model knows them all. An utterance must be one as a whole.

    Measured with the test model on eight synthetic voices: a grammar of commands and `[unk]` alone found 48
    of 48 and took 26 of 368 other short utterances for a command; with `NEAR_COMMANDS` in the grammar 48 of
    48 and 1; free decoding 42 of 48 and 3.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.commands = tuple(command for command in Command if all_known(command, model.knows))

    def recognise(self, samples: Samples, *, expecting: Collection[Command] = ()) -> Command | None:
        """The command that one short utterance is, int16 mono at 16 kHz."""
        if expecting and (command := self._decode(samples, self.commands)) in expecting:
            return command
        return self._decode(samples, (*self.commands, *NEAR_COMMANDS))

    def _decode(self, samples: Samples, phrases: Iterable[str]) -> Command | None:
        return command_of(" ".join(word["word"] for word in self._model.decode(samples, phrases)))
