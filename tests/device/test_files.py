"""Sound files of every kind a person may give, good and bad."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voice.adapters.files import FileMicrophone, read_clip
from voice.audio import BLOCK_S, HOP, level_db
from voice.errors import AudioError
from voice.ports import Block


def sine(rate: int, seconds: float, channels: int = 1) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    mono = 0.5 * np.sin(2 * np.pi * 440 * t)
    return np.stack([mono] * channels, axis=1).astype(np.float32)


def blocks(path: Path) -> list[Block]:
    return [item for item in FileMicrophone(path) if isinstance(item, Block)]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_any_rate_mono_or_stereo_becomes_blocks_at_16_khz(
    tmp_path: Path, rate: int, channels: int, kind: str
) -> None:
    path = tmp_path / f"in.{kind}"
    soundfile.write(path, sine(rate, 10.0, channels), rate)
    got = blocks(path)
    assert len(got) == 125
    assert all(block.samples.shape == (HOP,) and block.samples.dtype == np.int16 for block in got)
    assert [block.start_s for block in got[:3]] == pytest.approx([0.0, BLOCK_S, 2 * BLOCK_S])
    middle = np.concatenate([block.samples for block in got[20:100]])
    assert level_db(middle) == pytest.approx(-9.03, abs=0.1)
    spectrum = np.abs(np.fft.rfft(middle.astype(float)))
    assert np.argmax(spectrum) * 16_000 / len(middle) == pytest.approx(440, abs=1)


def test_the_last_block_is_filled_up_with_silence(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, sine(16_000, 0.1), 16_000)
    first, last = blocks(path)
    assert first.samples.any()
    assert not last.samples[-900:].any()


def test_a_clipped_file_is_heard_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, sine(16_000, 1.0) * 4, 16_000, subtype="FLOAT")
    assert max(int(block.samples.max()) for block in blocks(path)) == 32_767


def test_a_file_with_what_is_no_number_gives_silence_there(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    sound = sine(16_000, 1.0)
    sound[100:200] = np.nan
    soundfile.write(path, sound, 16_000, subtype="FLOAT")
    assert not blocks(path)[0].samples[100:200].any()


def test_a_wav_from_a_pipe_whose_size_was_never_filled_in_is_read(tmp_path: Path) -> None:
    data = wav_bytes()
    path = tmp_path / "in.wav"
    path.write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])
    assert len(blocks(path)) == 13


def test_a_clip_at_its_own_rate_and_at_ours(tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    soundfile.write(path, sine(22_050, 2.0), 22_050)
    assert read_clip(path).rate == 16_000
    assert read_clip(path).seconds == pytest.approx(2.0, abs=0.01)
    assert read_clip(path, rate=None).rate == 22_050


def wav_bytes() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((sine(16_000, 1.0)[:, 0] * 32_767).astype(np.int16).tobytes())
    return buffer.getvalue()


def flac_bytes() -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).normal(0, 0.2, 160_000)
    soundfile.write(buffer, noise, 16_000, format="FLAC")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"this is not sound, it is text\n" * 50, "is not a sound file"),
        (wav_bytes()[:20], "is not a sound file"),
        (wav_bytes()[:44], "cut short"),
        (wav_bytes()[:16_044], "cut short: only 50 %"),
        (flac_bytes()[:40_000], "damaged or cut short"),
    ],
)
def test_a_file_without_usable_sound_is_an_error_with_its_cause(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=said) as caught:
        blocks(path)
    assert caught.value.remedy


def test_a_wav_without_a_single_sample_and_a_missing_one_and_a_folder(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError, match="holds no sound"):
        FileMicrophone(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="There is no file"):
        FileMicrophone(tmp_path / "absent.wav")
    with pytest.raises(AudioError, match="is a folder"):
        FileMicrophone(tmp_path)
