"""From outcomes to figures: missed, false accepts an hour, intervals, and the curve between them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.intervals import Table, poisson, share_interval
from bench.scoring import Outcome

RATES: Final = (0.0, 0.5, 1.0)
"""False accepts an hour at which a threshold is picked afterwards."""

SHARES: Final = (0.005, 0.01, 0.05)
"""Shares of negative clips accepted, for near-misses and own voice, at which one is picked afterwards."""

CURVE_POINTS: Final = 60


@dataclass(frozen=True)
class Draw:
    """One enrolment of one name, listening to one condition.

    `found`: clips of the name; `false`: clips without it; `seconds`: how long each of those is. `threshold`:
    the score it chose; None where there was no choice.
    """

    name: str
    found: Mapping[Path, Outcome]
    false: Mapping[Path, Outcome]
    seconds: Mapping[Path, float]
    threshold: float | None = None

    @property
    def hours(self) -> float:
        """How much it listened to in which the name was not said."""
        return sum(self.seconds[path] for path in self.false) / 3600


def row(draws: Sequence[Draw], *, chosen: bool = True) -> dict[str, Any]:
    """All figures of these enrolments together. `chosen`: they decided by a threshold of their own."""
    hours = sum(draw.hours for draw in draws)
    negatives = sum(len(draw.false) for draw in draws)
    distinct = {path: draw.seconds[path] for draw in draws for path in draw.false}
    figures: dict[str, Any] = {
        "names": len({draw.name for draw in draws}),
        "enrolments": len(draws),
        "tried": sum(len(draw.found) for draw in draws),
        "clips": len({path for draw in draws for path in draw.found}),
        "negative_clips": len(distinct),
        "negative_hours": hours,
        "distinct_negative_hours": sum(distinct.values()) / 3600,
    }
    if chosen:
        figures |= _missed(draws, [[o.count == 0 for o in draw.found.values()] for draw in draws])
        figures |= _accepted(sum(o.count for draw in draws for o in draw.false.values()), hours)
        hit = sum(o.count > 0 for draw in draws for o in draw.false.values())
        tables = _tables(draws, [[o.count > 0 for o in draw.false.values()] for draw in draws], false=True)
        figures |= {
            "accepted_share": hit / negatives if negatives else None,
            "accepted_share_95": list(share_interval(tables)) if negatives else None,
        }
        figures["thresholds"] = [round(draw.threshold, 3) for draw in draws if draw.threshold is not None]
    if any(o.peaks for draw in draws for o in draw.found.values()):
        figures |= _picked(draws, hours, negatives)
    return figures


def best_for_each(draw: Draw, an_hour: float = RATES[1]) -> Draw:
    """For a reference whose scores mean something else for each name: told from the best threshold for this
    one, that is, the lowest with no more than so many false accepts on these very clips."""
    false = sorted((peak for o in draw.false.values() for peak in o.peaks), reverse=True)
    bar = _bar(false, an_hour * draw.hours)
    if not np.isfinite(bar):
        return draw
    found, others = (
        {path: replace(o, peaks=tuple(peak - bar for peak in o.peaks)) for path, o in side.items()}
        for side in (draw.found, draw.false)
    )
    return replace(draw, found=found, false=others)


def _picked(draws: Sequence[Draw], hours: float, negatives: int) -> dict[str, Any]:
    """Figures at thresholds that no enrolment could have known: all of them shifted by as much."""
    false = sorted((peak for draw in draws for o in draw.false.values() for peak in o.peaks), reverse=True)
    hits = sorted((o.best for draw in draws for o in draw.false.values()), reverse=True)
    best = np.sort([o.best for draw in draws for o in draw.found.values()])
    picked: dict[str, Any] = {}
    if hours:
        picked["picked_by_rate"] = {f"{r:g}": _at(draws, _bar(false, r * hours)) for r in RATES}
        steps = np.unique(np.round(np.geomspace(1, len(false) + 1, CURVE_POINTS))).astype(int) - 1
        picked["curve"] = [
            [step / hours, float(np.searchsorted(best, _bar(false, step), "right")) / len(best)]
            for step in (int(step) for step in steps)
        ]
    if negatives:
        picked["picked_by_share"] = {f"{s:g}": _at(draws, _bar(hits, s * negatives)) for s in SHARES}
    return picked


def _bar(ranked: Sequence[float], allowed: float) -> float:
    """What a score must exceed so that at most `allowed` of these, highest first, do."""
    place = int(allowed + 1e-9)
    return ranked[place] if place < len(ranked) else -np.inf


def _at(draws: Sequence[Draw], bar: float) -> dict[str, Any]:
    missed = _missed(draws, [[o.best <= bar for o in draw.found.values()] for draw in draws])
    return missed | {"shift": bar if np.isfinite(bar) else None}


def _missed(draws: Sequence[Draw], missed: Sequence[Sequence[bool]]) -> dict[str, Any]:
    flat = [miss for one in missed for miss in one]
    return {
        "missed": sum(flat),
        "miss": sum(flat) / len(flat) if flat else None,
        "miss_95": list(share_interval(_tables(draws, missed))),
    }


def _accepted(count: int, hours: float) -> dict[str, Any]:
    if not hours:
        return {"false_accepts": count, "an_hour": None, "an_hour_95": None}
    return {
        "false_accepts": count,
        "an_hour": count / hours,
        "an_hour_95": [bound / hours for bound in poisson(count)],
    }


def _tables(draws: Sequence[Draw], marks: Sequence[Sequence[bool]], *, false: bool = False) -> list[Table]:
    """One table for each name, of its enrolments by its clips."""
    by_name: dict[str, list[dict[Path, bool]]] = defaultdict(list)
    for draw, marked in zip(draws, marks, strict=True):
        by_name[draw.name].append(dict(zip(draw.false if false else draw.found, marked, strict=True)))
    tables = []
    for rows in by_name.values():
        columns = {path: index for index, path in enumerate(sorted({path for one in rows for path in one}))}
        table = np.full((len(rows), len(columns)), np.nan)
        for line, one in zip(table, rows, strict=True):
            line[[columns[path] for path in one]] = list(one.values())
        tables.append(table)
    return tables
