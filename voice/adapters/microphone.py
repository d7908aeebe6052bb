"""The microphone on a sound card. Outlives being unplugged: says so, keeps time going, and comes back."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any, Final, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from voice.adapters.portaudio import sound_library
from voice.audio import BLOCK_S, HOP, RATE, Samples
from voice.errors import AudioError
from voice.ports import Back, Block, Gap, Lost

log = logging.getLogger(__name__)

LATENCY_S: Final = 0.1
"""What the card is asked for: PortAudio's own defaults are 10 ms or, through a sound server, 2 s."""

SILENT_S: Final = 2.4
"""Seconds without anything from the sound card after which the microphone counts as gone."""

FIRST_S: Final = 1.0
"""Seconds in which a microphone that was opened again must give its first sound."""

RETRY_S: Final = 2.0
"""Seconds between two tries to open it again."""

QUEUE_BLOCKS: Final = 250
"""20 s that the rest of the device may be behind before blocks are lost."""


class Pacing(Protocol):
    """Time that only moves forward, for the times without a microphone."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class CardMicrophone:
    """Blocks from a sound card at 16 kHz, or at the card's own rate and resampled.

    `device` is a PortAudio name or number; None is the system's choice. `may_rescan` answers whether
    PortAudio may be started anew to find a card that was plugged in: not while the speaker has a stream.
    """

    def __init__(
        self,
        device: str | int | None,
        pacing: Pacing,
        may_rescan: Callable[[], bool],
        sound: ModuleType | None = None,
    ) -> None:
        self._sound = sound or sound_library()
        self._device = device
        self._pacing = pacing
        self._may_rescan = may_rescan
        self._queue: queue.Queue[Samples] = queue.Queue(maxsize=QUEUE_BLOCKS)
        self._lost = 0
        self._lost_lock = threading.Lock()
        self._stream: Any = None
        self._resampler: Any = None
        self._first: list[Samples] = []
        """What a microphone gave when it was opened again, before anything in the queue."""
        self._closed = False
        self._check()

    def __iter__(self) -> Iterator[Block | Gap | Lost | Back]:
        """Blocks from now until `stop`, then Lost; gaps while there is no microphone."""
        self._open()
        index, left = 0, np.empty(0, np.int16)
        while not self._closed:
            missed = self._take_lost()
            for _ in range(missed // HOP):
                yield Gap(index * BLOCK_S)
                index += 1
            piece = self._next()
            if self._closed:
                break
            if piece is None:
                yield Lost()
                left = np.empty(0, np.int16)
                for gap in self._until_back():
                    if not gap:
                        break
                    yield Gap(index * BLOCK_S)
                    index += 1
                else:
                    return
                yield Back()
                continue
            left = np.concatenate([left, piece])
            while len(left) >= HOP:
                yield Block(left[:HOP], index * BLOCK_S)
                index, left = index + 1, left[HOP:]
        yield Lost()

    def waiting(self) -> int:
        """Blocks captured and not yet taken."""
        return self._queue.qsize()

    def stop(self) -> None:
        """Let the iteration end, with Lost as its last item. May be called from a signal handler."""
        self._closed = True

    def close(self) -> None:
        """Close the card."""
        self._closed = True
        self._shut()

    def _check(self) -> None:
        """Raises AudioError when there is no such microphone. It is opened only when listening begins."""
        try:
            self._rate()
        except (self._sound.PortAudioError, ValueError) as error:
            raise _none(error) from error

    def _open(self) -> None:
        """Raises AudioError when there is no such microphone."""
        try:
            rate = self._rate()
            self._resampler = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="int16")
            self._stream = self._sound.InputStream(
                samplerate=rate,
                blocksize=round(rate * BLOCK_S),
                channels=1,
                dtype="int16",
                device=self._device,
                latency=LATENCY_S,
                callback=self._capture,
            )
            self._stream.start()
        except (self._sound.PortAudioError, ValueError) as error:
            self._shut()
            raise _none(error) from error

    def _rate(self) -> int:
        try:
            self._sound.check_input_settings(device=self._device, channels=1, dtype="int16", samplerate=RATE)
        except self._sound.PortAudioError:
            return int(self._sound.query_devices(self._device, "input")["default_samplerate"])
        return RATE

    def _capture(self, data: NDArray[np.int16], frames: int, time: Any, status: Any) -> None:
        """Called by PortAudio on its own thread, with `data` of shape (frames, 1)."""
        sound: Samples = data[:, 0].copy()
        if self._resampler is not None:
            sound = self._resampler.resample_chunk(sound)
        if status.input_overflow:
            # How much the card lost is not said; one block keeps hearing from running across the seam.
            self._count_lost(HOP)
        try:
            self._queue.put_nowait(sound)
        except queue.Full:
            self._count_lost(len(sound))

    def _count_lost(self, samples: int) -> None:
        with self._lost_lock:
            self._lost += samples

    def _take_lost(self) -> int:
        with self._lost_lock:
            taken = self._lost // HOP * HOP
            self._lost -= taken
        if taken:
            log.warning("%.2f s from the microphone were lost", taken / RATE)
        return taken

    def _next(self) -> Samples | None:
        """The next sound from the card; None when nothing came for so long that it must be gone."""
        if self._first:
            return self._first.pop()
        waited = 0.0
        while not self._closed:
            try:
                return self._queue.get(timeout=BLOCK_S * 2)
            except queue.Empty:
                waited += BLOCK_S * 2
            if waited >= SILENT_S or not self._active():
                return None
        return None

    def _until_back(self) -> Iterator[bool]:
        """True for every 80 ms without a microphone, then once False when it is back."""
        self._shut()
        log.warning("the microphone is gone")
        began = tried = self._pacing.monotonic()
        passed = 0
        while not self._closed:
            now = self._pacing.monotonic()
            if now - tried >= RETRY_S:
                tried = now
                if self._reopened():
                    log.warning("the microphone is back")
                    yield False
                    return
            passed += 1
            self._pacing.sleep(max(0.0, began + passed * BLOCK_S - self._pacing.monotonic()))
            yield True

    def _reopened(self) -> bool:
        try:
            if self._may_rescan():
                # PortAudio knows only the cards that were there when it started (PortAudio issue 447).
                self._rescan()
            self._open()
            self._first = [self._queue.get(timeout=FIRST_S)]
        except (AudioError, self._sound.PortAudioError):
            return False
        except queue.Empty:
            # A sound server opens what gives no sound; that is not yet a microphone.
            self._shut()
            return False
        return True

    def _rescan(self) -> None:
        """Raises PortAudioError while it cannot be started: a sound server may be starting anew itself."""
        # After a start that failed there is nothing to end.
        with suppress(self._sound.PortAudioError):
            self._sound._terminate()
        self._sound._initialize()

    def _active(self) -> bool:
        try:
            return self._stream is not None and bool(self._stream.active)
        except self._sound.PortAudioError:
            return False

    def _shut(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.abort(ignore_errors=True)
                stream.close(ignore_errors=True)
            except self._sound.PortAudioError as error:
                log.warning("the microphone did not close: %s", error)
        self._drain()

    def _drain(self) -> None:
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return


def _none(error: Exception) -> AudioError:
    return AudioError(
        f"No microphone could be opened: {error}.",
        "Plug one in, or choose one of `python -m sounddevice` with --device.",
    )
