"""The references that need no enrolment: PocketSphinx keyphrase search, and the wheel's own word models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import baseline
from bench.clips import Task
from bench.ears import Done
from bench.figures import Draw
from bench.scoring import Outcome

KEYPHRASE = "PocketSphinx"


def untaught(task: Task, listened: Mapping[Path, Done]) -> Iterator[tuple[str, Draw]]:
    """Each reference that knows the name, and what it made of every clip of the condition.

    PocketSphinx reports every hit above a very low threshold with a probability, which serves as its score; a
    threshold of its own it has none.
    """
    found = [path for path in task.positives if path in listened]
    false = [path for path in task.negatives if path in listened]
    paths = [*found, *false]

    def draw(outcomes: Sequence[Outcome], threshold: float | None) -> Draw:
        every = dict(zip(paths, outcomes, strict=True))
        seconds = {path: listened[path].sound.seconds for path in false}
        return Draw(task.name, {p: every[p] for p in found}, {p: every[p] for p in false}, seconds, threshold)

    hits = [listened[path].keyphrases for path in paths]
    if all(listened[path].job.keyphrase for path in paths) and any(task.phrase in hit for hit in hits):
        peaks = [hit.get(task.phrase, ()) for hit in hits]
        yield KEYPHRASE, draw([Outcome(len(one), one) for one in peaks], None)
    model = baseline.pretrained(task.phrase)
    if model is not None and task.kind == "names":
        outcomes = baseline.pretrained_outcomes(model, [listened[path].sound for path in paths])
        yield f"pretrained {model.value}", draw(outcomes, baseline.PRETRAINED_THRESHOLD)
