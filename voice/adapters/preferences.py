"""Keeps the volume and pace the client asked for, across restarts."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

from voice.settings import GAINS, RATES, Settings

log = logging.getLogger(__name__)


class FilePreferences:
    """A small JSON file in the device's home: {"volume": 3, "words_per_minute": 150}."""

    def __init__(self, home: Path) -> None:
        self._path = home / "preferences.json"

    def keep(self, volume: int, words_per_minute: int) -> None:
        """Write both, whole or not at all. A full disk costs the preference, nothing else."""
        scratch = self._path.with_suffix(".part")
        try:
            scratch.write_text(json.dumps({"volume": volume, "words_per_minute": words_per_minute}))
            scratch.replace(self._path)
        except OSError as error:
            log.warning("the volume and pace could not be kept: %s", error.strerror)

    def apply(self, settings: Settings) -> Settings:
        """The settings with what was kept; a file that is absent or damaged changes nothing."""
        try:
            kept = json.loads(self._path.read_text())
            volume, rate = kept["volume"], kept["words_per_minute"]
        except (OSError, ValueError, KeyError, TypeError):
            return settings
        if volume not in range(len(GAINS)) or rate not in RATES:
            return settings
        return replace(settings, volume=int(volume), words_per_minute=int(rate))
