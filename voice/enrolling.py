"""Enrolment led by voice: says what to do, records takes and the phrase, and says kindly what to do over.

Driven by the microphone's time, like the loop: `onebreath enrol` gives it a sound card, tests give it a file.
Everything said is a prompt; nothing has to be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from voice.alignment import Space
from voice.audio import BLOCK_S, RATE, Clip, Samples
from voice.enrolment import Problem, Take, odd_one_out
from voice.errors import AudioError, EnrolmentError
from voice.events import Prompt, Sound, Tone
from voice.ports import (
    Back,
    Block,
    Command,
    CommandRecogniser,
    Gap,
    Lost,
    Microphone,
    Player,
    VoiceActivity,
)
from voice.settings import GAINS, Settings
from voice.speaking import Speaking

WAIT_S: Final = 10.0
"""How long speech may take to begin."""

TAKE_SILENCE_S: Final = 0.8
PHRASE_SILENCE_S: Final = 1.6
LONGEST_S: Final = 15.0
PREROLL_S: Final = 0.5

ATTEMPTS: Final = 4
"""Recordings of one take before the session is closed for today."""

DIFFERENT_TAKES: Final = 3
"""How often a take unlike the others is asked for again; then what there is has to do."""

KEEP_WAIT_S: Final = 4.0
"""After "I keep this", the time to say "again"."""

PROMPTS: Final = {
    Problem.TOO_QUIET: "enrol.too_quiet",
    Problem.TOO_LOUD: "enrol.too_loud",
    Problem.CUT_OFF: "enrol.cut_off",
    Problem.TOO_SHORT: "enrol.too_short",
    Problem.TOO_LONG: "enrol.too_long",
    Problem.DIFFERENT: "enrol.different",
}


class _GoneError(AudioError):
    """The microphone went away."""


class Maker(Protocol):
    """Recordings to takes (adapters/takes.py)."""

    def make(self, samples: Samples, *, edges_matter: bool = False) -> Take | Problem:
        """One take, or why the recording cannot be used."""
        ...


@dataclass(frozen=True)
class Led:
    """What a led enrolment recorded."""

    takes: tuple[Take, ...]
    recordings: tuple[Clip, ...]
    phrase: Clip | None


class Enrolling:
    """One led enrolment."""

    def __init__(
        self,
        microphone: Microphone,
        player: Player,
        activity: VoiceActivity,
        speaking: Speaking,
        commands: CommandRecogniser,
        maker: Maker,
        settings: Settings,
    ) -> None:
        self._microphone = microphone
        self._items: Iterator[Block | Gap | Lost | Back] = iter(microphone)
        self._blocks: Iterator[Block] = self._listen()
        self._player = player
        self._activity = activity
        self._speaking = speaking
        self._commands = commands
        self._maker = maker
        self._settings = settings

    def lead(self, count: int, space: Space) -> Led:
        """Record `count` takes and the phrase.

        Raises EnrolmentError when no usable take comes, AudioError when the microphone goes away; the client
        has then been told so by voice.
        """
        try:
            return self._lead(count, space)
        except _GoneError:
            self._say_gone()
            raise

    def _lead(self, count: int, space: Space) -> Led:
        self._say(Prompt("enrol.welcome"))
        takes: list[Take] = []
        recordings: list[Clip] = []
        opening = "enrol.say_name"
        different = 0
        while len(takes) < count:
            take, recording = self._take(opening)
            takes.append(take)
            recordings.append(recording)
            opening = "enrol.again"
            odd = odd_one_out(takes, space)
            if odd is not None and different < DIFFERENT_TAKES:
                del takes[odd], recordings[odd]
                opening = "enrol.different"
                different += 1
        phrase = self._phrase()
        self._say(Prompt("enrol.done"))
        return Led(tuple(takes), tuple(recordings), phrase)

    def _take(self, opening: str) -> tuple[Take, Clip]:
        problem = Problem.TOO_QUIET
        for _ in range(ATTEMPTS):
            self._say(Prompt(opening), Tone.LINE)
            samples = self._record(TAKE_SILENCE_S)
            made = self._maker.make(samples, edges_matter=True)
            if isinstance(made, Take):
                return made, Clip(samples)
            problem, opening = made, PROMPTS[made]
        raise EnrolmentError(
            f"No recording of the name could be used ({problem.value.replace('_', ' ')}).",
            "Check the microphone with `onebreath check`, then enrol again.",
        )

    def _phrase(self) -> Clip | None:
        """The phrase as last recorded; None when the client left it out."""
        phrase: Clip | None = None
        for _ in range(ATTEMPTS):
            self._say(Prompt("enrol.phrase"), Tone.LINE)
            samples = self._record(PHRASE_SILENCE_S)
            if not len(samples):
                continue
            phrase = Clip(_trimmed(samples))
            self._play([phrase], self._settings.tail_s)
            self._say(Prompt("enrol.keep"))
            answer = self._record(TAKE_SILENCE_S, wait_s=KEEP_WAIT_S)
            expecting = frozenset({Command.AGAIN})
            heard = self._commands.recognise(answer, expecting=expecting) if len(answer) else None
            if heard is not Command.AGAIN:
                break
        return phrase

    def _say(self, *sounds: Sound) -> None:
        settings = self._settings
        tone = isinstance(sounds[-1], Tone)
        self._play(self._sound(*sounds), settings.tone_tail_s if tone else settings.tail_s)

    def _sound(self, *sounds: Sound) -> list[Clip]:
        clips: list[Clip] = []
        for sounding in self._speaking.soundings(sounds, self._settings.words_per_minute):
            clips += [*sounding.lead, *sounding.clips]
        return clips

    def _play(self, clips: Sequence[Clip], tail_s: float) -> None:
        """Play, and take nothing that was captured until `tail_s` after it for the client."""
        self._player.play(clips, GAINS[self._settings.volume])
        tail: int | None = None
        for _ in self._blocks:
            if self._player.playing():
                continue
            if tail is None:
                # What was captured while the device still spoke may not have been taken yet.
                tail = math.ceil(tail_s / BLOCK_S - 1e-6) + self._microphone.waiting()
            if tail == 0:
                break
            tail -= 1
        self._activity.reset()

    def _say_gone(self) -> None:
        """Say that the microphone is gone; what comes from it meanwhile only keeps the time."""
        self._player.play(self._sound(Prompt("microphone.lost")), GAINS[self._settings.volume])
        for item in self._items:
            if isinstance(item, Block | Gap):
                self._player.tick(item.start_s + BLOCK_S)
            if not self._player.playing():
                break

    def _record(self, silence_s: float, wait_s: float = WAIT_S) -> Samples:
        """What is said next, with a little room on both sides; empty when nothing was."""
        heard: list[Samples] = []
        silent, waited, speaking = 0.0, 0.0, False
        for block in self._blocks:
            heard.append(block.samples)
            if self._activity.probability(block.samples) >= 0.5:
                speaking, silent = True, 0.0
            elif speaking:
                silent += BLOCK_S
            else:
                waited += BLOCK_S
                del heard[: -round(PREROLL_S / BLOCK_S)]
            if (speaking and silent >= silence_s) or waited >= wait_s or len(heard) * BLOCK_S >= LONGEST_S:
                return np.concatenate(heard) if speaking else np.empty(0, np.int16)
        raise _gone()

    def _listen(self) -> Iterator[Block]:
        for item in self._items:
            if isinstance(item, Lost):
                raise _gone()
            if isinstance(item, Block | Gap):
                self._player.tick(item.start_s + BLOCK_S)
            if isinstance(item, Block):
                yield item


def _gone() -> _GoneError:
    return _GoneError("The microphone went away.", "Plug it in again and repeat the enrolment.")


def _trimmed(samples: Samples) -> Samples:
    """Without most of the silence that ended the recording."""
    return samples[: max(RATE // 2, len(samples) - round((PHRASE_SILENCE_S - 0.3) * RATE))]
