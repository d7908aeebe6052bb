"""The bank of negatives: embeddings of speech that no client's name is in (tools/make_negatives.py)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from voice.alignment import Space
from voice.enrolment import Bank

FILE = Path(__file__).parents[1] / "data" / "negatives.npz"

LEAD = 12
"""Rows at the beginning of each piece that still hold the silence before the microphone opened."""


@cache
def bank() -> Bank:
    """The bank that this distribution carries, and the space that it spans."""
    with np.load(FILE, allow_pickle=False) as stored:
        embeddings = stored["embeddings"].astype(np.float32) * stored["scale"]
        pieces = np.split(embeddings, np.cumsum(stored["lengths"])[:-1])
    pieces = [piece[LEAD:] for piece in pieces]
    space = Space.of(np.concatenate(pieces))
    return Bank(space, tuple(space.place(piece) for piece in pieces))
