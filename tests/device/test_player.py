"""The speaker in audio time, and the speaker on a sound card that may not be there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from voice.adapters.player import CardPlayer, TimelinePlayer, joined
from voice.audio import Clip
from voice.errors import AudioError


def clip(seconds: float, value: int = 10_000, rate: int = 16_000) -> Clip:
    return Clip(np.full(round(seconds * rate), value, np.int16), rate)


def test_what_was_played_lines_up_with_the_microphone(tmp_path: Path) -> None:
    player = TimelinePlayer(tmp_path / "out.wav")
    for index in range(1, 101):
        player.tick(index * 0.08)
        if index == 25:
            player.play([clip(0.5), clip(0.25, 5_000)], 1.0)
    player.close()
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert rate == 16_000
    assert len(sound) == 100 * 1_280
    assert not sound[:32_000].any()
    assert (abs(sound[32_000:40_000].astype(int) - 10_000) < 2).all()
    assert (abs(sound[40_000:44_000].astype(int) - 5_000) < 2).all()
    assert not sound[44_000:].any()
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]


def test_playing_ends_in_audio_time() -> None:
    player = TimelinePlayer()
    player.tick(1.0)
    player.play([clip(0.2)], 1.0)
    assert player.playing()
    player.tick(1.16)
    assert player.playing()
    player.tick(1.24)
    assert not player.playing()


def test_stop_cuts_off_what_is_left(tmp_path: Path) -> None:
    player = TimelinePlayer(tmp_path / "out.wav")
    player.tick(0.08)
    player.play([clip(1.0)], 1.0)
    player.tick(0.16)
    player.stop()
    assert not player.playing()
    player.tick(0.8)
    player.close()
    sound, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert np.count_nonzero(sound) == 1_280


def test_what_still_sounds_at_the_end_is_in_the_file(tmp_path: Path) -> None:
    player = TimelinePlayer(tmp_path / "out.wav")
    player.tick(0.08)
    player.play([clip(1.0)], 1.0)
    player.close()
    assert soundfile.info(tmp_path / "out.wav").frames == 1_280 + 16_000


def test_a_run_that_broke_leaves_no_file_and_no_folder_is_an_error(tmp_path: Path) -> None:
    player = TimelinePlayer(tmp_path / "out.wav")
    player.tick(1.0)
    player.discard()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AudioError, match="cannot be written"):
        TimelinePlayer(tmp_path / "absent" / "out.wav")


def test_clips_of_different_rates_become_one_sound_at_the_asked_gain() -> None:
    sound = joined([clip(1.0, rate=22_050), clip(1.0, rate=8_000)], 16_000, 0.5)
    assert len(sound) == 32_000
    assert np.median(sound) == pytest.approx(5_000, abs=5)


class FakeCard:
    """sounddevice, as far as the player uses it."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *, there: bool = True) -> None:
        self.there = there
        self.played: list[np.ndarray] = []
        self.log: list[str] = []
        self.opened = 0

    def check_output_settings(self, **_: Any) -> None:
        if not self.there:
            raise self.PortAudioError("no such device")

    def query_devices(self, device: object, kind: str) -> dict[str, float]:
        self.check_output_settings()
        return {"default_samplerate": 16_000.0}

    def OutputStream(self, *, callback: Any, **_: Any) -> Any:
        card = self
        card.opened += 1

        class Stream:
            active = False

            def start(self) -> None:
                self.active = True

            def abort(self) -> None:
                self.active = False

            def close(self) -> None:
                card.log.append("close")

            def pull(self, frames: int, ahead_s: float = 0.1) -> None:
                out = np.empty((frames, 1), np.int16)
                times = SimpleNamespace(currentTime=5.0, outputBufferDacTime=5.0 + ahead_s)
                callback(out, frames, times, SimpleNamespace())
                card.played.append(out[:, 0])

        self.stream = Stream()
        return self.stream


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_speaker_that_has_ended_gives_its_card_back_before_portaudio_starts_anew() -> None:
    card: Any = FakeCard()
    hands = Hands()
    player = CardPlayer(None, hands, card)
    assert player.released()
    player.play([clip(0.1)], 1.0)
    card.stream.pull(512)
    assert not player.released()
    for _ in range(3):
        card.stream.pull(512)
    hands.now += 1.0
    assert card.log == []
    assert player.released()
    assert card.log == ["close"]
    player.tick(0.0)
    assert not player.playing()


def test_a_card_plays_every_sample_once_and_has_ended_when_the_last_was_heard() -> None:
    card: Any = FakeCard()
    hands = Hands()
    player = CardPlayer(None, hands, card)
    player.play([clip(0.1)], 1.0)
    for _ in range(4):
        assert player.playing()
        card.stream.pull(512)
    hands.now += 0.1
    assert player.playing()
    hands.now += 0.1
    assert not player.playing()
    sound = np.concatenate(card.played)
    assert np.count_nonzero(sound) == 1_600
    assert not sound[1_600:].any()


def test_what_follows_a_sound_begins_on_the_open_card_and_a_long_silence_closes_it() -> None:
    card: Any = FakeCard()
    hands = Hands()
    player = CardPlayer(None, hands, card)
    for _ in range(2):
        player.play([clip(0.1)], 1.0)
        card.stream.pull(2_000)
        hands.now += 1.0
        player.tick(0.0)
    assert card.opened == 1
    hands.now += 10.0
    player.tick(0.0)
    assert card.log == ["close"]
    player.play([clip(0.1)], 1.0)
    assert card.opened == 2


def test_a_card_that_takes_no_more_sound_does_not_hold_the_exchange() -> None:
    card: Any = FakeCard()
    hands = Hands()
    player = CardPlayer(None, hands, card)
    player.play([clip(1.0)], 1.0)
    hands.now += 5.0
    assert not player.playing()
    player.play([clip(1.0)], 1.0)
    card.stream.active = False
    assert not player.playing()


def test_a_speaker_that_is_gone_costs_the_sound_and_not_the_exchange() -> None:
    card: Any = FakeCard(there=False)
    player = CardPlayer(None, Hands(), card)
    player.play([clip(0.1)], 1.0)
    assert not player.playing()
    with pytest.raises(AudioError, match="No speaker"):
        player.check()


def test_a_closed_speaker_plays_nothing_more() -> None:
    card: Any = FakeCard()
    player = CardPlayer(None, Hands(), card)
    player.play([clip(1.0)], 1.0)
    player.close()
    assert not player.playing()
    player.play([clip(1.0)], 1.0)
    assert not player.playing()
