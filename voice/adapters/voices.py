"""Synthetic people: espeak-ng and flite voices that stand in for a client in the demo and in tests."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voice.audio import RATE, Clip
from voice.errors import AudioError

PEAK = 12_000
"""Every voice is brought to this peak: a person at arm's length from a microphone."""


@dataclass(frozen=True)
class Speaker:
    """One synthetic person. `engine` is "espeak-ng" or "flite"; `pitch` (0-99) and `rate` are espeak-ng's."""

    engine: str
    voice: str
    rate: int = 150
    pitch: int = 50


PEOPLE = (
    Speaker("espeak-ng", "en-us", 140, 45),
    Speaker("espeak-ng", "en-us+m3", 150, 40),
    Speaker("espeak-ng", "en-gb", 150, 55),
    Speaker("espeak-ng", "en-us+f4", 160, 60),
    Speaker("flite", "slt"),
    Speaker("flite", "rms"),
    Speaker("flite", "awb"),
    Speaker("espeak-ng", "en-gb-scotland+f1", 145, 50),
)


def speak(text: str, speaker: Speaker) -> Clip:
    """The text as this person says it, at 16 kHz. Raises AudioError when the engine is not installed."""
    if speaker.engine == "flite":
        command = ["flite", "-voice", speaker.voice, "-t", text, "-o", "/dev/stdout"]
    else:
        command = ["espeak-ng", "-v", speaker.voice, "-s", str(speaker.rate), "-p", str(speaker.pitch)]
        command += ["--stdout", text]
    if shutil.which(speaker.engine) is None:
        raise AudioError(
            f"{speaker.engine} is not installed.", f"Type: sudo apt-get install {speaker.engine}"
        )
    done = subprocess.run(command, check=True, capture_output=True)
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float64")
    sound = np.asarray(soxr.resample(samples, rate, RATE))
    loud = np.flatnonzero(np.abs(sound) > 0.005 * np.abs(sound).max())
    sound = sound[loud[0] : loud[-1] + 1]
    return Clip((sound / np.abs(sound).max() * PEAK).astype(np.int16))


def write_clip(path: Path, clip: Clip) -> None:
    """Write the clip as a 16-bit WAV file. Raises AudioError."""
    try:
        soundfile.write(str(path), clip.samples, clip.rate)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{path} cannot be written.", "Is the disk full?") from error
