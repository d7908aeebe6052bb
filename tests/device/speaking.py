"""Synthetic speech for the tests: espeak-ng and flite, rendered once a session."""

from __future__ import annotations

import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from voice.adapters import word_evidence
from voice.audio import HOP, RATE, Samples

TINY = word_evidence.SPOTTERS["en"]
ESPEAK = ("espeak:en-us", "espeak:en-gb", "espeak:en-us+f3")
VOICES = (*ESPEAK, "flite:slt", "flite:rms")


@lru_cache(maxsize=256)
def say(text: str, voice: str = "espeak:en-us", pad_s: float = 0.4) -> Samples:
    """A sentence with silence around it, int16 at 16 kHz, peak half of full scale."""
    engine, name = voice.split(":")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        if engine == "espeak":
            command = ["espeak-ng", "-v", name, "-s", "150", "-w", str(path), text]
        else:
            command = ["flite", "-voice", name, "-t", text, "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        spoken, rate = sf.read(path, dtype="float32")
    spoken = soxr.resample(spoken, rate, RATE)
    quiet = np.zeros(int(pad_s * RATE), np.float32)
    whole = np.concatenate([quiet, spoken * (0.5 / np.abs(spoken).max()), quiet])
    samples: Samples = (whole * 32767).astype(np.int16)
    return samples


def blocks(samples: Samples) -> list[Samples]:
    """Whole blocks of 1,280 samples, the last one filled with silence."""
    filled = np.concatenate([samples, np.zeros(-len(samples) % HOP, np.int16)])
    return [filled[at : at + HOP] for at in range(0, len(filled), HOP)]


def loud(block: Samples) -> bool:
    """A plain energy gate for clean speech."""
    return bool(np.abs(block.astype(np.int32)).max() > 300)
