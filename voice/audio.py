"""Audio as the device handles it: 16-bit mono samples that carry their own rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

RATE: Final = 16_000
"""Samples a second of everything the device listens to."""

HOP: Final = 1_280
"""Samples in one block from the microphone: 80 ms, one speech embedding."""

BLOCK_S: Final = HOP / RATE
"""Seconds in one block."""


@dataclass(frozen=True)
class Clip:
    """A finished recording or rendering, shape (samples,), int16 mono at `rate` samples a second."""

    samples: Samples
    rate: int = RATE

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate


def level_db(samples: Samples) -> float:
    """Root-mean-square level in dB below full scale (a full-scale square wave is 0); -120 for silence."""
    if len(samples) == 0:
        return -120.0
    mean_square = float(np.mean(np.square(samples.astype(np.float64) / 32768.0)))
    return max(-120.0, 10.0 * float(np.log10(mean_square + 1e-12)))
