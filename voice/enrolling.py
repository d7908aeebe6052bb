"""Enrolment led by voice: says what to do, records takes and the phrase, and says kindly what to do over.

Driven by the microphone's time, like the loop: `onebreath enrol` gives it a sound card, tests give it a file.
Everything said is a prompt; nothing has to be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from voice.alignment import Space
from voice.audio import BLOCK_S, RATE, Clip, Samples
from voice.enrolment import Problem, Take, odd_one_out
from voice.errors import AudioError, EnrolmentError
from voice.events import Pause, Prompt, Sound, Tone
from voice.ports import (
    Block,
    Command,
    CommandRecogniser,
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

KEEP_WAIT_S: Final = 4.0
"""After "I keep this", the time to say "again"."""

PROMPTS: Final = {
    Problem.TOO_QUIET: "enrol.too_quiet",
    Problem.TOO_LOUD: "enrol.too_loud",
    Problem.CUT_OFF: "enrol.cut_off",
    Problem.TOO_SHORT: "enrol.too_short",
    Problem.TOO_LONG: "enrol.cut_off",
    Problem.DIFFERENT: "enrol.different",
}


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
        self._blocks: Iterator[Block] = self._listen(microphone)
        self._player = player
        self._activity = activity
        self._speaking = speaking
        self._commands = commands
        self._maker = maker
        self._settings = settings

    def lead(self, count: int, space: Space) -> Led:
        """Record `count` takes and the phrase. Raises EnrolmentError when no usable take comes."""
        self._say(Prompt("enrol.welcome"))
        takes: list[Take] = []
        recordings: list[Clip] = []
        opening = "enrol.say_name"
        while len(takes) < count:
            take, recording = self._take(opening)
            takes.append(take)
            recordings.append(recording)
            opening = "enrol.again"
            odd = odd_one_out(takes, space)
            if odd is not None:
                del takes[odd], recordings[odd]
                opening = "enrol.different"
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
        for _ in range(ATTEMPTS):
            self._say(Prompt("enrol.phrase"), Tone.LINE)
            samples = self._record(PHRASE_SILENCE_S)
            if not len(samples):
                continue
            phrase = Clip(_trimmed(samples))
            self._play([phrase])
            self._say(Prompt("enrol.keep"))
            answer = self._record(TAKE_SILENCE_S, wait_s=KEEP_WAIT_S)
            if not len(answer) or self._commands.recognise(answer) is not Command.AGAIN:
                return phrase
        return None

    def _say(self, *sounds: Sound) -> None:
        clips: list[Clip] = []
        for sounding in self._speaking.soundings([*sounds, Pause(0.1)], self._settings.words_per_minute):
            clips += [*sounding.lead, *sounding.clips]
        self._play(clips)

    def _play(self, clips: Sequence[Clip]) -> None:
        self._player.play(clips, GAINS[self._settings.volume])
        tail = round(self._settings.tail_s / BLOCK_S)
        for _ in self._blocks:
            if not self._player.playing():
                tail -= 1
            if tail < 0:
                break
        self._activity.reset()

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
                break
        return np.concatenate(heard) if speaking else np.empty(0, np.int16)

    def _listen(self, microphone: Microphone) -> Iterator[Block]:
        now = 0.0
        for item in microphone:
            if isinstance(item, Lost):
                raise AudioError("The microphone went away.", "Plug it in again and repeat the enrolment.")
            if isinstance(item, Block):
                now = item.start_s + BLOCK_S
                self._player.tick(now)
                yield item


def _trimmed(samples: Samples) -> Samples:
    """Without most of the silence that ended the recording."""
    return samples[: max(RATE // 2, len(samples) - round((PHRASE_SILENCE_S - 0.3) * RATE))]
