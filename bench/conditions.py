"""Conditions: what a room, a distance or a manner of speaking does to a clip.

clean; quiet (20 dB softer); whisper; slow (1.4 times as long); far (3 m away in a simulated room, with
room noise 20 dB below); and KIND-DB, speech over noise in dB: pink, room (recordings from a folder "noise"),
babble (six other clips at once), music. The same clip gets the same noise in every run.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.changes import far, room_response, slowed, whispered
from bench.clips import load
from bench.noises import dull, music, pink
from voice.adapters.takes import AFTER_S, BEFORE_S, TakeMaker, pad
from voice.audio import RATE, Samples

Audio = NDArray[np.float64]

NOISES: Final = ("pink", "room", "babble", "music")
DEFAULT: Final = (
    "clean", "pink-10", "room-10", "babble-10", "music-10", "far", "quiet", "whisper", "slow",
)  # fmt: skip
ALL: Final = (*DEFAULT, *(f"{kind}-5" for kind in NOISES))
BUDGETED: Final = ("clean", "pink-10", "room-10", "babble-10")
"""Those that the design has a budget for. PocketSphinx and near-misses are heard in these unless others are
asked for."""

BABBLERS: Final = 6
LONGEST_BABBLE: Final = 10 * RATE
QUIET: Final = 0.1
SLOW: Final = 1.4
FAR_NOISE_DB: Final = 20.0
FAR_PLACES: Final = 6

BEFORE, AFTER = round(BEFORE_S * RATE), round(AFTER_S * RATE)


@dataclass(frozen=True)
class Scene:
    """A clip in its condition, with surroundings before and after. `seconds`: of the clip itself."""

    samples: Samples
    seconds: float


def chosen(text: str) -> tuple[str, ...]:
    """The conditions asked for: "default", "all", or names with commas. SystemExit if unknown."""
    if text in ("default", "all"):
        return DEFAULT if text == "default" else ALL
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in wanted:
        kind, _, decibels = name.partition("-")
        noisy = kind in NOISES and decibels.lstrip("-").replace(".", "", 1).isdigit()
        if not noisy and name not in DEFAULT:
            known = ", ".join((*(c for c in DEFAULT if "-" not in c), *(f"{kind}-DB" for kind in NOISES)))
            raise SystemExit(f"There is no condition called {name}. There are: {known}.")
    if not wanted:
        raise SystemExit("No condition was given; see --help.")
    return wanted


class Rooms:
    """Puts clips into conditions."""

    def __init__(self, noise: Sequence[Path], voices: Sequence[Path], maker: TakeMaker) -> None:
        """`noise`: recordings of rooms, perhaps none. `voices`: clips that babble is made of."""
        self._maker = maker
        found = [load(path).astype(np.float64) for path in noise]
        self._noise = [audio for audio in found if len(audio) > RATE and audio.any()]
        self._voices = list(voices)
        self._powers: dict[Path, float] = {}

    def put(self, path: Path, condition: str) -> Scene:
        """The clip at `path` with a second of the same room before it and 0.64 s after."""
        clip = load(path).astype(np.float64)
        rng = np.random.default_rng(zlib.crc32(f"{path.parent.name}/{path.name}/{condition}".encode()))
        kind, _, decibels = condition.partition("-")
        if kind in NOISES:
            return self._mix(clip, kind, float(decibels), path, rng)
        if kind == "far":
            arrived = far(clip, room_response(int(rng.integers(FAR_PLACES))))[: len(clip) + AFTER]
            arrived *= np.sqrt(np.mean(clip**2) / (np.mean(arrived**2) + 1e-12))
            return self._mix(arrived, "room", FAR_NOISE_DB, path, rng)
        changed = {
            "clean": lambda: clip,
            "quiet": lambda: QUIET * clip,
            "whisper": lambda: whispered(clip, rng),
            "slow": lambda: slowed(clip, SLOW),
        }[kind]()
        return Scene(pad(_int16(changed)), len(changed) / RATE)

    def _mix(self, clip: Audio, kind: str, decibels: float, path: Path, rng: np.random.Generator) -> Scene:
        """The ratio is of mean powers: the clip's where someone speaks, the noise's throughout."""
        whole = np.concatenate([np.zeros(BEFORE), clip, np.zeros(AFTER)])
        noise = self._make(kind, len(whole), path, rng)
        loud = np.mean(noise**2)
        gain = np.sqrt(self._power(path) / loud) * 10 ** (-decibels / 20) if loud else 0.0
        return Scene(_int16(whole + gain * noise), len(clip) / RATE)

    def _power(self, path: Path) -> float:
        """The mean square of the clip where someone speaks."""
        if path not in self._powers:
            clip = load(path)
            active = np.repeat(np.array(self._maker.probabilities(clip) or [0.0]) > 0.5, 512)[: len(clip)]
            spoken = clip[: len(active)][active] if active.any() else clip
            self._powers[path] = float(np.mean(spoken.astype(np.float64) ** 2))
        return self._powers[path]

    def _make(self, kind: str, n: int, path: Path, rng: np.random.Generator) -> Audio:
        if kind == "pink":
            return pink(n, rng)
        if kind == "music":
            return music(n, rng)
        if kind == "room":
            if not self._noise:
                return dull(n, rng)
            source = self._noise[int(rng.integers(len(self._noise)))]
            looped = np.roll(np.resize(source, max(n, len(source))), int(rng.integers(len(source))))
            return np.asarray(looped[:n])
        others = [voice for voice in self._voices if voice != path] or [path]
        mixed = np.zeros(n)
        for index in rng.choice(len(others), size=min(BABBLERS, len(others)), replace=False):
            # Played backwards, so that the babble around one name never holds another name.
            voice = load(others[int(index)])[:LONGEST_BABBLE][::-1].astype(np.float64)
            mixed += np.roll(np.resize(voice, n), int(rng.integers(n))) / (np.std(voice) + 1e-9)
        return mixed


def _int16(sound: Audio) -> Samples:
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)
