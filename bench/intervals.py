"""Intervals for counts."""

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


def poisson_upper(events: int, z: float = 1.645) -> float:
    """The mean that would give this few events one time in twenty.

    Wilson and Hilferty's approximation (1931) of the exact bound, within 1 % of it from the first event on.
    """
    if events == 0:
        return -math.log(0.05)
    n = events + 1
    return n * (1 - 1 / (9 * n) + z / (3 * math.sqrt(n))) ** 3
