"""Aligning streams with takes: what is alike is cheap, in one go or frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voice.alignment import MOST_COST, SKIP_WEIGHT, Alignment, align, combine
from voice.space import Floats, Space

DIMENSIONS = 12
"""Fewer than an embedding's 96: the arithmetic is the same, and random directions are still far apart."""


def walk(rng: np.random.Generator, frames: int) -> Floats:
    """Unit vectors that move on slowly, as speech embeddings do."""
    steps = rng.normal(size=(frames, DIMENSIONS))
    path = np.cumsum(steps, axis=0) * 0.4 + steps
    return np.asarray(path / np.linalg.norm(path, axis=1, keepdims=True), np.float32)


def paced(take: Floats, factor: float) -> Floats:
    """The same path, walked `factor` times as slowly."""
    frames = round(len(take) * factor)
    at = np.linspace(0, len(take) - 1, frames)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(take) - 1)
    share = (at - low)[:, None]
    path = take[low] * (1 - share) + take[high] * share
    return np.asarray(path / np.linalg.norm(path, axis=1, keepdims=True), np.float32)


quick = settings(max_examples=15, deadline=None)
seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(3, 30)


@quick
@given(seeds, lengths, lengths, lengths)
def test_a_take_costs_nothing_where_it_stands_in_a_stream(
    seed: int, take: int, before: int, after: int
) -> None:
    rng = np.random.default_rng(seed)
    name = walk(rng, take)
    stream = np.concatenate([walk(rng, before), name, walk(rng, after)])
    (costs,) = align([name], [stream])
    assert costs.shape == (len(stream), 1)
    assert costs[before + take - 1, 0] == pytest.approx(0.0, abs=1e-5)
    assert costs.min() >= -1e-5


@quick
@given(seeds, st.integers(8, 25), st.floats(0.6, 1.8))
def test_the_same_name_faster_or_slower_stays_cheap(seed: int, take: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    name, other = walk(rng, take), walk(rng, take)
    stretched = paced(name, factor)
    (costs,) = align([name], [np.concatenate([other, stretched])])
    said = costs[len(other) + len(stretched) - 1, 0]
    elsewhere = costs[: len(other), 0].min()
    assert said < 0.15
    assert said < 0.5 * elsewhere


@quick
@given(seeds, st.lists(lengths, min_size=1, max_size=5), st.lists(lengths, min_size=1, max_size=4))
def test_whole_recordings_cost_the_same_as_streams(
    seed: int, takes: list[int], recordings: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    names = [walk(rng, length) for length in takes]
    heard = [walk(rng, length) for length in recordings]
    whole = align(names, heard)
    for recording, costs in zip(heard, whole, strict=True):
        alignment = Alignment(names)
        streamed = np.stack([alignment.push(frame[None])[0] for frame in recording])
        np.testing.assert_allclose(costs, streamed, atol=1e-5)


@quick
@given(seeds, lengths, lengths)
def test_takes_of_different_lengths_do_not_disturb_each_other(seed: int, one: int, other: int) -> None:
    rng = np.random.default_rng(seed)
    names = [walk(rng, one), walk(rng, other)]
    stream = walk(rng, 40)
    (together,) = align(names, [stream])
    for index, name in enumerate(names):
        (alone,) = align([name], [stream])
        np.testing.assert_allclose(together[:, index], alone[:, 0], atol=1e-5)


@quick
@given(seeds, lengths, lengths)
def test_after_a_reset_nothing_of_the_stream_is_left(seed: int, take: int, before: int) -> None:
    rng = np.random.default_rng(seed)
    name, stream = walk(rng, take), walk(rng, 20)
    used, fresh = Alignment([name]), Alignment([name])
    for frame in walk(rng, before):
        used.push(frame[None])
    used.reset()
    for frame in stream:
        np.testing.assert_array_equal(used.push(frame[None]), fresh.push(frame[None]))


def by_hand(take: Floats, stream: Floats) -> list[float]:
    """The same alignment of one take, cell by cell."""
    before, start = (1e6, 1.0), (0.0, 0.0)
    row = [(1e6, 1.0)] * len(take)
    ends = []
    for frame in stream:
        cells = [before, start, *row]
        row = []
        for index, own in enumerate(take):
            here = 1.0 - float(own @ frame)
            stay, step, skip = cells[index + 2], cells[index + 1], cells[index]
            ways = (
                (step[0] + here, step[1] + 1),
                (stay[0] + here, stay[1] + 1),
                (skip[0] + SKIP_WEIGHT * here, skip[1] + SKIP_WEIGHT),
            )
            row.append(min(ways, key=lambda way: way[0] / way[1]))
        ends.append(row[-1][0] / row[-1][1])
    return ends


@quick
@given(seeds, st.integers(3, 12), st.integers(1, 25))
def test_the_vectorised_step_is_the_textbook_one(seed: int, take: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    name, stream = walk(rng, take), walk(rng, frames)
    (costs,) = align([name], [stream])
    by_cell = np.array(by_hand(name, stream))
    reached = by_cell <= MOST_COST
    np.testing.assert_array_equal(costs[:, 0] <= MOST_COST, reached)
    np.testing.assert_allclose(costs[reached, 0], by_cell[reached], atol=1e-4)


def test_a_name_half_said_is_not_cheap() -> None:
    rng = np.random.default_rng(3)
    name = walk(rng, 16)
    (costs,) = align([name], [np.concatenate([walk(rng, 10), name[:8]])])
    assert costs.min() > 0.2


def test_minutes_of_one_sound_keep_costs_finite() -> None:
    """Costs are sums over a path: a path that could grow without end would lose small differences."""
    rng = np.random.default_rng(5)
    name = walk(rng, 10)
    alignment = Alignment([name])
    still = walk(rng, 1)
    for _ in range(5_000):
        last = alignment.push(still)
    assert np.isfinite(last).all()
    costs = np.stack([alignment.push(frame[None])[0] for frame in name])
    assert costs[-1, 0] == pytest.approx(0.0, abs=1e-5)


def test_no_recordings_cost_nothing() -> None:
    assert align([np.ones((3, DIMENSIONS), np.float32)], []) == []


@quick
@given(
    arrays(np.float32, (6, 5), elements=st.floats(0, 1, width=32)),
    st.permutations(range(5)),
)
def test_a_score_does_not_depend_on_the_order_of_the_takes(costs: Floats, order: list[int]) -> None:
    usual = np.linspace(0.5, 0.7, 5).astype(np.float32)
    spread = np.linspace(0.03, 0.08, 5).astype(np.float32)
    np.testing.assert_allclose(
        combine(costs[:, order], usual[order], spread[order]), combine(costs, usual, spread), atol=1e-4
    )


def test_one_poor_take_among_good_ones_does_no_harm() -> None:
    usual, spread = np.full(5, 0.6, np.float32), np.full(5, 0.05, np.float32)
    good = np.full(5, 0.2, np.float32)
    poor = good.copy()
    poor[2] = 0.9
    assert combine(poor, usual, spread) == pytest.approx(combine(good, usual, spread))


def test_one_lucky_take_does_not_make_a_name() -> None:
    usual, spread = np.full(5, 0.6, np.float32), np.full(5, 0.05, np.float32)
    lucky = usual.copy()
    lucky[2] = 0.2
    assert combine(lucky, usual, spread) < 0.5 * combine(np.full(5, 0.2, np.float32), usual, spread)


def test_the_space_is_centred_and_evens_out_loud_directions() -> None:
    rng = np.random.default_rng(1)
    scale = np.linspace(0.1, 10.0, 96)
    negatives = (rng.normal(size=(4_000, 96)) * scale + 5.0).astype(np.float32)
    placed = Space.of(negatives).place(negatives)
    np.testing.assert_allclose(np.linalg.norm(placed, axis=1), 1.0, atol=1e-5)
    assert np.abs(placed.mean(axis=0)).max() < 0.02
    spread, raw = np.sort(placed.std(axis=0)), np.sort(scale)
    assert spread[-1] / spread[0] < 0.3 * raw[-1] / raw[0]
