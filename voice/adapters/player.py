"""The speaker: a sound card, or a file in audio time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from voice.adapters.portaudio import sound_library
from voice.audio import RATE, Clip, Samples
from voice.errors import AudioError

log = logging.getLogger(__name__)

LATENCY_S: Final = 0.15
"""What the card is asked for: soon enough for a tone, long enough not to stutter on a small machine."""

IDLE_S: Final = 4.0
"""The card is closed after this much silence."""

MOST_AHEAD_S: Final = 1.0
"""How far ahead of the ear a card may claim to be."""

STALLED_S: Final = 3.0
"""A sound that should have ended this long ago, and has not, never will."""

SILENCE_CHUNK: Final = 10 * RATE
"""Samples of silence written to a file at a time."""


def joined(clips: Iterable[Clip], rate: int, gain: float) -> Samples:
    """The clips one after the other, at one rate and gain."""
    pieces = [_at_rate(clip, rate) for clip in clips]
    if not pieces:
        return np.empty(0, np.int16)
    sound = np.concatenate(pieces) * np.float32(gain * 32767.0)
    whole: Samples = np.clip(sound, -32768, 32767).astype(np.int16)
    return whole


def _at_rate(clip: Clip, rate: int) -> NDArray[np.float32]:
    sound = clip.samples.astype(np.float32) / 32768.0
    return sound if clip.rate == rate else np.asarray(soxr.resample(sound, clip.rate, rate), dtype=np.float32)


class CardPlayer:
    """Plays through a sound card. `device` is a PortAudio name or number; None is the system's choice.

    A speaker that cannot be opened costs the sound and a line in the log, never the exchange. The card stays
    open for a few seconds after a sound: what follows begins at once, and no end is cut off by closing early.
    """

    def __init__(
        self,
        device: str | int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sound: ModuleType | None = None,
    ) -> None:
        self._sound = sound or sound_library()
        self._device = device
        self._monotonic = monotonic
        self._stream: Any = None
        self._rate = 0
        self._left: Samples = np.empty(0, np.int16)
        self._ends_s = 0.0
        """When the last sample leaves the speaker, on the monotonic clock; counts once nothing is left."""
        self._lock = threading.Lock()
        self._closed = False

    def check(self) -> None:
        """Raises AudioError when there is no such speaker."""
        try:
            self._sound.check_output_settings(device=self._device, channels=1, dtype="int16")
        except (self._sound.PortAudioError, ValueError) as error:
            raise AudioError(
                f"No speaker could be opened: {error}.",
                "Plug one in, or choose one of `python -m sounddevice` with --output-device.",
            ) from error

    def tick(self, now_s: float) -> None:
        """A sound card keeps its own time; this only closes one that has been silent for long enough."""
        if self._stream is not None and not self.playing() and self._monotonic() - self._ends_s > IDLE_S:
            self._shut()

    def play(self, clips: Iterable[Clip], gain: float) -> None:
        """Start playing, in place of anything still sounding."""
        if self._closed:
            return
        try:
            if not self._active():
                self._open()
            samples = joined(clips, self._rate, gain)
            with self._lock:
                self._left, self._ends_s = samples, self._monotonic() + len(samples) / self._rate
        except (self._sound.PortAudioError, ValueError) as error:
            log.error("the speaker cannot be opened: %s", error)
            self._shut()

    def stop(self) -> None:
        """Fall silent now."""
        self._shut()

    def released(self) -> bool:
        """Give the card back, unless sound is coming out; whether it is given back.

        PortAudio must not be started anew under an open stream: the stream would be gone, and asking it
        anything a use of freed memory.
        """
        if self.playing():
            return False
        self._shut()
        return True

    def close(self) -> None:
        """Be silent from now on. May be called from a signal handler; `stop` frees the card."""
        self._closed = True

    def playing(self) -> bool:
        """Whether sound is still coming out; what the card has not played yet counts."""
        if self._closed or self._stream is None:
            return False
        if not self._active():
            log.error("the speaker is gone")
            self._shut()
            return False
        with self._lock:
            left, ends_s = len(self._left), self._ends_s
        if left > 0 and self._monotonic() - ends_s > STALLED_S:
            log.error("the speaker takes no more sound")
            self._shut()
            return False
        return left > 0 or self._monotonic() < ends_s

    def _active(self) -> bool:
        try:
            return self._stream is not None and bool(self._stream.active)
        except self._sound.PortAudioError:
            return False

    def _open(self) -> None:
        self._shut()
        self._rate = int(self._sound.query_devices(self._device, "output")["default_samplerate"])
        self._stream = self._sound.OutputStream(
            samplerate=self._rate,
            channels=1,
            dtype="int16",
            device=self._device,
            latency=LATENCY_S,
            callback=self._fill,
        )
        self._stream.start()

    def _shut(self) -> None:
        stream, self._stream = self._stream, None
        with self._lock:
            self._left = np.empty(0, np.int16)
        if stream is None:
            return
        try:
            stream.abort()
            stream.close()
        except self._sound.PortAudioError as error:
            log.warning("the speaker did not close: %s", error)

    def _fill(self, out: NDArray[np.int16], frames: int, times: Any, status: Any) -> None:
        """Called by PortAudio on its own thread, for `frames` samples into `out`, shape (frames, 1)."""
        with self._lock:
            piece, self._left = self._left[:frames], self._left[frames:]
            if len(piece):
                ahead = min(max(times.outputBufferDacTime - times.currentTime, 0.0), MOST_AHEAD_S)
                seconds = (len(piece) + len(self._left)) / self._rate
                self._ends_s = self._monotonic() + ahead + seconds
        out[: len(piece), 0] = piece
        out[len(piece) :] = 0


class TimelinePlayer:
    """Plays into audio time, and into a 16 kHz WAV that lines up with the microphone's, where one is wanted.

    The file is written as time goes by and gets its name at the end: a day of audio needs no memory, and a
    broken run leaves no half file.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Raises AudioError when the file cannot be written."""
        self._now = 0
        self._start = 0
        self._sound: Samples = np.empty(0, np.int16)
        self._written = 0
        self._path = path
        self._file: soundfile.SoundFile | None = None
        if path is not None:
            self._scratch = path.with_name(f"{path.name}.part")
            try:
                self._file = soundfile.SoundFile(
                    str(self._scratch), "w", RATE, 1, subtype="PCM_16", format="WAV"
                )
            except (OSError, soundfile.LibsndfileError) as error:
                raise AudioError(f"{path} cannot be written.", "Choose a folder that exists.") from error

    def tick(self, now_s: float) -> None:
        """Move on to `now_s` seconds of audio."""
        self._now = round(now_s * RATE)
        self._write_until(self._now)

    def play(self, clips: Iterable[Clip], gain: float) -> None:
        """Play from now."""
        self.stop()
        self._start, self._sound = self._now, joined(clips, RATE, gain)

    def stop(self) -> None:
        """Silence from now."""
        self._sound = self._sound[: max(0, self._now - self._start)]

    def playing(self) -> bool:
        """Whether anything is left to play now."""
        return self._now < self._start + len(self._sound)

    def close(self) -> None:
        """Finish the file and give it its name. Raises AudioError when it cannot be written."""
        if self._file is None or self._path is None:
            return
        self._write_until(max(self._now, self._start + len(self._sound)))
        try:
            self._file.close()
            self._scratch.replace(self._path)
        except (OSError, soundfile.LibsndfileError) as error:
            raise AudioError(f"{self._path} cannot be written.", "Is the disk full?") from error
        self._file = None

    def discard(self) -> None:
        """Leave no file behind."""
        if self._file is not None:
            self._file.close()
            self._scratch.unlink(missing_ok=True)
            self._file = None

    def _write_until(self, sample: int) -> None:
        if self._file is None:
            return
        while self._written < sample:
            begin = self._written - self._start
            if 0 <= begin < len(self._sound):
                piece = self._sound[begin : begin + sample - self._written]
            else:
                ahead = self._start - self._written if begin < 0 else sample
                piece = np.zeros(min(sample - self._written, SILENCE_CHUNK, ahead), np.int16)
            try:
                self._file.write(piece)
            except (OSError, soundfile.LibsndfileError) as error:
                raise AudioError(f"{self._path} cannot be written.", "Is the disk full?") from error
            self._written += len(piece)
