"""Speech embeddings: the 96-dimensional Google speech embedding (Lin et al. 2020, arXiv:2002.01322).

The networks are those of the pyopen-wakeword wheel (Apache-2.0), and so is the arithmetic around them. The
wheel's own extractor runs both networks once for each 80 ms, on every core. The embedding is a stack of
convolutions without padding along time, so several blocks in one run give the same numbers for a fraction of
the work. The spectrogram is not: it limits each block to 80 dB below that block's own peak.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice.adapters.tflite import Network
from voice.audio import HOP, Samples
from voice.ports import Embeddings

DIMENSIONS: Final = 96
BANDS: Final = 32
ROWS: Final = 8
"""Rows of the spectrogram in one hop, 10 ms each."""

WINDOW_ROWS: Final = 76
OVERLAP: Final = 480
"""Samples before a hop that its spectrogram rows reach back to."""

RUNS: Final = (16, 4, 1)
"""Hops that are embedded in one run of the networks; a push is cut into these."""


class SpeechEmbedder:
    """One embedding of the last 0.76 s of audio for each 80 ms pushed, as `ports.Embedder`.

    What lies before the first sample is taken as digital silence: hop n of the audio gives embedding n.
    """

    def __init__(self) -> None:
        self._spectrogram = Network("melspectrogram", (1, OVERLAP + HOP))
        self._embeddings: dict[int, Network] = {}
        silence = self._rows(np.zeros(OVERLAP + HOP, np.float32))
        self._silence = np.tile(silence[-1], (WINDOW_ROWS - ROWS, 1))
        self.reset()

    def reset(self) -> None:
        """Forget what came before: the next window starts in silence."""
        self._audio: NDArray[np.float32] = np.zeros(OVERLAP, np.float32)
        self._spectrum: NDArray[np.float32] = self._silence

    def push(self, samples: Samples) -> Embeddings:
        """Embed whole hops of 1,280 samples at 16 kHz. Shape (hops, 96), float32."""
        if len(samples) % HOP:
            raise ValueError(f"whole hops of {HOP} samples, not {len(samples)}")
        made = []
        start = 0
        while start < len(samples):
            hops = next(run for run in RUNS if run * HOP <= len(samples) - start)
            made.append(self._embed(samples[start : start + hops * HOP].astype(np.float32), hops))
            start += hops * HOP
        return np.concatenate(made) if made else np.empty((0, DIMENSIONS), np.float32)

    def _embed(self, samples: NDArray[np.float32], hops: int) -> Embeddings:
        audio = np.concatenate([self._audio, samples])
        rows = [self._rows(audio[start : start + OVERLAP + HOP]) for start in range(0, len(samples), HOP)]
        spectrum = np.concatenate([self._spectrum, *rows])
        self._audio = audio[-OVERLAP:]
        self._spectrum = spectrum[-(WINDOW_ROWS - ROWS) :]
        if hops not in self._embeddings:
            shape = (1, WINDOW_ROWS + ROWS * (hops - 1), BANDS, 1)
            self._embeddings[hops] = Network("embedding_model", shape)
        return self._embeddings[hops](spectrum).reshape(hops, DIMENSIONS)

    def _rows(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        # The scaling is the one that the embedding was trained behind (openWakeWord).
        rows = self._spectrogram(audio).reshape(ROWS, BANDS) / np.float32(10) + np.float32(2)
        return np.asarray(rows, np.float32)
