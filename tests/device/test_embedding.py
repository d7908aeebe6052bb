"""The speech embedding against the extractor of the wheel it comes from, and against itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyopen_wakeword import OpenWakeWordFeatures

from tests.device.speaking import say
from voice.adapters.embedding import DIMENSIONS, SpeechEmbedder
from voice.adapters.tflite import Network
from voice.audio import HOP, RATE, Samples
from voice.errors import ModelError
from voice.ports import Embeddings


def sound(seconds: float, seed: int = 1) -> Samples:
    """Chirps and noise bursts with silences between, as uneven as speech."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    swell = np.clip(np.sin(2 * np.pi * 1.3 * t + seed), 0, 1) ** 2
    tones = sum(
        np.sin(2 * np.pi * (180 + 90 * np.sin(2 * np.pi * 0.7 * t)) * k * t) / k for k in (1, 2, 3, 5)
    )
    return np.asarray(
        (swell * (tones + rng.normal(0, 0.4, len(t))) * 5_000 + rng.normal(0, 8, len(t))), np.int16
    )


def hops(samples: Samples) -> Samples:
    return samples[: len(samples) // HOP * HOP]


def embed(samples: Samples, pushes: list[int]) -> Embeddings:
    """Embedded in pushes of so many hops, over and over."""
    embedder = SpeechEmbedder()
    made, start, turn = [], 0, 0
    while start < len(samples):
        made.append(embedder.push(samples[start : start + pushes[turn % len(pushes)] * HOP]))
        start += pushes[turn % len(pushes)] * HOP
        turn += 1
    return np.concatenate(made)


def reference(samples: Samples) -> Embeddings:
    """The wheel's own extractor, beginning in the same silence instead of in 8 s of padding."""
    features = OpenWakeWordFeatures.from_builtin()
    silence = Network("melspectrogram", (1, 1_760))(np.zeros(1_760, np.float32)).reshape(8, 32) / 10 + 2
    features.new_audio_samples = 480
    features.new_mels = 68
    features.mels[:] = silence[-1]
    made = []
    for start in range(0, len(samples), HOP):
        made += list(features.process_streaming(samples[start : start + HOP].tobytes()))
    return np.concatenate([one.reshape(-1, DIMENSIONS) for one in made])


def test_it_gives_what_the_wheels_own_extractor_gives() -> None:
    samples = hops(sound(3.0))
    ours, theirs = embed(samples, [1]), reference(samples)
    assert ours.shape == theirs.shape == (len(samples) // HOP, DIMENSIONS)
    np.testing.assert_allclose(ours[12:], theirs[12:], atol=1e-3)


@pytest.mark.speech
def test_it_gives_what_the_wheels_own_extractor_gives_on_speech() -> None:
    samples = hops(say("The soup is almost ready, and the bus was late again this morning."))
    np.testing.assert_allclose(embed(samples, [4, 16])[12:], reference(samples)[12:], atol=1e-3)


@pytest.mark.parametrize("size", [4, 16, 21])
def test_pushes_of_any_size_give_the_same_numbers(size: int) -> None:
    samples = hops(sound(3.4))
    np.testing.assert_allclose(embed(samples, [size]), embed(samples, [1]), atol=1e-3)


@given(st.lists(st.integers(1, 22), min_size=1, max_size=4), st.integers(0, 3))
@settings(max_examples=5, deadline=None)
def test_however_the_stream_is_cut_hop_n_gives_embedding_n(pushes: list[int], seed: int) -> None:
    samples = hops(sound(2.0, seed))
    whole = embed(samples, [len(samples) // HOP])
    assert len(whole) == len(samples) // HOP
    np.testing.assert_allclose(embed(samples, pushes), whole, atol=1e-3)


def test_an_embedding_knows_only_what_came_before_it() -> None:
    samples = hops(sound(4.0))
    changed = samples.copy()
    changed[20 * HOP :] = sound(10.0, seed=9)[: len(samples) - 20 * HOP]
    one, other = embed(samples, [1]), embed(changed, [1])
    np.testing.assert_array_equal(one[:20], other[:20])
    assert np.abs(one[21:] - other[21:]).max() > 1.0


def test_a_window_later_nothing_of_the_past_is_left() -> None:
    samples = hops(sound(4.0))
    late = embed(samples[20 * HOP :], [1])
    np.testing.assert_allclose(late[11:], embed(samples, [1])[31:], atol=1e-3)


def test_a_reset_begins_anew_in_silence() -> None:
    samples = hops(sound(2.0))
    embedder = SpeechEmbedder()
    first = embedder.push(samples)
    assert np.abs(embedder.push(samples)[:5] - first[:5]).max() > 0.1
    embedder.reset()
    np.testing.assert_array_equal(embedder.push(samples), first)


def test_two_embedders_do_not_share_a_stream() -> None:
    samples = hops(sound(2.0))
    one, other = SpeechEmbedder(), SpeechEmbedder()
    alone = embed(samples, [1])
    mixed = []
    for start in range(0, len(samples), HOP):
        mixed.append(one.push(samples[start : start + HOP]))
        other.push(sound(0.08, seed=start)[:HOP])
    np.testing.assert_array_equal(np.concatenate(mixed), alone)


def test_nothing_pushed_gives_nothing() -> None:
    assert SpeechEmbedder().push(np.empty(0, np.int16)).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("length", [1, HOP - 1, HOP + 1])
def test_part_of_a_hop_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="whole hops"):
        SpeechEmbedder().push(np.zeros(length, np.int16))


@pytest.mark.parametrize("level", [0, 1, 32_767])
def test_silence_and_clipping_give_finite_numbers(level: int) -> None:
    samples = np.full(20 * HOP, level, np.int16)
    samples[::2] *= -1
    assert np.isfinite(embed(samples, [1, 4])).all()


def test_a_network_that_the_wheel_does_not_have_is_named_with_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"no_such_thing\.tflite.*--force-reinstall pyopen-wakeword"):
        Network("no_such_thing", (1, 1_760))


def test_many_embedders_one_after_the_other_do_not_add_up() -> None:
    """Networks live outside Python's memory; they must go when their embedder goes."""
    program = (
        "import resource, numpy as np\n"
        "from voice.adapters.embedding import SpeechEmbedder\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "def once(): SpeechEmbedder().push(np.zeros(1280, np.int16))\n"
        "for _ in range(5): once()\n"
        "before = peak()\n"
        "for _ in range(30): once()\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4_000, "kilobytes"
