"""How well names are heard, on recordings of real people, by the code that the device runs.

    python bench/hearing.py DIR... [--json]

Every DIR holds one folder of clips per name; bench/clips.py reads the other layouts. Enrols each name with
takes drawn at random, exactly as `onebreath enrol` does (the threshold is the one that enrolment chose,
before any test clip was heard), and looks for it in the rest. PocketSphinx keyphrase search runs beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.clips import Corpus, Rooms, Task, corpus, load
from bench.intervals import poisson_upper, wilson
from bench.keyphrase import keyphrase_figures
from voice.adapters.bank import bank
from voice.adapters.takes import TakeMaker
from voice.alignment import Floats, align, combine
from voice.enrolment import Take, voiceprint
from voice.ports import Embeddings
from voice.spotting import Decision, Voiceprint

CONDITIONS: Final = ("clean", "pink-10", "room-10", "babble-10")
DEFAULT_TAKES: Final = {"names": 5, "near-miss": 5, "own-voice": 3}
RATES: Final = (0.0, 0.5, 1.0)

_maker: TakeMaker | None = None
_rooms: Rooms | None = None


@dataclass(frozen=True)
class Clip:
    """One clip in one condition, placed in the bank's space: shape (frames, dimensions)."""

    frames: Floats
    hours: float


def _start(found: Corpus) -> None:
    global _maker, _rooms
    _maker = TakeMaker()
    _rooms = Rooms(found.noise, found.voices, _maker)


def _embed(job: tuple[Path, str]) -> tuple[tuple[Path, str], Embeddings, float]:
    assert _maker is not None
    assert _rooms is not None
    samples = _rooms.put(*job)
    return job, _maker.embed(samples), len(samples) / 16_000 / 3600


def _take(path: Path) -> tuple[Path, Take | None]:
    assert _maker is not None
    take = _maker.make(load(path))
    return path, take if isinstance(take, Take) else None


def hearings(known: Voiceprint, clips: Sequence[Clip]) -> list[tuple[int, float]]:
    """For each clip: how often the device would answer, and the highest score."""
    placed = [bank().space.place(take) for take in known.takes]
    out = []
    for costs in align(placed, [clip.frames for clip in clips]):
        scores = combine(costs, known.usual, known.spread)
        decision = Decision([known])
        heard = [decision.push(block, scores[block : block + 1]) for block in range(len(scores))]
        heard.append(decision.push(len(scores), None))
        out.append((sum(hearing is not None for hearing in heard), float(scores.max())))
    return out


@dataclass
class Tally:
    """Counts of one name in one condition over all trials."""

    missed: int = 0
    tried: int = 0
    accepted: int = 0
    negatives: int = 0
    hours: float = 0.0
    oracle: dict[float, list[float]] | None = None

    def add(self, other: Tally) -> None:
        """Count another trial in."""
        self.missed += other.missed
        self.tried += other.tried
        self.accepted += other.accepted
        self.negatives += other.negatives
        self.hours += other.hours
        for rate, misses in (other.oracle or {}).items():
            self.oracle = self.oracle or defaultdict(list)
            self.oracle.setdefault(rate, []).extend(misses)

    def row(self) -> dict[str, Any]:
        """The figures: shares with their 95 % intervals, accepts an hour with their upper bound."""
        low, high = wilson(self.missed, self.tried)
        hours = self.hours or float("inf")
        return {
            "miss": self.missed / max(1, self.tried),
            "miss_95": [low, high],
            "tried": self.tried,
            "false_accepts": self.accepted,
            "false_accepts_an_hour": self.accepted / hours,
            "false_accepts_an_hour_upper_95": poisson_upper(self.accepted) / hours,
            "false_accept_share": self.accepted / max(1, self.negatives),
            "negative_hours": self.hours,
            "miss_at_best_threshold": {
                f"{rate:g} an hour": float(np.mean(misses)) for rate, misses in (self.oracle or {}).items()
            },
        }


def trial(task: Task, takes: dict[Path, Take], sound: dict[tuple[Path, str], Clip], condition: str,
          count: int, rng: np.random.Generator) -> tuple[Tally, float]:  # fmt: skip
    """Enrol with `count` takes drawn at random, look for the name in everything else."""
    usable = [path for path in task.positives if path in takes]
    chosen = [usable[int(i)] for i in rng.permutation(len(usable))[:count]]
    known, _ = voiceprint(task.name, [takes[path] for path in chosen], bank())
    rest = [sound[path, condition] for path in task.positives if path not in chosen]
    negatives = [sound[path, condition] for path in task.negatives]
    found = hearings(known, rest)
    false = hearings(known, negatives)
    hours = sum(clip.hours for clip in negatives)
    ranked = sorted((score for _, score in false), reverse=True)
    oracle = {}
    for rate in RATES:
        allowed = int(rate * hours)
        bar = ranked[allowed] if allowed < len(ranked) else -np.inf
        oracle[rate] = [float(np.mean([score <= bar for _, score in found]))]
    tally = Tally(
        missed=sum(count == 0 for count, _ in found), tried=len(found), accepted=sum(c for c, _ in false),
        negatives=len(false), hours=hours, oracle=oracle,
    )  # fmt: skip
    return tally, known.threshold


def measure(found: Corpus, options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Every task in every condition."""
    paths = sorted({path for task in found.tasks for path in (*task.positives, *task.negatives)})
    own = {path for task in found.tasks if task.kind == "own-voice" for path in task.positives}
    conditions = options.conditions.split(",")
    jobs = [
        (path, condition)
        for path in paths
        for condition in conditions
        if condition == "clean" or path not in own
    ]
    sound: dict[tuple[Path, str], Clip] = {}
    takes: dict[Path, Take] = {}
    with ProcessPoolExecutor(options.jobs, initializer=_start, initargs=(found,)) as pool:
        positives = sorted({path for task in found.tasks for path in task.positives})
        takes = {path: take for path, take in pool.map(_take, positives, chunksize=8) if take is not None}
        for number, (job, embeddings, hours) in enumerate(pool.map(_embed, jobs, chunksize=8)):
            sound[job] = Clip(bank().space.place(embeddings), hours)
            if number % 200 == 0:
                say(f"embedding {number}/{len(jobs)}")
    results: dict[str, Any] = {}
    for task in found.tasks:
        for condition in conditions if task.kind != "own-voice" else ["clean"]:
            tally, thresholds = Tally(), []
            for number in range(options.trials):
                rng = np.random.default_rng([options.seed, number])
                count = options.takes or DEFAULT_TAKES[task.kind]
                counted, threshold = trial(task, takes, sound, condition, count, rng)
                tally.add(counted)
                thresholds.append(threshold)
            row = tally.row() | {"thresholds": [round(value, 2) for value in thresholds]}
            results.setdefault(task.kind, {}).setdefault(condition, {})[task.name] = row
            results.setdefault("_sums", {}).setdefault((task.kind, condition), Tally()).add(tally)
        say(f"{task.kind} {task.name}")
    for (kind, condition), tally in results.pop("_sums").items():
        results[kind][condition]["all"] = tally.row()
    return results


def table(results: dict[str, Any]) -> str:
    """The figures for a terminal or a README."""
    lines = [
        "| kind | condition | name | missed (95 %) | false accepts | an hour (upper 95 %) | of negatives |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for kind, conditions in results.items():
        for condition, names in conditions.items():
            shown = names if kind != "own-voice" else {"all": names["all"]}
            for name, row in shown.items():
                low, high = row["miss_95"]
                lines.append(
                    f"| {kind} | {condition} | {name} | {row['miss']:.1%} ({low:.1%}-{high:.1%}) "
                    f"| {row['false_accepts']} in {row['negative_hours']:.2f} h "
                    f"| {row['false_accepts_an_hour']:.2f} ({row['false_accepts_an_hour_upper_95']:.2f}) "
                    f"| {row['false_accept_share']:.2%} |"
                )
    return "\n".join(lines)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--takes", type=int, help="takes to enrol with (default: 5; own voice: 3)")
    parser.add_argument("--trials", type=int, default=4, help="enrolments drawn for each name (default: 4)")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="default: %(default)s")
    parser.add_argument("--no-reference", action="store_true", help="leave PocketSphinx out")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = corpus(options.folders)
    if not found.tasks:
        raise SystemExit("No folder of clips per name was found; see --help.")
    results = measure(found, options, lambda text: print(text, file=sys.stderr, flush=True))
    if not options.json:
        print(table(results))
        print(f"Takes, noise and trials are drawn with seed {options.seed}.", flush=True)
    reference = {} if options.no_reference else keyphrase_figures(found, options.jobs)
    if options.json:
        print(json.dumps({"hearing": results, "pocketsphinx_keyphrase": reference}, indent=1))
        return
    for name, row in reference.items():
        print(
            f"PocketSphinx keyphrase search, clean, {name}: missed {row['miss']:.1%}, "
            f"{row['false_accepts']} accepted in {row['negative_hours']:.2f} h "
            f"(threshold {row['threshold']}, the best on these very clips)"
        )


if __name__ == "__main__":
    main()
