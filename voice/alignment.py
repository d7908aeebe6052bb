"""Aligning a stream of speech embeddings with the takes of a name.

Query by example. Every take is a sequence of speech embeddings; the live stream is aligned with all takes of
all parts at once by subsequence dynamic time warping (Sakoe and Chiba 1978; Müller 2007, chapter 4), one
vectorised step a block, in constant memory. Three things make it hold on strangers' voices and in noise:

- the embeddings are half-whitened and freed of noise (voice/space.py);
- each take's cost is told in standard deviations below what the bank of negatives costs it, so that a
  take that resembles everything says less than a take that resembles only the name;
- a part's score is the mean of its better takes, so that one poor take does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from voice.space import Floats

SKIP_WEIGHT: Final = 2.0
"""A step over one frame of a take counts its cost twice, since it covers two."""

BETTER_SHARE: Final = 0.6
"""The share of a part's takes, rounded up, whose mean is its score."""

MOST_COST: Final = 2.0
"""Opposite directions all along a path. A higher cost means that no path can have ended here yet."""

_FAR: Final = np.float32(1e6)


class Alignment:
    """Aligns one or more streams with several takes at once; a step costs a few array operations."""

    def __init__(self, takes: Sequence[Floats], streams: int = 1) -> None:
        """`takes`: each of shape (frames, dimensions), placed in the space of the streams."""
        lengths = np.array([len(take) for take in takes])
        self._takes = np.zeros((len(takes), int(lengths.max()), takes[0].shape[1]), np.float32)
        for row, take in zip(self._takes, takes, strict=True):
            row[: len(take)] = take
        self._each = np.arange(len(takes))
        self._ends = lengths + 1
        self._streams = streams
        self.reset()

    def reset(self) -> None:
        """Forget the streams so far."""
        count, longest, _ = self._takes.shape
        # Columns 0 and 1 stand for "before the take": a path may begin at any frame, at no cost.
        self._cost = np.full((self._streams, count, longest + 2), _FAR, np.float32)
        self._length = np.ones((self._streams, count, longest + 2), np.float32)
        self._cost[:, :, 1] = 0.0
        self._length[:, :, 1] = 0.0

    def push(self, frames: Floats) -> Floats:
        """One placed frame of each stream, shape (streams, dimensions).

        Answers with the mean cost of the best path of each take that ends here, shape (streams, takes):
        0 is the take itself, 1 is unrelated, more than MOST_COST that no path can have reached its end.
        """
        here = 1.0 - np.einsum("kjd,sd->skj", self._takes, frames)
        cost, length = self._cost, self._length
        stay, stay_length = cost[:, :, 2:] + here, length[:, :, 2:] + 1
        step, step_length = cost[:, :, 1:-1] + here, length[:, :, 1:-1] + 1
        skip, skip_length = cost[:, :, :-2] + SKIP_WEIGHT * here, length[:, :, :-2] + SKIP_WEIGHT
        stepped = step * stay_length <= stay * step_length
        best = np.where(stepped, step, stay)
        best_length = np.where(stepped, step_length, stay_length)
        skipped = skip * best_length < best * skip_length
        cost[:, :, 2:] = np.where(skipped, skip, best)
        length[:, :, 2:] = np.where(skipped, skip_length, best_length)
        ends = (slice(None), self._each, self._ends)
        return np.asarray(cost[ends] / length[ends], dtype=np.float32)


def align(takes: Sequence[Floats], recordings: Sequence[Floats]) -> list[Floats]:
    """The costs of whole recordings, each placed and of shape (frames, dimensions), to (frames, takes)."""
    if not recordings:
        return []
    longest = max(len(recording) for recording in recordings)
    padded = np.zeros((len(recordings), longest, takes[0].shape[1]), np.float32)
    for row, recording in zip(padded, recordings, strict=True):
        row[: len(recording)] = recording
    alignment = Alignment(takes, streams=len(recordings))
    costs = np.stack([alignment.push(padded[:, frame]) for frame in range(longest)], axis=1)
    return [costs[index, : len(recording)] for index, recording in enumerate(recordings)]


def combine(costs: Floats, usual: Floats, spread: Floats) -> Floats:
    """Scores from costs, shape (..., takes) to (...): the better takes' mean distance below the usual."""
    likeness = (usual - costs) / spread
    better = max(1, int(np.ceil(BETTER_SHARE * likeness.shape[-1])))
    return np.asarray(np.sort(likeness, axis=-1)[..., -better:].mean(axis=-1), dtype=np.float32)
