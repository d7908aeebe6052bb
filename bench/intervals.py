"""Intervals for small counts."""

from __future__ import annotations

import math


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if of == 0:
        return 0.0, 1.0
    share = hits / of
    centre = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def poisson_upper(events: int, confidence: float = 0.95) -> float:
    """The rate that would give this few events only one time in twenty (Garwood 1936), by bisection."""
    low, high = float(events), 10.0 + 3.0 * events
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(math.exp(-middle) * middle**k / math.factorial(k) for k in range(events + 1))
        low, high = (middle, high) if below > 1 - confidence else (low, middle)
    return high
