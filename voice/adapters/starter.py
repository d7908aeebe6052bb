"""The starter transcriber: pocketsphinx, whose wheel carries its US-English model, so nothing is downloaded.

Its lines are always marked rough. Settings by measurement on five read sentences (clean, and in room noise at
10 dB) and twenty synthetic ones, words wrong: as shipped 34, 54, 32 %; without the second pass (`fwdflat`)
28, 45, 32 %; the limits on the search then cost nothing in quality and a third of the time.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import pocketsphinx

from voice.audio import Samples
from voice.ports import Command
from voice.transcript import Transcript, Word
from voice.words import NEAR_COMMANDS, ORDINARY, ORDINARY_PAIRS, command_of, plain_word

NAME: Final = "pocketsphinx en-us"

DOUBT_BELOW: Final = 0.7
"""A word whose posterior probability is less carries the doubt mark; `bench/lines.py` measures it."""

SETTINGS: Final[dict[str, Any]] = {
    # Its log would go to stderr, and at some levels holds what was heard.
    "loglevel": "FATAL",
    "remove_noise": True,
    "fwdflat": False,
    "maxhmmpf": 5000,
    "maxwpf": 10,
    "pl_window": 10,
}

CAREFUL: Final = "careful"
EAGER: Final = "eager"

COMMAND_WEIGHT: Final = 4
"""How much likelier a command is than each other phrase in the grammar; more finds no more."""


class StarterTranscriber:
    """Lines to words, US English only. One line at a time: all use one decoder, which takes 0.5 s to load."""

    def __init__(self) -> None:
        self._decoder = _decoder()
        self._line: StarterDictation | None = None

    def begin(self) -> StarterDictation:
        """Start a new line; one that was begun and not finished is dropped."""
        if self._line is not None:
            self._line.drop()
        self._line = StarterDictation(self._decoder)
        return self._line


class StarterDictation:
    """One line. The search goes along with the speech; the end of the line adds only the best-path pass."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._open = True
        decoder.start_utt()

    def hear(self, samples: Samples) -> None:
        """Take more of the line, int16 mono at 16 kHz."""
        if len(samples):
            self._decoder.process_raw(samples.tobytes(), False, False)

    def finish(self) -> Transcript:
        """The words; none when nothing could be made out."""
        self.drop()
        return Transcript(tuple(_words(self._decoder)), NAME, rough=True)

    def drop(self) -> None:
        """End the line without its words."""
        if self._open:
            self._open = False
            self._decoder.end_utt()


class StarterCommands:
    """The words that always work. An utterance must be one as a whole.

    A grammar has no word for the unknown, so it also holds words that sound like commands and ordinary talk.
    Measured on four synthetic voices and the ten commands: found 22 of 40; false accepts 1 to 2 of 120
    ordinary utterances kept aside, 7 of 196 chosen to sound alike. Commands alone in the grammar find 37 of
    40 and take 64 of 100 other utterances for one; free decoding finds 17 of 40.
    """

    def __init__(self) -> None:
        self._decoder = _decoder(lm=None)
        commands = [str(command) for command in Command]
        others = dict.fromkeys((*NEAR_COMMANDS, *ORDINARY, *ORDINARY_PAIRS))
        known = [phrase for phrase in others if all(map(self._decoder.lookup_word, phrase.split()))]
        alone = [f"/{COMMAND_WEIGHT}/ {phrase}" for phrase in commands]
        among = [*alone, *(f"/1/ {phrase}" for phrase in known)]
        for grammar, ways in ((EAGER, alone), (CAREFUL, among)):
            rule = f"#JSGF V1.0; grammar {grammar}; public <utterance> = {' | '.join(ways)};"
            self._decoder.add_jsgf_string(grammar, rule)

    def recognise(self, samples: Samples, *, expecting: Collection[Command] = ()) -> Command | None:
        """The command that one short utterance is, int16 mono at 16 kHz.

        What is `expecting` is looked for with commands alone in the grammar. Measured for "stop" and "not
        now": 12 of 16 found in synthetic voices (3 otherwise), and 6 of 155 names and near-misses spoken by
        people taken for one (0 otherwise).
        """
        if not len(samples):
            return None
        if expecting and (command := self._decode(samples, EAGER)) in expecting:
            return command
        return self._decode(samples, CAREFUL)

    def _decode(self, samples: Samples, grammar: str) -> Command | None:
        self._decoder.activate_search(grammar)
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), False, False)
        self._decoder.end_utt()
        return command_of(" ".join(word.text for word in _words(self._decoder)))


def _decoder(**overrides: Any) -> Any:
    return pocketsphinx.Decoder(pocketsphinx.Config(**{**SETTINGS, **overrides}))


def _words(decoder: Any) -> list[Word]:
    """The finished utterance as words; fillers left out, alternative pronunciations merged."""
    if decoder.hyp() is None:
        return []
    heard = [(plain_word(segment.word), segment.prob) for segment in decoder.seg()]
    return [Word(word, doubt=prob < DOUBT_BELOW) for word, prob in heard if word is not None]
