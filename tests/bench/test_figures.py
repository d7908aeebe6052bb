"""Figures from outcomes, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.figures import Draw, row
from bench.scoring import REST_BLOCKS, Outcome, Recognised, Sound, peaks, words_alone

FOUND = [Path(f"name/{n}") for n in range(4)]
FALSE = [Path(f"other/{n}") for n in range(5)]
SECONDS = dict.fromkeys(FALSE, 720.0)
"""Five clips of twelve minutes: one hour."""


def draw(name: str, found: list[float], false: list[tuple[float, ...]]) -> Draw:
    """A draw whose device answers wherever a peak is above its threshold."""
    heard = [Outcome(int(best > 0), (best,)) for best in found]
    others = [Outcome(sum(peak > 0 for peak in several), several) for several in false]
    return Draw(
        name,
        dict(zip(FOUND, heard, strict=True)),
        dict(zip(FALSE, others, strict=True)),
        SECONDS,
        3.4,
    )


ONE = draw("a", [3.0, 1.0, -0.5, -2.0], [(0.6, 0.2), (-1.0,), (-1.5,), (-3.0,), ()])


def test_the_headline_is_what_the_device_itself_answered() -> None:
    figures = row([ONE])
    assert (figures["missed"], figures["tried"], figures["miss"]) == (2, 4, 0.5)
    assert (figures["false_accepts"], figures["an_hour"]) == (2, 2.0)
    assert figures["an_hour_95"] == pytest.approx([0.2422, 7.2247], abs=1e-3)
    assert figures["accepted_share"] == pytest.approx(0.2), "two answers to one clip are one clip"
    assert (figures["negative_clips"], figures["negative_hours"]) == (5, 1.0)
    assert figures["thresholds"] == [3.4]


def test_a_threshold_picked_afterwards_allows_so_many_accepts() -> None:
    """One hour: none allowed at 0 and at 0.5 an hour, one at 1 an hour."""
    picked = row([ONE])["picked_by_rate"]
    assert [picked[rate]["shift"] for rate in ("0", "0.5", "1")] == [0.6, 0.6, 0.2]
    assert [picked[rate]["miss"] for rate in ("0", "0.5", "1")] == [0.5, 0.5, 0.5]
    generous = draw("a", [0.5, 0.1, 0.1, 0.1], [(0.4,), (-1.0,), (), (), ()])
    assert [row([generous])["picked_by_rate"][rate]["miss"] for rate in ("0", "1")] == [0.75, 0.0]


def test_shares_accepted_are_of_clips() -> None:
    """A twentieth of five clips is none; the highest clip must stay out."""
    assert row([ONE])["picked_by_share"]["0.05"]["shift"] == 0.6


def test_the_curve_falls_as_more_is_accepted_and_passes_through_the_device() -> None:
    curve = np.array(row([ONE])["curve"])
    assert curve[0].tolist() == [0.0, 0.5]
    assert (np.diff(curve[:, 0]) > 0).all()
    assert (np.diff(curve[:, 1]) <= 0).all()
    at = dict(curve.tolist())
    assert (at[1.0], at[2.0]) == (0.5, 0.25), (
        "each step is the lowest threshold that accepts no more than that"
    )
    assert at[1.0] >= row([ONE])["miss"] >= at[2.0], "the device's own point lies on the step between"
    assert curve[-1, 1] == 0.0, "with nothing left to keep out everything is found"


def test_enrolments_and_names_are_pooled() -> None:
    other = draw("b", [3.0, 1.0, 2.0, 2.0], [(-1.0,), (), (), (), ()])
    figures = row([ONE, ONE, other])
    assert (figures["names"], figures["enrolments"], figures["clips"]) == (2, 3, 4)
    assert (figures["missed"], figures["tried"], figures["false_accepts"]) == (4, 12, 4)
    assert (figures["negative_hours"], figures["distinct_negative_hours"]) == (3.0, 1.0)


def test_without_other_speech_there_is_no_rate() -> None:
    figures = row([Draw("a", {FOUND[0]: Outcome(1, (1.0,))}, {}, {}, 3.4)])
    assert figures["an_hour"] is None
    assert figures["accepted_share"] is None
    assert "curve" not in figures


def test_a_reference_without_a_threshold_has_only_picked_figures() -> None:
    figures = row([ONE], chosen=False)
    assert "miss" not in figures
    assert figures["picked_by_rate"]["0"]["miss"] == 0.5


def test_peaks_lie_a_rest_apart() -> None:
    margins = np.full(4 * REST_BLOCKS, -9.0)
    margins[[5, 6, 5 + REST_BLOCKS]] = [2.0, 1.9, 1.0]
    assert peaks(margins)[:2] == (2.0, 1.0)
    assert peaks(np.full(10, -np.inf)) == ()


def test_words_within_a_rest_are_one_answer() -> None:
    recognised = Recognised((3, 5, 3 + REST_BLOCKS))
    sound = Sound(np.zeros((40, 96), np.float32), np.ones(40, bool), 3.2, {"a": recognised})
    assert words_alone("a", [sound]) == [Outcome(2)]
    assert words_alone("b", [sound]) == [Outcome(0)]
