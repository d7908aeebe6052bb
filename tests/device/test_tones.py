"""The tones, measured against what they are designed to."""

from __future__ import annotations

import numpy as np
import pytest

from voice.events import Tone
from voice.tones import SHAPES, pause, tone


@pytest.mark.parametrize("kind", Tone)
def test_a_tone_is_short_soft_at_its_edges_and_where_ears_share(kind: Tone) -> None:
    clip = tone(kind)
    assert 0.075 <= clip.seconds <= 0.150
    spectrum = np.abs(np.fft.rfft(clip.samples.astype(float)))
    assert 750 <= np.argmax(spectrum) * clip.rate / len(clip.samples) <= 1_250
    peak = np.abs(clip.samples.astype(int)).max()
    assert peak < 0.3 * 32_768
    edge = round(0.005 * clip.rate)
    assert np.abs(clip.samples[:edge].astype(int)).max() < 0.1 * peak
    assert np.abs(clip.samples[-edge:].astype(int)).max() < 0.1 * peak


def test_the_two_tones_can_be_told_apart() -> None:
    assert len({hertz for hertz, _ in SHAPES.values()}) == len(Tone)


def test_a_pause_is_silence() -> None:
    assert pause(0.6).seconds == pytest.approx(0.6, abs=1e-4)
    assert not pause(0.6).samples.any()
