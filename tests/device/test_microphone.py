"""The microphone on a sound card: unplugged, back, too fast for us, at another rate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from voice.adapters.microphone import QUEUE_BLOCKS, CardMicrophone
from voice.adapters.portaudio import sound_library
from voice.audio import BLOCK_S, HOP
from voice.errors import AudioError
from voice.ports import Back, Block, Gap, Lost


class Card:
    """sounddevice, as far as the microphone uses it; `push` is the hardware."""

    class PortAudioError(Exception):
        pass

    def __init__(self, rate: int = 16_000) -> None:
        self.rate = rate
        self.there = True
        self.sounding = True
        self.refusals = 0
        self.early: list[tuple[np.ndarray, bool]] = []
        self.log: list[str] = []
        self.streams: list[Any] = []

    def check_input_settings(self, samplerate: int, **_: Any) -> None:
        if samplerate != self.rate or not self.there:
            raise self.PortAudioError("invalid sample rate")

    def query_devices(self, device: object, kind: str) -> dict[str, float]:
        if not self.there:
            raise self.PortAudioError("device unavailable")
        return {"default_samplerate": float(self.rate)}

    def InputStream(self, *, callback: Callable[..., None], **_: Any) -> Any:
        if not self.there:
            raise self.PortAudioError("device unavailable")
        self.log.append("open")
        log, card = self.log, self

        class Stream:
            active = True
            call = staticmethod(callback)

            def start(self) -> None:
                if len(card.streams) > 1 and card.sounding:
                    card.push(samples(2))
                early, card.early = card.early, []
                for sound, overflow in early:
                    card.push(sound, overflow)

            def abort(self, ignore_errors: bool = True) -> None:
                self.active = False

            def close(self, ignore_errors: bool = True) -> None:
                log.append("close")

        self.streams.append(Stream())
        return self.streams[-1]

    def push(self, samples: np.ndarray, overflow: bool = False) -> None:
        if not self.streams:
            self.early.append((samples, overflow))
            return
        self.streams[-1].call(
            samples.reshape(-1, 1), len(samples), None, SimpleNamespace(input_overflow=overflow)
        )

    def unplug(self) -> None:
        self.there = False
        self.streams[-1].active = False

    def _terminate(self) -> None:
        if "initialize" not in self.log[-2:] and "terminate" in self.log[-1:]:
            raise self.PortAudioError("not initialized")
        self.log.append("terminate")

    def _initialize(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise self.PortAudioError("internal error")
        self.log.append("initialize")


class Time:
    """Passes only when slept through; `at` plugs things in on the way."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at: dict[float, Callable[[], None]] = {}

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [m for m in self.at if m <= self.now]:
            self.at.pop(moment)()


def microphone(card: Card, time: Time, may_rescan: bool = True) -> CardMicrophone:
    module: Any = card
    return CardMicrophone(None, time, lambda: may_rescan, module)


def samples(value: int, count: int = HOP) -> np.ndarray:
    return np.full(count, value, np.int16)


def test_pieces_of_any_size_become_blocks_without_a_hole() -> None:
    card = Card()
    mic = microphone(card, Time())
    sound = np.arange(4 * HOP).astype(np.int16)
    for start in range(0, len(sound), 500):
        card.push(sound[start : start + 500])
    items = iter(mic)
    got = [next(items) for _ in range(4)]
    assert all(isinstance(item, Block) for item in got)
    assert np.array_equal(np.concatenate([i.samples for i in got if isinstance(i, Block)]), sound)
    assert [i.start_s for i in got if isinstance(i, Block)] == pytest.approx([n * BLOCK_S for n in range(4)])


def test_an_unplugged_microphone_is_lost_once_time_goes_on_and_it_comes_back() -> None:
    card, time = Card(), Time()
    mic = microphone(card, time)
    items = iter(mic)
    card.push(samples(1))
    assert isinstance(next(items), Block)
    card.unplug()

    def plug_in() -> None:
        card.there = True

    time.at[5.0] = plug_in
    assert isinstance(next(items), Lost)
    gaps = []
    while isinstance(item := next(items), Gap):
        gaps.append(item)
    assert isinstance(item, Back)
    assert len(gaps) == pytest.approx(6.0 / BLOCK_S, abs=2)
    assert gaps[0].start_s == pytest.approx(BLOCK_S)
    block = next(items)
    assert isinstance(block, Block)
    assert block.start_s == pytest.approx(gaps[-1].start_s + BLOCK_S)


def test_portaudio_is_started_anew_only_while_the_speaker_is_silent() -> None:
    for may, expected in ((True, True), (False, False)):
        card, time = Card(), Time()
        items = iter(microphone(card, time, may))
        card.push(samples(1))
        next(items)
        card.unplug()
        assert isinstance(next(items), Lost)
        for _ in range(60):
            next(items)
        assert ("terminate" in card.log) is expected


def test_a_portaudio_that_does_not_start_at_once_is_tried_again() -> None:
    """A sound server that is starting anew: the device must not end for it."""
    card, time = Card(), Time()
    mic = microphone(card, time)
    items = iter(mic)
    card.push(samples(1))
    assert isinstance(next(items), Block)
    card.unplug()
    card.refusals = 2
    time.at[0.5] = lambda: setattr(card, "there", True)
    got = [next(items)]
    while not isinstance(got[-1], Back):
        got.append(next(items))
    assert isinstance(got[0], Lost)
    assert card.refusals == 0
    assert card.log[-2:] == ["initialize", "open"]


def test_what_the_device_was_too_slow_for_is_counted_as_gaps() -> None:
    card = Card()
    mic = microphone(card, Time())
    for _ in range(QUEUE_BLOCKS + 5):
        card.push(samples(1))
    items = iter(mic)
    assert [type(next(items)) for _ in range(6)] == [Gap] * 5 + [Block]
    assert mic.waiting() == QUEUE_BLOCKS - 1


def test_the_microphone_is_not_open_before_listening_begins() -> None:
    card = Card()
    mic = microphone(card, Time())
    assert card.log == []
    card.push(samples(1))
    next(iter(mic))
    assert card.log == ["open"]


def test_a_microphone_that_opens_and_gives_no_sound_is_not_back() -> None:
    card, time = Card(), Time()
    items = iter(microphone(card, time))
    card.push(samples(1))
    next(items)
    card.unplug()
    card.there, card.sounding = True, False
    assert isinstance(next(items), Lost)
    assert all(isinstance(next(items), Gap) for _ in range(30))


def test_an_overflow_of_the_card_leaves_a_gap() -> None:
    card = Card()
    mic = microphone(card, Time())
    card.push(samples(1), overflow=True)
    assert isinstance(next(iter(mic)), Gap)


def test_a_card_of_another_rate_is_resampled() -> None:
    card = Card(rate=48_000)
    mic = microphone(card, Time())
    for _ in range(5):
        card.push(samples(1_000, 3_840))
    items = iter(mic)
    got = [next(items) for _ in range(3)]
    assert all(isinstance(item, Block) for item in got)
    assert isinstance(got[2], Block)
    assert np.median(got[2].samples) == pytest.approx(1_000, abs=3)


def test_stopping_ends_the_iteration_with_lost() -> None:
    card = Card()
    mic = microphone(card, Time())
    items = iter(mic)
    card.push(samples(1))
    assert isinstance(next(items), Block)
    mic.stop()
    assert [type(item) for item in items] == [Lost]


def test_stopping_while_the_microphone_is_away_ends_the_iteration() -> None:
    card = Card()
    mic = microphone(card, Time())
    items = iter(mic)
    card.push(samples(1))
    next(items)
    card.unplug()
    assert [type(next(items)) for _ in range(3)] == [Lost, Gap, Gap]
    mic.stop()
    assert list(items) == []


def test_no_microphone_is_an_error_with_a_remedy() -> None:
    card = Card()
    card.there = False
    with pytest.raises(AudioError, match="No microphone could be opened") as caught:
        microphone(card, Time())
    assert "--device" in caught.value.remedy


def test_without_portaudio_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(AudioError, match="PortAudio") as caught:
        sound_library()
    assert "apt-get install libportaudio2" in caught.value.remedy
