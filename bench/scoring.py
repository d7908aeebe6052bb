"""What one enrolment makes of each clip: by the device's own code, a clip at a time. Pure.

`hearings` is the one place that mirrors what voice/spotting.py does with a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice.adapters.bank import space
from voice.alignment import align, combine
from voice.audio import BLOCK_S
from voice.ports import Embeddings
from voice.space import Floats
from voice.spotting import REST_S, Decision, Voiceprint

BATCH_FRAMES: Final = 60_000
"""Frames of audio that are aligned at once; recordings of similar length go together."""

REST_BLOCKS: Final = round(REST_S / BLOCK_S)


class Witness(Enum):
    """Which evidence is listened to."""

    OWN_VOICE = "own voice"
    WORDS = "words"
    BOTH = "both"


@dataclass(frozen=True)
class Recognised:
    """The blocks in which a whole name was recognised: for good, and as a guess that had stood a while."""

    finals: tuple[int, ...] = ()
    guesses: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sound:
    """One clip in one condition. `embeddings`: shape (frames, 96), of the clip with its surroundings.
    `open`: shape (frames,), whether the device's gate was open, so that the block was scored at all.
    `words`: for each name, where a Vosk model recognised it. `seconds`: of the clip itself."""

    embeddings: Embeddings
    open: NDArray[np.bool_]
    seconds: float
    words: Mapping[str, Recognised] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one clip gave. `count`: how often the device answered. `peaks`: how far above the threshold the
    score rose, highest first, each at least the device's rest away from the others; empty without scores."""

    count: int
    peaks: tuple[float, ...] = ()

    @property
    def best(self) -> float:
        """The highest of them."""
        return self.peaks[0] if self.peaks else -np.inf


def hearings(
    known: Voiceprint, sounds: Sequence[Sound], witness: Witness = Witness.OWN_VOICE
) -> list[Outcome]:
    """For each sound what a device with this one part would do."""
    outcomes = dict[int, Outcome]()
    placed = space().templates(known.takes)
    for batch in _batches(sounds):
        all_costs = align(placed, [space().place(sounds[index].embeddings) for index in batch])
        for index, costs in zip(batch, all_costs, strict=True):
            scores = combine(costs, known.usual, known.spread)
            outcomes[index] = _outcome(known, sounds[index], scores, witness)
    return [outcomes[index] for index in range(len(sounds))]


def _outcome(known: Voiceprint, sound: Sound, scores: Floats, witness: Witness) -> Outcome:
    decision, count = Decision([known]), 0
    words = sound.words.get(known.part, Recognised()) if witness is Witness.BOTH else Recognised()
    for block in range(len(scores)):
        row = scores[block : block + 1] if sound.open[block] else None
        spoken = (known.part,) if block in words.finals else ()
        guessed = (known.part,) if block in words.guesses else ()
        count += decision.push(block + 1, row, spoken, guessed) is not None
    count += decision.push(len(scores) + 1, None) is not None
    margins = np.where(sound.open, scores - known.threshold, -np.inf)
    return Outcome(count, () if witness is Witness.BOTH else peaks(margins))


def words_alone(part: str, sounds: Sequence[Sound]) -> list[Outcome]:
    """For each sound how often the words alone would name the part, with the device's rest between."""
    outcomes = []
    for sound in sounds:
        count, rest_until = 0, -1
        for block in sound.words.get(part, Recognised()).finals:
            if block >= rest_until:
                count, rest_until = count + 1, block + REST_BLOCKS
        outcomes.append(Outcome(count))
    return outcomes


def peaks(margins: NDArray[np.floating]) -> tuple[float, ...]:
    """The highest value, the highest at least a rest away from it, and so on; shape (frames,)."""
    left, found = np.array(margins, np.float64), []
    while len(left) and np.isfinite(highest := left.max()):
        found.append(float(highest))
        at = int(left.argmax())
        left[max(0, at - REST_BLOCKS + 1) : at + REST_BLOCKS] = -np.inf
    return tuple(found)


def _batches(sounds: Sequence[Sound]) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in sorted(range(len(sounds)), key=lambda index: len(sounds[index].embeddings)):
        if batch and (len(batch) + 1) * len(sounds[index].embeddings) > BATCH_FRAMES:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
