"""The two tones: short, soft at the edges, in the range that small speakers and older ears share."""

from __future__ import annotations

from typing import Final

import numpy as np

from voice.audio import Clip
from voice.events import Tone

RATE: Final = 22_050
"""Samples a second of tones and pauses, as of most synthesised prompts."""

SHAPES: Final = {Tone.CUE: (880.0, 0.14), Tone.LINE: (1_000.0, 0.12)}
"""Hertz and seconds: 750-1,250 Hz, 75-150 ms."""

LEVEL: Final = 0.25
"""Peak, of full scale: soft beside speech."""

EDGE_S: Final = 0.03
"""Raised-cosine fade at both ends."""


def tone(kind: Tone) -> Clip:
    """The tone as sound."""
    hertz, seconds = SHAPES[kind]
    t = np.arange(round(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * hertz * t) + 0.15 * np.sin(4 * np.pi * hertz * t)
    edge = round(EDGE_S * RATE)
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    wave[:edge] *= fade
    wave[-edge:] *= fade[::-1]
    return Clip((wave / 1.15 * LEVEL * 32767).astype(np.int16), RATE)


def pause(seconds: float) -> Clip:
    """Silence."""
    return Clip(np.zeros(round(seconds * RATE), np.int16), RATE)
