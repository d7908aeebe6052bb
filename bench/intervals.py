"""Intervals for counts and shares. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
"""Rows: enrolments drawn. Columns: clips. 1 missed, 0 found, NaN not tried."""

DRAWS: Final = 1000
MANY_NAMES: Final = 5
"""From this many names on, the names themselves are drawn anew as well."""


def wilson(hits: float, of: float, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927). `of` may be an effective number, not whole."""
    if of <= 0:
        return 0.0, 1.0
    share = hits / of
    centre = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def poisson(events: int, share: float = 0.95) -> tuple[float, float]:
    """The exact interval of the mean of a Poisson count (Garwood 1936), by halving."""
    tail = (1 - share) / 2
    low = 0.0 if events == 0 else _solve(lambda mean: 1 - _at_most(events - 1, mean), tail)
    return low, _solve(lambda mean: 1 - _at_most(events, mean), 1 - tail)


def _at_most(events: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1))


def _solve(rises: object, wanted: float) -> float:
    """Where a rising function of the mean reaches `wanted`."""
    assert callable(rises)
    low, high = 0.0, 10.0
    while rises(high) < wanted:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) < wanted else (low, middle)
    return high


def share_interval(tables: Sequence[Table], seed: int = 1) -> tuple[float, float]:
    """95 % interval of the share missed, over one table for each name.

    A clip is tried by several enrolments and an enrolment tries many clips, so single tries say less than
    their number. Enrolments and clips are drawn anew at the same time (the pigeonhole bootstrap, Owen 2007,
    which errs on the wide side), and names too where there are at least MANY_NAMES; with fewer the interval
    speaks of these names alone. A bootstrap knows no width where nothing was missed, so only its variance is
    used: it gives the number of independent tries that would vary as much, and Wilson's interval of that
    many is the answer. Where all or none were missed, each clip counts once.
    """
    missed = float(sum(np.nansum(table) for table in tables))
    tried = float(sum(np.sum(~np.isnan(table)) for table in tables))
    if not tried:
        return 0.0, 1.0
    share = missed / tried
    each_clip_once = float(sum(np.sum(~np.all(np.isnan(table), axis=0)) for table in tables if table.size))
    effective = each_clip_once
    if 0 < share < 1:
        variance = float(np.var(_redrawn(tables, np.random.default_rng(seed))))
        effective = min(tried, share * (1 - share) / variance) if variance > 0 else each_clip_once
    return wilson(share * effective, effective)


def _redrawn(tables: Sequence[Table], rng: np.random.Generator) -> Table:
    """The share missed in each of DRAWS redrawings."""
    names = len(tables)
    if names >= MANY_NAMES:
        weights = rng.multinomial(names, np.full(names, 1 / names), size=DRAWS).astype(np.float64)
    else:
        weights = np.ones((DRAWS, names))
    missed, tried = np.zeros(DRAWS), np.zeros(DRAWS)
    for weight, table in zip(weights.T, tables, strict=True):
        if not table.size:
            continue
        draws, clips = (rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) for n in table.shape)
        missed += weight * np.sum((draws @ np.nan_to_num(table)) * clips, axis=1)
        tried += weight * np.sum((draws @ ~np.isnan(table)) * clips, axis=1)
    return np.asarray(missed[tried > 0] / tried[tried > 0])
