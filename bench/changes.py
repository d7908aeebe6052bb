"""What happens to speech on its way: a room far away, a whisper, slow speech. Pure simulations, at 16 kHz."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from voice.audio import RATE

Audio = NDArray[np.float64]

ROOM_M: Final = (4.0, 5.0, 2.6)
DISTANCE_M: Final = 3.0
RT60_S: Final = 0.4
SOUND_M_S: Final = 343.0
RESPONSE_S: Final = 0.6
OVERSAMPLED: Final = 4
"""Arrivals are placed to a quarter of a sample."""

LPC_ORDER: Final = 20
FRAME, FRAME_HOP = 512, 128
"""Samples of an LPC frame (32 ms) and between two of them."""

GRAIN, SEARCH = 960, 240
"""Samples of a WSOLA grain (60 ms), and how far it may move to fit."""


@lru_cache(maxsize=16)
def room_response(seed: int) -> Audio:
    """The impulse response of a shoebox room from 3 m away, by image sources (Allen and Berkley 1979).

    `seed` places microphone and mouth. The walls are as hard as makes the reverberation RT60_S in the place
    of seed 0; image sources of a shoebox ring longer than Eyring's formula says, so it is found by trying.
    """
    return _response(_hardness(), *_places(seed))


def reverberation_s(response: Audio) -> float:
    """RT60 by Schroeder's backward integration, from the fall between -5 and -25 dB."""
    left = np.cumsum(response[::-1] ** 2)[::-1]
    decibels = 10 * np.log10(left / left[0] + 1e-12)
    first, last = int(np.argmax(decibels <= -5)), int(np.argmax(decibels <= -25))
    return 3 * (last - first) / RATE


def far(sound: Audio, response: Audio) -> Audio:
    """The sound as it arrives through `response`, with its tail."""
    n = len(sound) + len(response) - 1
    size = 1 << (n - 1).bit_length()
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[:n])


@lru_cache(maxsize=1)
def _hardness() -> float:
    low, high = 0.6, 0.98
    for _ in range(12):
        middle = (low + high) / 2
        short = reverberation_s(_response(middle, *_places(0))) < RT60_S
        low, high = (middle, high) if short else (low, middle)
    return (low + high) / 2


def _places(seed: int) -> tuple[Audio, Audio]:
    """A microphone on a shelf or table, and a mouth DISTANCE_M from it, both half a metre from the walls."""
    rng = np.random.default_rng([seed, 17])
    size = np.array(ROOM_M)
    while True:
        microphone = rng.uniform([0.5, 0.5, 0.7], [*(size[:2] - 0.5), 1.3])
        angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(1.1, 1.7)
        flat = np.sqrt(DISTANCE_M**2 - (height - microphone[2]) ** 2)
        mouth = np.array([*(microphone[:2] + flat * np.array([np.cos(angle), np.sin(angle)])), height])
        if np.all(mouth > 0.5) and np.all(mouth[:2] < size[:2] - 0.5):
            return microphone, mouth


def _response(hardness: float, microphone: Audio, mouth: Audio) -> Audio:
    axes = []
    for length, ear, source in zip(ROOM_M, microphone, mouth, strict=True):
        reach = int(np.ceil(SOUND_M_S * RESPONSE_S / (2 * length)))
        cells = np.arange(-reach, reach + 1)
        away = np.concatenate([2 * cells * length + source, 2 * cells * length - source]) - ear
        axes.append((away**2, np.concatenate([np.abs(2 * cells), np.abs(2 * cells - 1)])))
    (x, nx), (y, ny), (z, nz) = axes
    distance = np.sqrt(x[:, None, None] + y[None, :, None] + z[None, None, :]).ravel()
    bounces = (nx[:, None, None] + ny[None, :, None] + nz[None, None, :]).ravel()
    rate = RATE * OVERSAMPLED
    arrival = np.round(distance / SOUND_M_S * rate).astype(np.int64)
    heard = arrival < round(RESPONSE_S * rate)
    strength = hardness ** bounces[heard] / distance[heard]
    fine = np.bincount(arrival[heard], strength, minlength=round(RESPONSE_S * rate))
    response = np.asarray(soxr.resample(fine, rate, RATE), dtype=np.float64)
    # All arrivals push the same way, which would pile up below what a room of this size carries.
    spectrum = np.fft.rfft(response)
    spectrum *= np.clip(np.fft.rfftfreq(len(response), 1 / RATE) / 60 - 0.5, 0, 1)
    return np.asarray(np.fft.irfft(spectrum, len(response)))


def whispered(sound: Audio, rng: np.random.Generator) -> Audio:
    """The same mouth without a voice: each frame's LPC filter, with white noise for the residual.

    A simulation. It keeps the loudness of each frame and the tilt of voiced speech; a real whisper is softer
    and brighter.
    """
    n = len(sound)
    padded = np.pad(sound, (FRAME, FRAME + FRAME_HOP))
    window = np.hanning(FRAME + 1)[:-1]
    starts = np.arange(0, len(padded) - FRAME + 1, FRAME_HOP)
    frames = padded[starts[:, None] + np.arange(FRAME)] * window
    power = np.abs(np.fft.rfft(frames, 2 * FRAME)) ** 2
    filters = _lpc(np.fft.irfft(power)[:, : LPC_ORDER + 1])
    noise = rng.normal(size=len(padded))[starts[:, None] + np.arange(FRAME)] * window
    spectrum = np.fft.rfft(noise, 2 * FRAME) / np.fft.rfft(filters, 2 * FRAME)
    voiceless = np.fft.irfft(spectrum)[:, :FRAME] * window
    loud = np.sqrt(np.sum(frames**2, axis=1) / (np.sum(voiceless**2, axis=1) + 1e-9))
    out, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for start, frame, gain in zip(starts, voiceless, loud, strict=True):
        out[start : start + FRAME] += gain * frame
        weight[start : start + FRAME] += window
    return np.asarray((out / np.maximum(weight, 1e-3))[FRAME : FRAME + n])


def _lpc(correlation: Audio) -> Audio:
    """Levinson and Durbin's recursion for all frames at once, shape (frames, order + 1)."""
    count, taps = correlation.shape
    filters = np.zeros((count, taps))
    filters[:, 0] = 1.0
    error = correlation[:, 0] * (1 + 1e-5) + 1e-6
    for order in range(1, taps):
        lag = np.sum(filters[:, :order] * correlation[:, order:0:-1], axis=1)
        reflection = -lag / error
        filters[:, 1 : order + 1] += reflection[:, None] * filters[:, order - 1 :: -1][:, :order]
        error = np.maximum(error * (1 - reflection**2), 1e-9)
    return filters


def slowed(sound: Audio, factor: float) -> Audio:
    """`factor` times as long at the same pitch: overlapping grains, each moved to where it continues the last
    one best (WSOLA, Verhelst and Roelands 1993)."""
    hop = GRAIN // 2
    window = np.hanning(GRAIN + 1)[:-1]
    length = round(len(sound) * factor)
    padded = np.pad(sound, (SEARCH + GRAIN, 2 * GRAIN + SEARCH))
    out = np.zeros(length + 2 * GRAIN)
    follow = SEARCH + GRAIN
    for at in range(0, length + GRAIN, hop):
        wanted = GRAIN + SEARCH + min(round((at - hop) / factor), len(sound) - hop)
        near = padded[wanted - SEARCH : wanted + SEARCH + GRAIN]
        fit = np.correlate(near, padded[follow : follow + GRAIN], "valid")
        energy = np.cumsum(np.concatenate([[0.0], near**2]))
        best = int(np.argmax(fit / np.sqrt(energy[GRAIN:] - energy[:-GRAIN] + 1.0)[: len(fit)]))
        start = wanted - SEARCH + best
        out[at : at + GRAIN] += window * padded[start : start + GRAIN]
        follow = min(start + hop, len(padded) - GRAIN)
    return out[hop : hop + length]
