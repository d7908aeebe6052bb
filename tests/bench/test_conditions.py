"""Conditions do what their names say, and the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.changes import far, reverberation_s, room_response, slowed, whispered
from bench.clips import load
from bench.conditions import AFTER, BEFORE, Rooms, chosen
from bench.noises import Audio, music, pink
from voice.adapters.takes import TakeMaker
from voice.adapters.voices import PEOPLE, speak, write_clip
from voice.audio import RATE


def vowel(hertz: float, seconds: float = 1.0) -> Audio:
    """A buzz through one formant: as plain a voice as there is."""
    t = np.arange(round(seconds * RATE)) / RATE
    harmonics = np.arange(1, int(4000 / hertz))
    weights = np.exp(-(((harmonics * hertz - 700) / 500) ** 2)) + 0.05
    return np.asarray(3000 * np.sin(2 * np.pi * hertz * np.outer(t, harmonics)) @ weights)


def periodicity(sound: Audio) -> tuple[float, float]:
    """Of the middle of the sound: the highest autocorrelation at the lag of a voice, and that pitch in Hz."""
    middle = sound[len(sound) // 2 - 800 : len(sound) // 2 + 800]
    correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    lags = np.arange(RATE // 400, RATE // 70)
    best = int(lags[correlation[lags].argmax()])
    return float(correlation[best] / correlation[0]), RATE / best


def test_the_room_rings_for_about_the_time_it_should_from_every_place() -> None:
    for seed in range(4):
        assert reverberation_s(room_response(seed)) == pytest.approx(0.4, abs=0.04)


def test_sound_reaches_the_microphone_after_three_metres() -> None:
    response = room_response(1)
    assert int(np.argmax(np.abs(response) > 0.3 * np.abs(response).max())) / RATE == pytest.approx(
        3.0 / 343.0, abs=0.0005
    )
    click = np.zeros(100)
    click[0] = 1.0
    assert far(click, response)[: len(response)] == pytest.approx(response, abs=1e-9)


def test_a_whisper_has_no_pitch_and_keeps_its_loudness() -> None:
    voiced = vowel(120.0)
    whisper = whispered(voiced, np.random.default_rng(1))
    assert periodicity(voiced)[0] > 0.8
    assert periodicity(whisper)[0] < 0.45
    assert len(whisper) == len(voiced)
    assert 0.7 < np.std(whisper) / np.std(voiced) < 1.3
    spectra = [np.abs(np.fft.rfft(sound)) ** 2 for sound in (voiced, whisper)]
    at = np.fft.rfftfreq(len(voiced), 1 / RATE)
    shares = [spectrum[(at > 300) & (at < 1100)].sum() / spectrum.sum() for spectrum in spectra]
    assert shares[1] == pytest.approx(shares[0], abs=0.15), "the mouth stays as it was"


def test_slow_speech_is_longer_at_the_same_pitch() -> None:
    voiced = vowel(120.0)
    slow = slowed(voiced, 1.4)
    assert len(slow) == round(1.4 * len(voiced))
    strength, hertz = periodicity(slow)
    assert strength > 0.8
    assert hertz == pytest.approx(120.0, rel=0.02)
    assert np.std(slow[2000:-2000]) == pytest.approx(np.std(voiced), rel=0.1)


def test_slow_speech_moves_what_is_said_to_its_new_time() -> None:
    voiced = np.concatenate([np.zeros(RATE), vowel(120.0, 0.2), np.zeros(RATE)])
    loud = np.flatnonzero(np.abs(slowed(voiced, 1.4)) > 300) / RATE
    assert loud[0] == pytest.approx(1.4, abs=0.06)
    assert loud[-1] == pytest.approx(1.4 * 1.2, abs=0.06)


def test_pink_noise_has_as_much_power_in_every_octave() -> None:
    power = np.abs(np.fft.rfft(pink(1 << 17, np.random.default_rng(1)))) ** 2
    at = np.fft.rfftfreq(1 << 17, 1 / RATE)
    octaves = [power[(at >= low) & (at < 2 * low)].sum() for low in (125, 250, 500, 1000, 2000, 4000)]
    assert max(octaves) / min(octaves) < 1.15


def test_music_has_tones_and_goes_on_all_the_time() -> None:
    sound = music(4 * RATE, np.random.default_rng(3))
    assert len(sound) == 4 * RATE
    assert (np.abs(sound).reshape(-1, RATE // 4).max(axis=1) > 0.05).all()
    spectrum = np.sort(np.abs(np.fft.rfft(sound[:RATE] * np.hanning(RATE))) ** 2)
    assert spectrum[-80:].sum() / spectrum.sum() > 0.5
    assert (music(RATE, np.random.default_rng(3)) == music(RATE, np.random.default_rng(3))).all()


def test_conditions_are_chosen_by_name() -> None:
    assert chosen("clean, pink-7.5,clean") == ("clean", "pink-7.5")
    assert "babble-5" in chosen("all")
    assert "babble-5" not in chosen("default")
    for wrong in ("loud", "pink", "pink-loud", "clean-5", ","):
        with pytest.raises(SystemExit, match=r"condition"):
            chosen(wrong)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("names") / "brother-thunder"
    folder.mkdir()
    paths = [folder / f"{number}.wav" for number in range(4)]
    for path, person in zip(paths, PEOPLE, strict=False):
        write_clip(path, speak("brother thunder", person))
    return paths


@pytest.mark.speech
@pytest.mark.parametrize("condition", ["pink-10", "pink-5", "room-10", "babble-10", "music-5"])
def test_noise_lies_as_far_below_the_speech_as_its_name_says(spoken: list[Path], condition: str) -> None:
    scene = Rooms([], spoken, TakeMaker()).put(spoken[0], condition)
    clip = load(spoken[0]).astype(np.float64)
    mixed = scene.samples.astype(np.float64)
    assert len(mixed) == BEFORE + len(clip) + AFTER
    assert scene.seconds == pytest.approx(len(clip) / RATE)
    noise = mixed.copy()
    noise[BEFORE : BEFORE + len(clip)] -= clip
    speech = np.array(TakeMaker().probabilities(load(spoken[0]))) > 0.5
    active = np.repeat(speech, 512)
    power = np.mean(clip[: len(active)][active] ** 2)
    assert 10 * np.log10(power / np.mean(noise**2)) == pytest.approx(float(condition.split("-")[1]), abs=0.2)


@pytest.mark.speech
def test_every_condition_is_the_same_each_time_and_differs_from_the_others(spoken: list[Path]) -> None:
    made = {}
    for condition in chosen("all"):
        first, second = (Rooms([], spoken, TakeMaker()).put(spoken[1], condition) for _ in range(2))
        assert (first.samples == second.samples).all(), condition
        made[condition] = first
    assert len({scene.samples.tobytes() for scene in made.values()}) == len(made)
    levels = {name: float(np.std(scene.samples)) for name, scene in made.items()}
    assert levels["quiet"] == pytest.approx(levels["clean"] / 10, rel=0.05)
    assert made["slow"].seconds == pytest.approx(1.4 * made["clean"].seconds, abs=1e-3)


@pytest.mark.speech
def test_babble_is_made_of_other_clips(spoken: list[Path]) -> None:
    alone = Rooms([], spoken[:2], TakeMaker()).put(spoken[0], "babble-0").samples.astype(np.float64)
    clip, other = (load(path).astype(np.float64) for path in spoken[:2])
    alone[BEFORE : BEFORE + len(clip)] -= clip
    wanted = np.resize(other[::-1], len(alone))
    likeness = np.fft.irfft(np.fft.rfft(alone) * np.conj(np.fft.rfft(wanted)), len(alone)).max()
    assert likeness / (np.linalg.norm(alone) * np.linalg.norm(wanted)) > 0.95, "backwards, from anywhere on"
