"""From speech probabilities to speech: when it starts and ends, in seconds of audio. Pure.

Two thresholds with memory between them (a probability that hovers does not chatter), a start that needs more
than one lone block, and an end that needs a little silence. What a longer silence means is the dialogue's
business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from voice.audio import BLOCK_S


@dataclass(frozen=True)
class Thresholds:
    """When speech is believed. Probabilities 0-1; times in seconds of audio."""

    on: float = 0.5
    """Speech from here, once `start_s` of it has passed."""
    sure: float = 0.9
    """One block of this is enough to start."""
    off: float = 0.35
    """Below this it is silence."""
    start_s: float = 0.16
    end_s: float = 0.32
    """Silence that ends an utterance."""
    lone_s: float = 0.3
    """Silence before an utterance that makes it stand alone."""


@dataclass(frozen=True)
class Began:
    """Speech began at `start_s`; it became certain a little later."""

    start_s: float


@dataclass(frozen=True)
class Ended:
    """Speech from `start_s` to `end_s` is over. `alone`: there was silence on both sides."""

    start_s: float
    end_s: float
    alone: bool

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Segmenter:
    """What is known so far. `fresh()` makes one at a time of day zero or after the device has spoken."""

    thresholds: Thresholds
    silent_since_s: float
    """When the last speech ended, or listening began."""
    rising_since_s: float | None = None
    """The first of the blocks that may become speech."""
    start_s: float | None = None
    """When the present speech began; None in silence."""
    last_s: float = 0.0
    """The end of the last block that was speech."""
    alone: bool = False

    @property
    def speaking(self) -> bool:
        """Whether an utterance is under way."""
        return self.start_s is not None


_EDGE: Final = 1e-6
"""Times are multiples of 80 ms in floating point."""


def fresh(now: float, thresholds: Thresholds | None = None, *, quiet_before: bool = True) -> Segmenter:
    """A segmenter that begins at `now`. `quiet_before`: what came before counts as silence."""
    chosen = thresholds or Thresholds()
    return Segmenter(chosen, silent_since_s=now - chosen.lone_s if quiet_before else now)


def advance(known: Segmenter, probability: float, now: float) -> tuple[Segmenter, Began | Ended | None]:
    """One block of 80 ms that ends at `now`, with its probability of speech."""
    return _in_speech(known, probability, now) if known.speaking else _in_silence(known, probability, now)


def _in_silence(known: Segmenter, probability: float, now: float) -> tuple[Segmenter, Began | None]:
    limits = known.thresholds
    if probability < limits.on:
        return replace(known, rising_since_s=None), None
    block_start = now - BLOCK_S
    start = block_start if known.rising_since_s is None else known.rising_since_s
    if probability < limits.sure and now - start < limits.start_s - _EDGE:
        return replace(known, rising_since_s=start), None
    alone = start - known.silent_since_s >= limits.lone_s - _EDGE
    return replace(known, rising_since_s=None, start_s=start, last_s=now, alone=alone), Began(start)


def _in_speech(known: Segmenter, probability: float, now: float) -> tuple[Segmenter, Ended | None]:
    limits, start = known.thresholds, known.start_s
    if probability >= limits.off:
        return replace(known, last_s=now), None
    if now - known.last_s < limits.end_s - _EDGE or start is None:
        return known, None
    ended = Ended(start, known.last_s, known.alone)
    return replace(known, start_s=None, silent_since_s=known.last_s, alone=False), ended
