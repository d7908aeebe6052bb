"""What hearing rests on, as files of this distribution: the bank of negatives and the space of embeddings.

The bank is embeddings of speech that no client's name is in (tools/make_negatives.py); the space was made
from it, and its denoiser trained, by tools/train_denoiser.py.
"""

from __future__ import annotations

from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np

from voice.enrolment import Bank
from voice.ports import Embeddings
from voice.space import Denoiser, Space

DATA: Final = Path(__file__).parents[1] / "data"
NEGATIVES: Final = DATA / "negatives.npz"
SPACE: Final = DATA / "space.npz"

LEAD: Final = 12
"""Rows at the beginning of each piece that still hold the silence before the microphone opened."""


def raw_bank() -> list[Embeddings]:
    """The pieces of the bank as embeddings, each of shape (frames, 96)."""
    with np.load(NEGATIVES, allow_pickle=False) as stored:
        embeddings = stored["embeddings"].astype(np.float32) * stored["scale"]
        pieces = np.split(embeddings, np.cumsum(stored["lengths"])[:-1])
    return [piece[LEAD:] for piece in pieces]


@cache
def bank() -> Bank:
    """The bank that this distribution carries, placed in its space: seconds of work, for enrolment only."""
    return Bank(space(), tuple(space().place(piece) for piece in raw_bank()))


@cache
def space() -> Space:
    """The space alone, which is all that listening needs."""
    with np.load(SPACE, allow_pickle=False) as stored:
        layers = []
        for number in count():
            if f"weights{number}" not in stored:
                break
            weights, bias = stored[f"weights{number}"], stored[f"bias{number}"]
            layers.append((weights.astype(np.float32), bias.astype(np.float32)))
        denoiser = Denoiser(stored["scale"], tuple(layers))
        return Space(stored["mean"], stored["projection"], denoiser)
