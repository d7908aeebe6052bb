"""What was asked of the benchmark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADLINE: Final = {"names": 5, "near-miss": 5, "own-voice": 3}
"""Takes whose figures stand in front, for each kind of task."""


@dataclass(frozen=True)
class Options:
    """`conditions`: which, in order. `asked`: the person chose them, so everything runs in all of them.
    `takes`: numbers of takes to enrol with. `trials`: enrolments drawn for each name. `models`: Vosk model
    folders."""

    conditions: tuple[str, ...]
    asked: bool
    takes: tuple[int, ...]
    trials: int
    seed: int
    jobs: int
    references: bool = True
    models: tuple[Path, ...] = ()
    language: str = "en"


def headline(kind: str, takes: Iterable[int]) -> int:
    """The number of takes whose figures stand in front, of those that were measured."""
    measured = set(takes)
    return HEADLINE[kind] if HEADLINE[kind] in measured else max(measured)
