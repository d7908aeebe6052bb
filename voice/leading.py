"""Leading someone by voice, half-duplex: say something, then record what comes back.

Time is the microphone's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from voice.audio import BLOCK_S, Clip, Samples
from voice.errors import AudioError
from voice.events import Prompt, Sound, Tone
from voice.ports import Back, Block, Gap, Lost, Microphone, Player, VoiceActivity
from voice.settings import GAINS, Settings
from voice.speaking import Speaking

WAIT_S: Final = 10.0
"""How long speech may take to begin."""

LONGEST_S: Final = 15.0
PREROLL_S: Final = 0.5


class GoneError(AudioError):
    """The microphone went away."""


class Leading:
    """The device's half of a led conversation."""

    def __init__(
        self,
        microphone: Microphone,
        player: Player,
        activity: VoiceActivity,
        speaking: Speaking,
        settings: Settings,
    ) -> None:
        self._microphone = microphone
        self._items: Iterator[Block | Gap | Lost | Back] = iter(microphone)
        self._blocks: Iterator[Block] = self._listen()
        self._player = player
        self._activity = activity
        self._speaking = speaking
        self._settings = settings

    def say(self, *sounds: Sound) -> None:
        """Say it to its end. After a tone the client's turn comes almost at once."""
        settings = self._settings
        tone = isinstance(sounds[-1], Tone)
        self.play(self._sound(*sounds), settings.tone_tail_s if tone else settings.tail_s)

    def play(self, clips: Sequence[Clip], tail_s: float | None = None) -> None:
        """Play, and take nothing that was captured until `tail_s` after it for the client."""
        tail_s = self._settings.tail_s if tail_s is None else tail_s
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

    def say_gone(self) -> None:
        """Say that the microphone is gone; what comes from it meanwhile only keeps the time."""
        self._player.play(self._sound(Prompt("microphone.lost")), GAINS[self._settings.volume])
        for item in self._items:
            if isinstance(item, Block | Gap):
                self._player.tick(item.start_s + BLOCK_S)
            if not self._player.playing():
                break

    def record(self, silence_s: float, *, wait_s: float = WAIT_S, longest_s: float = LONGEST_S) -> Samples:
        """What is said next, with a little room on both sides; empty when nothing was. Raises GoneError.

        It ends after `silence_s` of silence, or when it is `longest_s` long.
        """
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
            if (speaking and silent >= silence_s) or waited >= wait_s or len(heard) * BLOCK_S >= longest_s:
                return np.concatenate(heard) if speaking else np.empty(0, np.int16)
        raise _gone()

    def _sound(self, *sounds: Sound) -> list[Clip]:
        clips: list[Clip] = []
        for sounding in self._speaking.soundings(sounds, self._settings.words_per_minute):
            clips += [*sounding.lead, *sounding.clips]
        return clips

    def _listen(self) -> Iterator[Block]:
        for item in self._items:
            if isinstance(item, Lost):
                raise _gone()
            if isinstance(item, Block | Gap):
                self._player.tick(item.start_s + BLOCK_S)
            if isinstance(item, Block):
                yield item


def _gone() -> GoneError:
    return GoneError("The microphone went away.", "Plug it in again and repeat the enrolment.")
