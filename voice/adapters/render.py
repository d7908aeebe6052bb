"""A process of its own that renders sentences with pyttsx3: `python -m voice.adapters.render`, work on stdin.

On its own because the engine underneath is one global per process, prints to standard output, and was seen
to hang or cut short when its event loop runs again and again (nateshmbhat/pyttsx3 issues 126 and 194). Here a
hang ends with the process, and the next sentence is not touched by it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One sentence to render into the sound file `path`."""

    text: str
    language: str
    words_per_minute: int
    path: str


def encode(jobs: list[Job]) -> str:
    """The work as this process reads it."""
    return json.dumps([asdict(job) for job in jobs])


def render(jobs: list[Job]) -> None:
    """Render one after the other; each file appears whole under its name, or not at all."""
    import pyttsx3  # its import loads the engine

    engine = pyttsx3.init()
    for job in jobs:
        voice = _voice(engine, job.language)
        if voice is not None:
            engine.setProperty("voice", voice)
        engine.setProperty("rate", job.words_per_minute)
        scratch = f"{job.path}.part"
        engine.save_to_file(job.text, scratch)
        engine.runAndWait()
        Path(scratch).replace(job.path)


def _voice(engine: Any, language: str) -> str | None:
    """The engine's first voice for exactly this language, then for any kind of it, else its own choice."""
    near: list[tuple[int, int, str]] = []
    for index, voice in enumerate(engine.getProperty("voices") or ()):
        for tag in voice.languages or ():
            tag = (
                (tag.decode("utf-8", "ignore") if isinstance(tag, bytes) else tag)
                .strip("\x00\x05\x02 ")
                .lower()
            )
            tag = tag.replace("_", "-")
            if tag == language or tag.startswith(f"{language}-"):
                near.append((len(tag), index, voice.id))
    return min(near)[2] if near else None


if __name__ == "__main__":
    render([Job(**item) for item in json.load(sys.stdin)])
