"""Intervals against numbers worked out by hand or known from tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.intervals import poisson, share_interval, wilson


def test_wilson_as_published() -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for hits, of, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]:
        assert wilson(hits, of) == pytest.approx((low, high), abs=6e-4)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=6e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [
        (0, 0.0, -math.log(0.025)),
        (1, 0.0253, 5.572),
        (5, 1.623, 11.668),
        (10, 4.795, 18.390),
        (100, 81.36, 121.63),
    ],
)
def test_poisson_bounds_as_in_garwoods_table(events: int, low: float, high: float) -> None:
    assert poisson(events) == pytest.approx((low, high), abs=0.01)


def test_what_never_happened_is_as_wide_as_the_clips_are_few() -> None:
    """Four enrolments that all found the same ten clips have seen ten clips, not forty."""
    table = np.zeros((4, 10))
    assert share_interval([table]) == wilson(0, 10)
    assert share_interval([np.ones((4, 10))]) == wilson(10, 10)


def test_a_clip_that_every_enrolment_misses_counts_about_once() -> None:
    """One enrolment and repeats of it: the interval is that of the clips alone, not half as wide."""
    column = np.zeros((1, 100))
    column[0, :20] = 1
    once = share_interval([column])
    assert once == pytest.approx(wilson(20, 100), abs=0.02)
    repeated = share_interval([np.repeat(column, 4, axis=0)])
    assert repeated == pytest.approx(once, abs=0.02)


def test_enrolments_that_differ_widen_the_interval() -> None:
    alike = np.zeros((4, 100))
    alike[:, ::4] = 1
    differing = np.zeros((4, 100))
    differing[0] = 1
    narrow, wide = share_interval([alike]), share_interval([differing])
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_a_clip_that_was_a_take_is_not_counted() -> None:
    table = np.array([[np.nan, 0.0, 1.0], [0.0, np.nan, 1.0]])
    low, high = share_interval([table])
    assert low < 0.5 < high
    assert share_interval([np.full((2, 3), np.nan)]) == (0.0, 1.0)
    assert share_interval([]) == (0.0, 1.0)
