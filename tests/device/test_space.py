"""The space of embeddings: placing a stream, cutting templates, and undoing noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.adapters.bank import bank
from voice.adapters.takes import BEFORE_S, TakeMaker
from voice.adapters.voices import PEOPLE, speak
from voice.audio import BLOCK_S, RATE
from voice.enrolment import Span, Take
from voice.space import CONTEXT, Floats, Space


def frames(count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 10, (count, 96)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 9))
def test_a_stream_placed_piece_by_piece_is_the_stream_placed_whole(
    first: int, second: int, seed: int
) -> None:
    space, stream = bank().space, frames(first + second, seed)
    whole = space.place(stream)
    start = space.place(stream[:first])
    rest = space.place(stream[first:], stream[max(0, first - CONTEXT) : first])
    pieces = np.concatenate([start, rest])
    if first >= CONTEXT:
        assert np.allclose(pieces, whole, atol=1e-4)
    assert np.allclose(start, whole[:first], atol=1e-4)


def test_places_are_unit_vectors() -> None:
    assert np.allclose(np.linalg.norm(bank().space.place(frames(30, 1)), axis=1), 1.0, atol=1e-4)
    assert bank().space.place(np.empty((0, 96), np.float32)).shape == (0, 96)


def test_a_template_is_the_name_cut_from_the_take_placed_whole() -> None:
    embeddings = frames(40, 2)
    take = Take(embeddings, Span(1.04, 2.0))
    name = take.name()
    start = next(row for row in range(40) if np.array_equal(embeddings[row], name[CONTEXT]))
    template = bank().space.template(name)
    assert np.allclose(template, bank().space.place(embeddings)[start : start + len(template)], atol=1e-4)


def test_without_a_denoiser_the_space_is_the_half_whitened_one() -> None:
    negatives = frames(500, 3) * np.linspace(1, 5, 96, dtype=np.float32)
    space = Space.of(negatives)
    placed = (negatives - space.mean) @ space.projection
    assert np.linalg.norm(placed, axis=1).mean() == pytest.approx(1.0, abs=1e-3)
    assert np.allclose(
        space.place(negatives), placed / np.linalg.norm(placed, axis=1, keepdims=True), atol=1e-4
    )


@pytest.mark.speech
def test_noise_moves_speech_less_with_the_denoiser_than_without() -> None:
    """Synthetic people and pink noise at 10 dB, none of it as in the training (another generator)."""
    maker, whole = TakeMaker(), bank().space
    plain = Space(whole.mean, whole.projection)
    moved = {"plain": 0.0, "denoised": 0.0}
    clean_moved = 0.0
    for number, person in enumerate(PEOPLE[:4]):
        said = speak("the little one by the window", person).samples.astype(np.float64)
        clip = np.concatenate([np.zeros(RATE), said, np.zeros(RATE // 2)])
        white = np.random.default_rng(number).normal(size=len(clip))
        spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(len(clip) // 2 + 1)))
        noise = np.fft.irfft(spectrum, len(clip))
        noise *= np.sqrt(np.mean(said**2) / np.mean(noise**2)) * 10 ** (-10 / 20)
        clean, noisy = (maker.embed(sound.astype(np.int16)) for sound in (clip, clip + noise))
        # The frames of the name: after the room that TakeMaker adds and the second before it.
        first, count = round((BEFORE_S + 1.3) / BLOCK_S), round((len(said) / RATE - 0.3) / BLOCK_S)
        name = slice(first, first + count)
        target = plain.place(clean)[name]
        moved["plain"] += float(1 - (plain.place(noisy)[name] * target).sum(axis=1).mean())
        moved["denoised"] += float(1 - (whole.place(noisy)[name] * target).sum(axis=1).mean())
        clean_moved += float(1 - (whole.place(clean)[name] * target).sum(axis=1).mean())
    assert moved["denoised"] < 0.95 * moved["plain"], moved
    assert clean_moved < 0.1 * moved["plain"]
