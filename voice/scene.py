"""A short spoken scene as sound: who speaks when, over the quiet noise of a room. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voice.audio import RATE, Clip

ROOM_LEVEL = 12.0
"""Standard deviation of the room's noise in sample values: about -69 dB below full scale."""


@dataclass(frozen=True)
class Said:
    """One utterance in the scene, beginning at `at_s`."""

    at_s: float
    clip: Clip

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.clip.seconds


def scene(said: Sequence[Said], seconds: float, seed: int = 7) -> Clip:
    """All utterances mixed over room noise, `seconds` long, int16 mono at 16 kHz."""
    sound = np.random.default_rng(seed).normal(0.0, ROOM_LEVEL, round(seconds * RATE))
    for utterance in said:
        first = round(utterance.at_s * RATE)
        sound[first : first + len(utterance.clip.samples)] += utterance.clip.samples
    return Clip(np.clip(sound, -32768, 32767).astype(np.int16))
