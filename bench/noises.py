"""Noise made here: pink, a dull room for when no recording of one is given, and something like music.

Pure: every function takes the number of samples at 16 kHz and a seeded generator.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice.audio import RATE

Audio = NDArray[np.float64]

SCALE: Final = (0, 2, 4, 5, 7, 9, 11)
CHORDS: Final = (0, 5, 3, 4)
"""Steps of the scale that the chords of four bars stand on: I, vi, IV, V."""


def pink(n: int, rng: np.random.Generator) -> Audio:
    """Equal power in every octave."""
    spectrum = np.fft.rfft(rng.normal(size=n))
    return np.asarray(np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), n))


def dull(n: int, rng: np.random.Generator) -> Audio:
    """A ventilated room: noise that falls by 6 dB an octave above 120 Hz, and a faint mains hum."""
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    rumble = np.fft.irfft(np.fft.rfft(rng.normal(size=n)) / (1 + frequency / 120), n)
    hum = sum(np.sin(2 * np.pi * 50 * k * np.arange(n) / RATE) / k for k in (1, 2, 3))
    return np.asarray(rumble / (np.std(rumble) + 1e-12) + 0.1 * hum)


def music(n: int, rng: np.random.Generator) -> Audio:
    """A small band: sustained chords, a bass, a melody that wanders about the scale, drum and cymbal."""
    beat = round(RATE * 60 / rng.uniform(84, 132))
    key = 196.0 * 2 ** (int(rng.integers(12)) / 12)
    out = np.zeros(n + 8 * beat)
    step = int(rng.integers(7))
    for number, at in enumerate(range(-int(rng.integers(4 * beat)), n, beat)):
        bar, place = divmod(number, 4)
        root = CHORDS[bar % len(CHORDS)]
        parts: list[tuple[int, Audio]] = [(at, _drum(beat))]
        if place == 0:
            parts += [(at, _note(key * _ratio(root + third), 4 * beat, 0.25)) for third in (0, 2, 4)]
        if place % 2 == 0:
            parts.append((at, _note(key / 2 * _ratio(root), 2 * beat, 0.5)))
        parts.append((at + beat // 2, 0.15 * _cymbal(beat // 2, rng)))
        for half in (0, beat // 2):
            step = int(np.clip(step + rng.integers(-2, 3), 3, 12))
            parts.append((at + half, _note(key * _ratio(step), beat // 2, 0.6)))
        for start, sound in parts:
            first = max(0, start)
            last = max(first, min(start + len(sound), len(out)))
            out[first:last] += sound[first - start :][: last - first]
    return out[:n]


def _ratio(step: int) -> float:
    """The frequency of a step of the major scale over that of its first."""
    octave, degree = divmod(step, len(SCALE))
    return float(2.0 ** (octave + SCALE[degree] / 12))


def _note(hertz: float, n: int, loud: float) -> Audio:
    """A plucked, slightly vibrating tone with six harmonics."""
    t = np.arange(n) / RATE
    phase = 2 * np.pi * hertz * t + 0.4 * np.sin(2 * np.pi * 5.5 * t)
    tone = sum(np.sin(k * phase) / k**1.3 for k in range(1, 7) if k * hertz < RATE / 2)
    shape = np.minimum(1, t / 0.01) * np.exp(-2.5 * t) * np.minimum(1, (n / RATE - t) / 0.02)
    return np.asarray(loud * tone * shape)


def _drum(n: int) -> Audio:
    t = np.arange(n) / RATE
    return np.asarray(1.2 * np.sin(2 * np.pi * (50 * t - 2.5 * np.exp(-30 * t))) * np.exp(-9 * t))


def _cymbal(n: int, rng: np.random.Generator) -> Audio:
    noise = np.diff(rng.normal(size=n + 2), 2)
    return np.asarray(noise * np.exp(-40 * np.arange(n) / RATE))
