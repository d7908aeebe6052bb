"""Recordings to measure on: folders of clips, and what a room does to them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from voice.adapters.takes import TakeMaker
from voice.audio import RATE, Samples

ENDINGS: Final = {".flac", ".wav", ".ogg"}
Audio = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """One name to hear: its clips, and clips in which it is not said."""

    name: str
    kind: str
    positives: tuple[Path, ...]
    negatives: tuple[Path, ...]


@dataclass
class Corpus:
    """Everything that the folders on the command line hold."""

    tasks: list[Task] = field(default_factory=list)
    noise: list[Path] = field(default_factory=list)
    voices: list[Path] = field(default_factory=list)


def clips(folder: Path) -> list[Path]:
    """The recordings directly in a folder, in order."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


def corpus(folders: Sequence[Path]) -> Corpus:
    """Read the layout of each folder.

    - one folder of clips per name: each name is to be found, the others are its negatives;
    - a folder `not-NAME` beside NAME: phrases that sound like it, a task of its own kind (near-miss);
    - one folder per speaker, files `LABEL-TAKE.flac`: each speaker's labels, enrolled with their own voice,
      the same speaker's other labels as negatives (own-voice);
    - clips directly in the folder: negatives for every name; a folder called "noise" is also room noise.
    """
    found = Corpus()
    loose: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise SystemExit(f"{folder} is not a folder of recordings.")
        loose += clips(folder)
        inside = {sub.name: clips(sub) for sub in sorted(folder.iterdir()) if sub.is_dir()}
        inside = {name: files for name, files in inside.items() if files}
        if not inside and not clips(folder):
            raise SystemExit(f"{folder} holds no recordings ({', '.join(sorted(ENDINGS))}).")
        if inside and all("-" in path.stem for files in inside.values() for path in files):
            found.tasks += _own_voice(inside)
        elif any(f"not-{name}" in inside for name in inside):
            found.tasks += [
                Task(name, "near-miss", tuple(files), tuple(inside[f"not-{name}"]))
                for name, files in inside.items()
                if f"not-{name}" in inside
            ]
        else:
            found.tasks += [
                Task(
                    name, "names", tuple(files), tuple(p for o, fs in inside.items() if o != name for p in fs)
                )
                for name, files in inside.items()
            ]
            found.voices += [path for files in inside.values() for path in files]
        found.noise += clips(folder) if folder.name == "noise" else clips_or_none(folder.parent / "noise")
    found.noise = sorted(set(found.noise))
    found.tasks = [
        task
        if task.kind != "names"
        else Task(task.name, task.kind, task.positives, (*task.negatives, *loose))
        for task in found.tasks
    ]
    return found


def clips_or_none(folder: Path) -> list[Path]:
    """The recordings in a folder that may not exist."""
    return clips(folder) if folder.is_dir() else []


def _own_voice(inside: dict[str, list[Path]]) -> list[Task]:
    tasks = []
    for speaker, files in inside.items():
        labels = sorted({path.stem.rsplit("-", 1)[0] for path in files})
        for label in labels:
            same = tuple(path for path in files if path.stem.rsplit("-", 1)[0] == label)
            rest = tuple(path for path in files if path not in same)
            tasks.append(Task(f"{speaker}/{label}", "own-voice", same, rest))
    return tasks


@lru_cache(maxsize=1024)
def load(path: Path) -> Samples:
    """A recording as int16 mono at 16 kHz."""
    samples, rate = sf.read(path, dtype="int16", always_2d=True)
    mono = samples[:, 0]
    return np.asarray(mono if rate == RATE else soxr.resample(mono, rate, RATE), dtype=np.int16)


class Rooms:
    """Puts a clip into a condition: "clean", or "pink-10", "room-10", "babble-10" (dB of speech over noise).

    The ratio is of mean powers: the clip's where someone speaks, the noise's throughout. The same clip gets
    the same noise in every run.
    """

    def __init__(self, noise: Sequence[Path], voices: Sequence[Path], maker: TakeMaker) -> None:
        self._maker = maker
        self._noise = [load(path).astype(np.float64) for path in noise]
        self._noise = [audio for audio in self._noise if len(audio) > RATE]
        self._voices = list(voices)
        self._powers: dict[Path, float] = {}

    def put(self, path: Path, condition: str) -> Samples:
        """The clip at `path` with a second of the same room before it and half a second after."""
        clip = load(path).astype(np.float64)
        rng = np.random.default_rng(zlib.crc32(f"{path.parent.name}/{path.name}/{condition}".encode()))
        if condition == "clean":
            return clip.astype(np.int16)
        kind, decibels = condition.rsplit("-", 1)
        before, after = RATE, RATE // 2
        whole = np.concatenate([np.zeros(before), clip, np.zeros(after)])
        noise = self._make(kind, len(whole), path, rng)
        gain = np.sqrt(self._power(path, clip) / np.mean(noise**2)) * 10 ** (-float(decibels) / 20)
        return np.asarray(np.clip(whole + gain * noise, -32768, 32767), dtype=np.int16)

    def _power(self, path: Path, clip: Audio) -> float:
        """The mean square of the clip where someone speaks."""
        if path not in self._powers:
            probabilities = np.array(self._maker.probabilities(clip.astype(np.int16)) or [0.0])
            active = np.repeat(probabilities > 0.5, 512)
            self._powers[path] = float(np.mean((clip[: len(active)][active] if active.any() else clip) ** 2))
        return self._powers[path]

    def _make(self, kind: str, n: int, path: Path, rng: np.random.Generator) -> Audio:
        if kind == "pink":
            spectrum = np.fft.rfft(rng.normal(size=n))
            return np.asarray(np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), n))
        if kind == "room":
            source = self._noise[int(rng.integers(len(self._noise)))]
            looped = np.roll(np.resize(source, max(n, len(source))), int(rng.integers(len(source))))
            return np.asarray(looped[:n] + 1e-3)
        if kind == "babble":
            mixed = np.zeros(n)
            for index in rng.choice(len(self._voices), size=min(6, len(self._voices)), replace=False):
                # Played backwards, so that the babble around one name never holds another name.
                voice = load(self._voices[int(index)])[::-1].astype(np.float64)
                mixed += np.roll(np.resize(voice, n), int(rng.integers(n))) / (np.std(voice) + 1e-9)
            return np.asarray(mixed)
        raise SystemExit(f"There is no condition called {kind}.")
