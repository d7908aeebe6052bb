"""The device as a process of its own, on real sound in a room without hardware, in real time."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import room
import soundfile
import soxr

from voice.adapters.files import read_clip
from voice.adapters.synthesiser import CachedSynthesiser

pytestmark = [pytest.mark.room, pytest.mark.speech]

HERE = Path(__file__).parent
MODEL = HERE.parent / "models" / "tiny-en"
RATE = 16_000
WAIT_S = 60.0


class Running:
    """A device under way, and what it has reported."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, event: str) -> dict[str, Any]:
        """The next report of this kind."""
        while True:
            try:
                line = self._lines.get(timeout=WAIT_S)
            except queue.Empty:
                raise AssertionError(f"no {event!r} after {self.seen}") from None
            self.seen.append(json.loads(line))
            if self.seen[-1]["event"] == event:
                return self.seen[-1]

    def soon(self, event: str, seconds: float) -> bool:
        """Whether such a report comes within this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.seen.append(json.loads(self._lines.get(timeout=left)))
            except queue.Empty:
                return False
            if self.seen[-1]["event"] == event:
                return True
        return False

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def end(self) -> None:
        """Wait for its last line."""
        self._reader.join(20)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)


@contextmanager
def device(space: room.Room, home: Path, phrase: Path) -> Iterator[Running]:
    environment = {**space.env, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parent.parent)])}
    command = [sys.executable, str(HERE / "room_device.py"), str(home), str(phrase), str(MODEL)]
    with (
        (home / "stderr").open("w") as errors,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        running = Running(process)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            running.end()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whistle, a chirp as the phrase, and a spoken line, as WAV files."""
    folder = tmp_path_factory.mktemp("sounds")
    t = np.arange(RATE) / RATE
    whistle = np.concatenate([0.3 * np.sin(2 * np.pi * 1_900 * t[: RATE // 2]), np.zeros(RATE // 4)])
    chirp = 0.4 * np.sin(2 * np.pi * (300 * t + 450 * t * t))
    spoken = CachedSynthesiser(folder / "cache").render("work and dinner", "en", 130)
    line = soxr.resample(spoken.samples.astype(np.float32) / 32768, spoken.rate, RATE)
    line = np.concatenate([line, np.zeros(RATE // 4)])
    paths = {}
    for name, sound in (("whistle", whistle), ("phrase", chirp), ("line", line)):
        paths[name] = folder / f"{name}.wav"
        soundfile.write(paths[name], sound, RATE)
    return paths


def likeness(recorded: np.ndarray, phrase: np.ndarray) -> float:
    """The highest normalised correlation of the phrase with any stretch of the recording."""
    size = 1 << (len(recorded) + len(phrase)).bit_length()
    product = np.fft.irfft(np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(phrase, size)), size)
    power = np.convolve(recorded**2, np.ones(len(phrase)), "valid")
    best = np.abs(product[: len(power)]) / np.sqrt(np.maximum(power, 1e-3) * (phrase**2).sum())
    return float(best.max())


def test_a_whole_exchange_in_the_room(
    virtual_room: room.Room, sounds: dict[str, Path], tmp_path: Path
) -> None:
    with device(virtual_room, tmp_path, sounds["phrase"]) as running:
        running.until("listening")
        with virtual_room.recording(tmp_path / "speaker.wav"):
            virtual_room.play(sounds["whistle"])
            heard = running.until("heard")
            asked = running.until("asked")
            virtual_room.play(sounds["line"])
            line = running.until("line")
            closed = running.until("closed")
        assert running.stop() == 0

    assert [report["event"] for report in running.seen if report["event"] != "tone"] == [
        "listening",
        "heard",
        "played",
        "said",
        "asked",
        "line",
        "sealed",
        "said",
        "closed",
    ]
    assert closed["reason"] == "line"
    assert closed["at"] - heard["at"] < 90
    assert line["at"] > asked["at"]
    assert line["transcriber"] == "tiny-en"
    assert line["words"]
    assert "Traceback" not in (tmp_path / "stderr").read_text()

    recorded = read_clip(tmp_path / "speaker.wav").samples / 32768.0
    phrase = read_clip(sounds["phrase"]).samples / 32768.0
    assert likeness(recorded, phrase) > 0.5


def test_an_unplugged_microphone_is_said_and_hearing_comes_back(
    virtual_room: room.Room, sounds: dict[str, Path], tmp_path: Path
) -> None:
    with device(virtual_room, tmp_path, sounds["phrase"]) as running:
        running.until("listening")
        virtual_room.silence_microphone()
        assert running.until("microphone")["state"] == "lost"
        assert running.until("said")["prompt"] == "microphone.lost"
        virtual_room.revive_microphone()
        assert running.until("microphone")["state"] == "back"
        assert running.until("said")["prompt"] == "microphone.back"
        for _ in range(5):
            virtual_room.play(sounds["whistle"])
            if running.soon("heard", 2.0):
                break
        assert running.seen[-1]["event"] == "heard"
        assert running.stop() == 0
