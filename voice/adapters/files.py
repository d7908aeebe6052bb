"""Sound files (WAV, FLAC, what libsndfile reads): as a clip, or as a microphone in audio time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from voice.audio import BLOCK_S, HOP, RATE, Clip, Samples
from voice.errors import AudioError
from voice.ports import Back, Block, Gap, Lost

CHUNK_S: Final = 4
"""Seconds of a file in memory at a time."""

RATES: Final = range(4_000, 384_001)
"""Sample rates that make sense as speech."""

UNKNOWN_SIZES: Final = (0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFFFFF - 36)
"""What programs that write WAV into a pipe put where the size belongs."""


class FileMicrophone:
    """The file as the microphone: blocks of 80 ms, the last one filled up with silence."""

    def __init__(self, path: Path) -> None:
        """Opens the file far enough to know that it is sound. Raises AudioError."""
        self._path = path
        self._file, self.seconds = _open(path)

    def __iter__(self) -> Iterator[Block | Gap | Lost | Back]:
        """The file once, from its beginning. Raises AudioError where it turns out to be damaged."""
        start, left = 0, np.empty(0, np.int16)
        with self._file:
            for piece in _pieces(self._path, self._file):
                left = np.concatenate([left, piece])
                whole = len(left) // HOP
                for index in range(whole):
                    yield Block(left[index * HOP : (index + 1) * HOP], (start + index) * BLOCK_S)
                start, left = start + whole, left[whole * HOP :]
        if len(left):
            yield Block(np.pad(left, (0, HOP - len(left))), start * BLOCK_S)

    def waiting(self) -> int:
        """A file never runs ahead."""
        return 0


def read_clip(path: Path, rate: int | None = RATE) -> Clip:
    """The whole file as int16 mono at `rate`, or at its own rate when None. Raises AudioError."""
    file, _ = _open(path)
    with file:
        pieces = list(_pieces(path, file, rate or file.samplerate))
        return Clip(np.concatenate(pieces) if pieces else np.empty(0, np.int16), rate or file.samplerate)


def _open(path: Path) -> tuple[soundfile.SoundFile, float]:
    remedy = "Give a WAV or FLAC file with speech in it."
    if not path.exists():
        raise AudioError(f"There is no file {path}.", "Check the path.")
    if path.is_dir():
        raise AudioError(f"{path} is a folder.", remedy)
    try:
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty: 0 bytes.", remedy)
        _refuse_cut_short(path)
        file = soundfile.SoundFile(str(path))
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}.", "Check who may read it.") from error
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} is not a sound file that can be read here.", remedy) from error
    if file.frames == 0:
        file.close()
        raise AudioError(f"{path} holds no sound: its header is there, and nothing after it.", remedy)
    if file.samplerate not in RATES:
        rate = file.samplerate
        file.close()
        raise AudioError(f"{path} has {rate} samples a second.", "Give a file with 8,000 to 48,000.")
    return file, file.frames / file.samplerate


def _refuse_cut_short(path: Path) -> None:
    """libsndfile quietly reads what is left of a truncated WAV; a person should know."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        while True:
            chunk = file.read(8)
            if len(chunk) < 8:
                return
            length = struct.unpack("<I", chunk[4:])[0]
            if chunk[:4] == b"data":
                break
            file.seek(length + length % 2, 1)
        if length not in UNKNOWN_SIZES and length > size - file.tell():
            held = 100 * (size - file.tell()) // length
            raise AudioError(
                f"{path} is cut short: only {held} % of the sound its header promises is there.",
                "Copy or export the file again.",
            )


def _pieces(path: Path, file: soundfile.SoundFile, rate: int = RATE) -> Iterator[Samples]:
    """The file's sound in order, int16 mono at `rate`, a few seconds at a time."""
    resampler = (
        None if file.samplerate == rate else soxr.ResampleStream(file.samplerate, rate, 1, dtype="float32")
    )
    frames = 0
    while True:
        try:
            raw = file.read(CHUNK_S * file.samplerate, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _damaged(path, frames, file) from error
        frames += len(raw)
        mono = np.nan_to_num(raw.mean(axis=1), nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32)
        last = len(raw) < CHUNK_S * file.samplerate
        sound = mono if resampler is None else resampler.resample_chunk(mono, last=last)
        if len(sound):
            yield _int16(sound)
        if last:
            break
    if frames < file.frames:
        raise _damaged(path, frames, file)


def _damaged(path: Path, frames: int, file: soundfile.SoundFile) -> AudioError:
    return AudioError(
        f"{path} is damaged or cut short after {frames / file.samplerate:.1f} s.",
        "Copy or export the file again.",
    )


def _int16(sound: NDArray[np.float32]) -> Samples:
    return np.clip(np.round(sound * 32768.0), -32768, 32767).astype(np.int16)
