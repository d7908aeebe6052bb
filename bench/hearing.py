"""How well names are heard, by the code that the device runs: the benchmark of record.

    python bench/hearing.py DIR... [--plot FILE] [--json]

Every DIR holds one folder of clips per name (WAV, FLAC or Ogg, any rate); bench/clips.py reads the other
layouts, near-misses and own voice among them. Each name is enrolled with takes drawn at random, exactly as
`onebreath enrol` does, and looked for in the clips that are left: the headline is what is missed at the
threshold that enrolment chose before any of them was heard. PocketSphinx keyphrase search and a classifier on
the wake-word wheel's embeddings hear the same clips.

Examples:
    python bench/hearing.py ../shared/speech
    python bench/hearing.py my/words --conditions clean,pink-5 --takes 3 --clips 20 --no-cost
    python bench/hearing.py my/words --words-model models/vosk-model-small-en-us-0.15
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from bench import conditions, cost
from bench.clips import Corpus, corpus
from bench.measure import measure
from bench.options import Options
from bench.progress import say
from bench.report import report
from voice.adapters.word_evidence import SPOTTERS
from voice.errors import OnebreathError


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(sorted({int(part) for part in text.split(",")}))
    if not counts or counts[0] < 1:
        raise argparse.ArgumentTypeError("numbers of takes, at least 1, with commas")
    return counts


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def options_parser() -> argparse.ArgumentParser:
    """The command line."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument(
        "--conditions",
        default="default",
        metavar="LIST",
        help=f'"default" ({", ".join(conditions.DEFAULT)}), "all" (those and 5 dB), or names with commas',
    )
    parser.add_argument(
        "--takes", type=_counts, default=(1, 3, 5), help="takes to enrol with (default: 1,3,5)"
    )
    parser.add_argument(
        "--trials", type=_positive, default=4, help="enrolments drawn for each name (default: 4)"
    )
    parser.add_argument("--clips", type=_positive, metavar="N", help="only the first N clips of each folder")
    parser.add_argument(
        "--words-model",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a Vosk model: own voice alone, its words alone, and both, for the names whose words it knows "
        "(can be given again; default: the spotter that the device carries)",
    )
    parser.add_argument("--no-words", action="store_true", help="leave words out")
    parser.add_argument("--language", default="en", help="of the Vosk models (default: en)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write FILE.png and FILE.svg")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--no-reference", action="store_true", help="leave PocketSphinx and classifier out")
    parser.add_argument("--no-cost", action="store_true", help="leave processor and memory out")
    parser.add_argument("--jobs", type=_positive, default=2, help="processes (default: 2)")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def main() -> None:
    """Parse, measure, print."""
    asked = options_parser().parse_args()
    options = Options(
        conditions=conditions.chosen(asked.conditions),
        asked=asked.conditions != "default",
        takes=asked.takes,
        trials=asked.trials,
        seed=asked.seed,
        jobs=asked.jobs,
        references=not asked.no_reference,
        models=() if asked.no_words else tuple(asked.words_model) or _carried(asked.language),
        language=asked.language,
    )
    if asked.plot is not None:
        _can_plot()
    try:
        found = corpus(asked.folders, asked.clips)
        document = _document(found, options, asked.folders, measured_cost=not asked.no_cost)
    except OnebreathError as error:
        raise SystemExit(f"{error.cause} {error.remedy}".strip()) from error
    except KeyboardInterrupt:
        raise SystemExit("Stopped; nothing was measured to the end.") from None
    if asked.plot is not None:
        from bench.plot import plot

        say(f"drew {', '.join(map(str, plot(document, asked.plot)))}")
    print(json.dumps(document, indent=1) if asked.json else report(document))


def _document(found: Corpus, options: Options, folders: list[Path], *, measured_cost: bool) -> dict[str, Any]:
    for note in found.notes:
        say(note)
    if options.models:
        from voice.adapters.recognisers import usable_model

        for model in options.models:
            usable_model(options.language, model)
    measured = measure(found, options)
    for note in measured.notes:
        say(note)
    costs: dict[str, Any] = {}
    if measured_cost:
        say("processor and memory")
        # In a process of its own, whose memory holds nothing of the measurement.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            costs = fresh.submit(cost.measure, found.paths).result()
    return {
        "schema": 1,
        "folders": [str(folder) for folder in folders],
        "seed": options.seed,
        "trials": options.trials,
        "takes": list(options.takes),
        "conditions": list(options.conditions),
        "room_noise": "recorded" if found.noise else "synthetic: no folder of recordings called noise",
        "tasks": [
            {"name": t.name, "kind": t.kind, "clips": len(t.positives), "negatives": len(t.negatives)}
            for t in found.tasks
        ],
        "notes": [*found.notes, *measured.notes],
        "rows": measured.rows,
        "delay_after_name": measured.delays,
        "cost": costs,
    }


def _carried(language: str) -> tuple[Path, ...]:
    return (SPOTTERS[language],) if language in SPOTTERS else ()


def _can_plot() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise SystemExit("--plot needs matplotlib. Type: pip install 'onebreath[bench]'") from None


if __name__ == "__main__":
    main()
