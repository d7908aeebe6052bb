"""What is heard, block by block: voice activity, speech segments, names; and a few seconds of sound behind.

Half-duplex lives here: a block that may hold the device's own sound reaches nothing, and what came before it
is forgotten, so that no name, command or line is ever put together across it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from voice.audio import BLOCK_S, HOP, RATE, Samples
from voice.ports import Hearing, Spotter, VoiceActivity
from voice.segmenter import Began, Ended, advance, fresh

RING_S: Final = 4.0
"""Seconds of audio that exist before anything asks for them."""

SPEECH: Final = 0.3
"""The probability of speech from which a block is worth the spotter's work: low, a whisper counts."""


@dataclass(frozen=True)
class Heard:
    """What one block gave."""

    names: Sequence[Hearing] = ()
    turn: Began | Ended | None = None


class Ears:
    """The hearing of one run. Times are seconds of audio since listening began."""

    def __init__(self, activity: VoiceActivity, spotter: Spotter) -> None:
        self._activity = activity
        self._spotter = spotter
        self._segmenter = fresh(0.0)
        self._ring: deque[Samples] = deque(maxlen=round(RING_S / BLOCK_S))
        self._ring_end_s = 0.0
        self._stale = False
        self._spotter_stale = False

    def hear(self, samples: Samples, now: float, *, names: bool) -> Heard:
        """One block that ends at `now`. `names`: whether a name may be heard in it."""
        if self._stale:
            self._begin_anew(now - BLOCK_S)
        self._keep(samples, now)
        probability = self._activity.probability(samples)
        self._segmenter, turn = advance(self._segmenter, probability, now)
        speech = probability >= SPEECH or self._segmenter.speaking
        return Heard(self._spot(samples, speech) if names else self._unspotted(), turn)

    def gap(self, now: float) -> Heard:
        """A block that the microphone lost: silence, in which no name can go on."""
        self._unspotted()
        if self._stale:
            return Heard()
        self._keep(np.zeros(HOP, np.int16), now)
        self._segmenter, turn = advance(self._segmenter, 0.0, now)
        return Heard((), turn)

    def cover(self) -> None:
        """A block that may hold the device's own sound: not heard at all."""
        self._unspotted()
        self._stale = True
        self._ring.clear()

    def between(self, start_s: float, end_s: float) -> Samples:
        """The sound from `start_s` to `end_s`, as far as it is still there and was heard."""
        if not self._ring:
            return np.empty(0, np.int16)
        sound = np.concatenate(self._ring)
        began_s = self._ring_end_s - len(self._ring) * BLOCK_S
        first, last = (max(0, round((s - began_s) * RATE)) for s in (start_s, end_s))
        return sound[first:last]

    def _keep(self, samples: Samples, now: float) -> None:
        self._ring.append(samples)
        self._ring_end_s = now

    def _begin_anew(self, start_s: float) -> None:
        self._stale = False
        self._activity.reset()
        self._segmenter = fresh(start_s)

    def _spot(self, samples: Samples, speech: bool) -> Sequence[Hearing]:
        if self._spotter_stale:
            self._spotter_stale = False
            self._spotter.reset()
        return self._spotter.push(samples, speech)

    def _unspotted(self) -> Sequence[Hearing]:
        self._spotter.skip(1)
        self._spotter_stale = True
        return ()
