"""The space in which speech embeddings are compared, and what noise does to them undone.

Embeddings are centred and half-whitened with the statistics of the bank of negatives, so that the few
directions in which all speech is alike do not drown the rest. A small network (`Denoiser`) adds what the same
speech without noise would have had more or less, seen from the embedding and the few before it: a denoising
autoencoder on features (Lu, Tsao, Matsuda and Hori 2013). It was trained on synthetic speech alone
(tools/train_denoiser.py) and leaves clean speech nearly as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice.ports import Embeddings

Floats = NDArray[np.float32]

WHITENING: Final = 0.5
"""0 leaves the embeddings as they are, 1 whitens them fully. Half does best on held-out speech."""

CONTEXT: Final = 4
"""Embeddings before the present one that the network sees: 0.32 s beyond the window of 0.76 s."""


@dataclass(frozen=True)
class Denoiser:
    """A network of dense layers with rectifiers between them.

    `scale`: standard deviation of each dimension of an embedding, shape (96,). `layers`: weights, shape
    (inputs, outputs), and bias, shape (outputs,), of each layer; the first has 96 * (1 + CONTEXT) inputs, the
    present embedding first, the last as many outputs as the space has dimensions.
    """

    scale: Floats
    layers: tuple[tuple[Floats, Floats], ...]

    def correction(self, centred: Floats, lead: int) -> Floats:
        """What to add to each frame after the first `lead`. `centred`: frames in order, (frames, 96)."""
        scaled = centred / self.scale
        values = np.concatenate([_delayed(scaled, frames)[lead:] for frames in range(CONTEXT + 1)], axis=1)
        for weights, bias in self.layers[:-1]:
            values = np.maximum(values @ weights + bias, np.float32(0))
        weights, bias = self.layers[-1]
        return np.asarray(values @ weights + bias, np.float32)


@dataclass(frozen=True)
class Space:
    """Where embeddings are compared: centred, half-whitened, denoised, on the unit sphere.

    `mean`: shape (96,). `projection`: shape (96, dimensions).
    """

    mean: Floats
    projection: Floats
    denoiser: Denoiser | None = None

    @classmethod
    def of(cls, negatives: Embeddings) -> Space:
        """The space that these embeddings, shape (frames, 96), span; placed, their usual length is one."""
        mean = negatives.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((negatives - mean).T))
        projection = vectors * (values + 1e-3 * values.max()) ** (-WHITENING / 2)
        usual = np.linalg.norm((negatives - mean) @ projection, axis=1).mean()
        return cls(mean.astype(np.float32), (projection / usual).astype(np.float32))

    def place(self, embeddings: Embeddings, before: Embeddings | None = None) -> Floats:
        """Consecutive embeddings, shape (frames, 96), as unit vectors of this space.

        `before`: up to CONTEXT embeddings that came just before them; where there are fewer, the first one
        stands for those that are missing.
        """
        lead = 0 if before is None else len(before)
        centred = (embeddings if before is None else np.concatenate([before, embeddings])) - self.mean
        placed = centred[lead:] @ self.projection
        if self.denoiser is not None and len(placed):
            placed = placed + self.denoiser.correction(centred, lead)
        length = np.linalg.norm(placed, axis=1, keepdims=True) + np.float32(1e-9)
        return np.asarray(placed / length, dtype=np.float32)

    def template(self, name: Embeddings) -> Floats:
        """A take cut to its name with CONTEXT frames before it (`Take.name`), placed and without these."""
        return self.place(name[CONTEXT:], name[:CONTEXT])

    def templates(self, names: Sequence[Embeddings]) -> list[Floats]:
        """Each of several takes' names, as `template`."""
        return [self.template(name) for name in names]


def _delayed(frames: Floats, by: int) -> Floats:
    """Each frame's predecessor `by` frames ago; before the first, the first."""
    return frames[np.maximum(np.arange(len(frames)) - by, 0)]
