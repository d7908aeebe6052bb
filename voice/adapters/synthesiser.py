"""Sentences to speech: pyttsx3 (espeak-ng on Linux) in a process of its own, with a cache of what it made.

The cache holds allow-listed prompts only, with the clinician's name filled in; never a part's name or a line.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from voice.adapters.files import read_clip
from voice.adapters.render import Job, encode
from voice.audio import Clip, Samples
from voice.errors import AudioError, OnebreathError

log = logging.getLogger(__name__)

ENGINE: Final = "pyttsx3-1"
"""Part of every cache key; raise it when the way of rendering changes."""

START_S: Final = 30.0
"""What a rendering process may take before its first sentence, on a slow machine."""

SENTENCE_S: Final = 10.0
"""What each sentence may add."""

SENTENCE_BYTES: Final = 300_000
"""Room for one rendered sentence: 6 s at 22,050 Hz. espeak-ng never returns from a write to a full disk."""

SILENT: Final = 200
"""Sample values up to this, at both ends of a rendering, are its padding."""


class SynthesisError(OnebreathError):
    """No speech could be rendered on this machine."""


class CachedSynthesiser:
    """Renders each sentence once. `folder` is where renderings stay, `<home>/cache/prompts`."""

    def __init__(self, folder: Path, worker: Sequence[str] | None = None) -> None:
        self._folder = folder
        self._worker = list(worker or (sys.executable, "-m", "voice.adapters.render"))
        self._memory: dict[Path, Clip] = {}

    def render(self, text: str, language: str, words_per_minute: int) -> Clip:
        """The sentence as sound, int16 mono. Raises SynthesisError."""
        self.prepare([text], language, words_per_minute)
        return self._memory[self._path(text, language, words_per_minute)]

    def prepare(self, texts: Sequence[str], language: str, words_per_minute: int) -> None:
        """Render all of these that are not there yet, in one go. Raises SynthesisError."""
        wanted = {self._path(text, language, words_per_minute): text for text in texts}
        absent = {path: text for path, text in wanted.items() if not self._load(path)}
        if not absent:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _need_room(self._folder, len(absent))
            self._run(absent, language, words_per_minute, self._folder)
        except OSError as error:
            log.warning("renderings are not kept on disk: %s", error.strerror)
            try:
                with tempfile.TemporaryDirectory(prefix="onebreath-") as scratch:
                    _need_room(Path(scratch), len(absent))
                    self._run(absent, language, words_per_minute, Path(scratch))
            except OSError as full:
                raise SynthesisError(
                    f"Speech could not be made: {full.strerror}.", "Free some space on this device."
                ) from full

    def _path(self, text: str, language: str, words_per_minute: int) -> Path:
        key = f"{ENGINE}\n{language}\n{words_per_minute}\n{text}"
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.wav"

    def _load(self, path: Path, source: Path | None = None) -> bool:
        if path in self._memory:
            return True
        try:
            clip = read_clip(source or path, rate=None)
        except AudioError:
            return False
        self._memory[path] = Clip(_trimmed(clip.samples), clip.rate)
        return True

    def _run(self, absent: dict[Path, str], language: str, words_per_minute: int, folder: Path) -> None:
        left = dict(absent)
        for _ in range(2):
            # A second process for what the first did not get to: one that hung or died loses only its own.
            jobs = [
                Job(text, language, words_per_minute, str(folder / path.name)) for path, text in left.items()
            ]
            said = self._work(jobs)
            left = {path: text for path, text in left.items() if not self._load(path, folder / path.name)}
            if not left:
                return
        raise SynthesisError(
            f"Speech could not be made on this machine{said}.",
            "Install espeak-ng: sudo apt-get install espeak-ng",
        )

    def _work(self, jobs: Sequence[Job]) -> str:
        limit = START_S + SENTENCE_S * len(jobs)
        try:
            done = subprocess.run(
                self._worker,
                input=encode(list(jobs)),
                text=True,
                capture_output=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ": the engine did not answer in time"
        lines = done.stderr.strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _need_room(folder: Path, sentences: int) -> None:
    """Raise OSError where these would not fit."""
    if shutil.disk_usage(folder).free < sentences * SENTENCE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _trimmed(samples: Samples) -> Samples:
    """Without the silence that the engine puts around a sentence; pauses are the wording's business."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > SILENT)
    if len(loud) == 0:
        return samples
    return samples[max(0, loud[0] - 220) : loud[-1] + 1_100]
