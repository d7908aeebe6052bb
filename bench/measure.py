"""The measurement: who listens to what, and the table of figures that comes of it."""

from __future__ import annotations

import multiprocessing
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import baseline, ears, latency
from bench.clips import Corpus
from bench.conditions import BUDGETED
from bench.enrolments import Enrolment, enrol, train
from bench.figures import Draw, best_for_each, row
from bench.options import HEADLINE, Options, headline
from bench.progress import Progress, say
from bench.references import KEYPHRASE, untaught
from bench.scoring import Outcome, Sound, Witness, hearings, words_alone

OURS, CLASSIFIER = "onebreath", "classifier"
DELAYS: Final = 40
"""Clips of each name whose delay is measured."""

Drawn = tuple[str, str, int, Draw]
"""System, kind, takes, and what came of it."""


@dataclass
class Measured:
    """`rows`: one for each system, kind, condition, number of takes and name ("all" of them together)."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    delays: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def measure(found: Corpus, options: Options) -> Measured:
    """Every task in every condition, with the references beside it. Progress goes to standard error."""
    named = [task for task in found.tasks if task.kind != "own-voice"]
    phrases = ears.sayable_keyphrases([task.phrase for task in named]) if options.references else ()
    out = Measured()
    out.notes += [
        f'PocketSphinx has no pronunciation for "{task.phrase}".'
        for task in named
        if options.references and task.phrase not in phrases
    ]
    equipment = ears.Equipment(
        noise=tuple(found.noise),
        voices=tuple(found.voices),
        keyphrases=phrases,
        models=options.models,
        names=tuple((task.name, task.phrase) for task in named),
        language=options.language,
    )
    plans = [_clips_of(found, condition, options) for condition in options.conditions]
    copied = len(named) * options.trials * max(HEADLINE.values()) if options.references else 0
    progress = Progress(sum(map(len, plans)) + 3 * copied)
    context = multiprocessing.get_context("spawn")
    draws: dict[tuple[str, str, str, int], list[Draw]] = defaultdict(list)
    with (
        _one_thread(),
        ProcessPoolExecutor(options.jobs, context, initializer=ears.start, initargs=(equipment,)) as pool,
    ):
        enrolments = enrol(pool, found, options, out.notes)
        classifiers = train(pool, enrolments, progress) if options.references else {}
        for condition, listened in zip(options.conditions, _listen(pool, plans, progress), strict=True):
            for system, kind, takes, draw in _draws(enrolments, classifiers, listened, options):
                draws[system, kind, condition, takes].append(draw)
        out.delays = _delays(pool, enrolments, draws)
    say("counting")
    for (system, kind, condition, takes), several in draws.items():
        label = {"system": system, "kind": kind, "condition": condition, "takes": takes}
        if not (chosen := system != KEYPHRASE):
            several = [best_for_each(draw) for draw in several]
        for name in dict.fromkeys(draw.name for draw in several):
            figures = row([draw for draw in several if draw.name == name], chosen=chosen)
            figures.pop("curve", None)
            out.rows.append(label | {"name": name} | figures)
        out.rows.append(label | {"name": "all"} | row(several, chosen=chosen))
    return out


def _clips_of(found: Corpus, condition: str, options: Options) -> list[ears.Job]:
    """What is heard in a condition: own voice when clean, near-misses where there is a budget."""
    near = condition in BUDGETED or options.asked
    kinds = {"names", *(["near-miss"] if near else []), *(["own-voice"] if condition == "clean" else [])}
    tasks = [task for task in found.tasks if task.kind in kinds]
    paths = {path for task in tasks for path in (*task.positives, *task.negatives)}
    named = {p for task in tasks if task.kind != "own-voice" for p in (*task.positives, *task.negatives)}
    keyphrase = options.references and near
    return [ears.Job(p, condition, keyphrase and p in named, p in named) for p in sorted(paths)]


def _listen(
    pool: ProcessPoolExecutor, plans: Sequence[Sequence[ears.Job]], progress: Progress
) -> Iterator[dict[Path, ears.Done]]:
    """Each condition's clips; the next condition is heard while one is scored."""
    ahead = pool.map(ears.hear, plans[0], chunksize=4)
    for following in (*plans[1:], ()):
        listened = {}
        for done in ahead:
            listened[done.job.path] = done
            progress.done(1, f"listening: {done.job.condition}")
        ahead = pool.map(ears.hear, following, chunksize=4)
        yield listened


def _draws(
    enrolments: Sequence[Enrolment],
    classifiers: Mapping[tuple[str, str, int], baseline.Classifier],
    listened: Mapping[Path, ears.Done],
    options: Options,
) -> Iterator[Drawn]:
    """What every enrolment, ours and the references', makes of one condition."""
    counts = {one.takes for one in enrolments}
    for one in enrolments:
        task = one.task
        found = [path for path in task.positives if path in listened and path not in one.kept_out]
        false = [path for path in task.negatives if path in listened]
        if not found:
            continue
        heard = [listened[path] for path in (*found, *false)]
        sounds = [done.sound for done in heard]
        own = _draw(task.name, found, false, heard, hearings(one.known, sounds), one.known.threshold)
        yield OURS, task.kind, one.takes, own
        if one.takes != headline(task.kind, counts):
            continue
        if (network := classifiers.get((task.kind, task.name, one.trial))) is not None:
            outcomes = baseline.classified(network, sounds)
            taught = _draw(task.name, found, false, heard, outcomes, network.threshold)
            yield CLASSIFIER, task.kind, one.takes, taught
        for model in options.models:
            if all(task.name in done.words.get(str(model), {}) for done in heard):
                yield from _with_words(one, own, found, false, heard, model)
        if one.trial == 0 and options.references:
            yield from ((system, task.kind, 0, draw) for system, draw in untaught(task, listened))


def _with_words(
    one: Enrolment,
    own: Draw,
    found: Sequence[Path],
    false: Sequence[Path],
    heard: Sequence[ears.Done],
    model: Path,
) -> Iterator[Drawn]:
    """Own voice alone, a Vosk model's words alone, and both as the device fuses them, on the same names."""
    name, kind, threshold = one.task.name, one.task.kind, one.known.threshold
    sounds = [
        Sound(done.sound.embeddings, done.sound.open, done.sound.seconds, done.words[str(model)])
        for done in heard
    ]
    both = hearings(one.known, sounds, Witness.BOTH)
    # Two models may lie in folders of the same name.
    label = f"{model.parent.name}/{model.name}"
    yield f"own voice, {label}", kind, one.takes, own
    yield (
        f"words, {label}",
        kind,
        one.takes,
        _draw(name, found, false, heard, words_alone(name, sounds), None),
    )
    yield f"both, {label}", kind, one.takes, _draw(name, found, false, heard, both, threshold)


def _draw(
    name: str,
    found: Sequence[Path],
    false: Sequence[Path],
    heard: Sequence[ears.Done],
    outcomes: Sequence[Outcome],
    threshold: float | None,
) -> Draw:
    every = dict(zip([done.job.path for done in heard], outcomes, strict=True))
    seconds = {done.job.path: done.sound.seconds for done in heard}
    return Draw(
        name,
        {p: every[p] for p in found},
        {p: every[p] for p in false},
        {p: seconds[p] for p in false},
        threshold,
    )


def _delays(
    pool: ProcessPoolExecutor,
    enrolments: Sequence[Enrolment],
    draws: Mapping[tuple[str, str, str, int], list[Draw]],
) -> dict[str, dict[str, Any]]:
    """For each name the delay of its first headline enrolment, and how often the whole device, listening to
    the stream block by block, agreed with what `hearings` said of the same clean clip."""
    counts = {one.takes for one in enrolments}
    figures = {}
    for one in enrolments:
        kind, name = one.task.kind, one.task.name
        if kind == "own-voice" or one.trial or one.takes != headline(kind, counts):
            continue
        say(f"delay of {name}")
        paths = [path for path in one.task.positives if path not in one.kept_out][:DELAYS]
        delays = list(pool.map(latency.delay, [(one.known, path) for path in paths], chunksize=2))
        figures[name] = latency.summary(delays)
        scored = next(
            (d.found for d in draws.get((OURS, kind, "clean", one.takes), []) if d.name == name), {}
        )
        same = [
            (delay.times > 0) == (scored[path].count > 0)
            for path, delay in zip(paths, delays, strict=True)
            if delay is not None and path in scored
        ]
        figures[name]["agrees_with_clip_scoring"] = sum(same) / len(same) if same else None
    return figures


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes begun in here leave the processors to each other."""
    keys = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {key: os.environ.get(key) for key in keys}
    os.environ |= dict.fromkeys(keys, "1")
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
