"""Names enrolled from takes drawn at random, by the device's own enrolment; and the classifier baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench import baseline, ears
from bench.clips import Corpus, Task
from bench.options import Options, headline
from bench.progress import Progress, say
from voice.enrolment import Take
from voice.spotting import Voiceprint

SPARE: Final = 3
"""Clips beyond the takes wanted that are made into takes at first, since some are unusable."""


@dataclass(frozen=True)
class Enrolment:
    """`paths`: the clips it was enrolled with; `kept_out`: those it is not tried on."""

    task: Task
    trial: int
    takes: int
    paths: tuple[Path, ...]
    kept_out: frozenset[Path]
    known: Voiceprint


def enrol(pool: ProcessPoolExecutor, found: Corpus, options: Options, notes: list[str]) -> list[Enrolment]:
    """Every name from takes drawn at random, by the device's own enrolment."""
    most = max(options.takes)
    orders = {
        (task.name, task.kind, trial): [
            task.positives[int(i)]
            for i in np.random.default_rng([options.seed, trial]).permutation(len(task.positives))
        ]
        for task in found.tasks
        for trial in range(options.trials)
    }
    takes: dict[Path, Take | None] = {}
    for reach in (most + SPARE, None):
        lacking = (
            order for order in orders.values() if sum(takes.get(p) is not None for p in order) < most + 1
        )
        wanted = sorted({path for order in lacking for path in order[:reach]} - takes.keys())
        say(f"making takes of {len(wanted)} clips")
        takes |= dict(zip(wanted, pool.map(ears.take, wanted, chunksize=4), strict=True))
    drawn = []
    for task in found.tasks:
        for trial in range(options.trials):
            usable = [p for p in orders[task.name, task.kind, trial] if takes.get(p) is not None]
            room = min(len(usable), len(task.positives) - 1)
            if not room:
                notes.append(f'"{task.name}" has no recording that can be a take. Left out.')
                break
            if room < most and not trial:
                notes.append(
                    f'"{task.name}" has {len(task.positives)} clips: at most {room} takes were used.'
                )
            kept_out = frozenset(usable[: min(most, room)])
            drawn += [(task, trial, n, tuple(usable[: min(n, room)]), kept_out) for n in options.takes]
    say(f"enrolling {len(drawn)} times")
    work = [(task.name, [takes[p] for p in paths]) for task, _, _, paths, _ in drawn]
    prints = pool.map(ears.enrol, [(n, [t for t in ts if t is not None]) for n, ts in work], chunksize=4)
    return [Enrolment(*one, known) for one, known in zip(drawn, prints, strict=True)]


def train(
    pool: ProcessPoolExecutor, enrolments: Sequence[Enrolment], progress: Progress
) -> dict[tuple[str, str, int], baseline.Classifier]:
    """The classifier baseline, from the takes of the headline enrolments."""
    counts = {one.takes for one in enrolments}
    chosen = [
        e for e in enrolments if e.task.kind != "own-voice" and e.takes == headline(e.task.kind, counts)
    ]
    paths = sorted({path for one in chosen for path in one.paths})
    copies: dict[Path, list[Take]] = {}
    for path, made in zip(paths, pool.map(ears.copies, paths), strict=True):
        copies[path] = made
        progress.done(2, "copying takes for the classifier")
    sets = [[take for path in one.paths for take in copies[path]] for one in chosen]
    trained = {}
    for one, network in zip(chosen, pool.map(baseline.train, sets), strict=True):
        trained[one.task.kind, one.task.name, one.trial] = network
        progress.done(len(one.paths), "training the classifier")
    return trained
