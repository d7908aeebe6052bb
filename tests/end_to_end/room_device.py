"""A device in the virtual room with everything real but two things: what it hears names by, and where its
noticings go. Its name is a whistle at 1.9 kHz. Writes each report to standard output, with its content.

    python room_device.py HOME PHRASE.wav MODEL
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fakes import FakeRecords

from voice.adapters.clock import SystemClock
from voice.adapters.files import read_clip
from voice.adapters.microphone import CardMicrophone
from voice.adapters.player import CardPlayer
from voice.adapters.preferences import FilePreferences
from voice.adapters.prompts import load_wording
from voice.adapters.synthesiser import CachedSynthesiser
from voice.adapters.vad import SileroActivity
from voice.adapters.vosk import VoskTranscriber, load
from voice.audio import BLOCK_S, HOP, RATE, Clip, Samples, level_db
from voice.commands.printing import Printer
from voice.loop import Device
from voice.ports import Command, Evidence, Hearing
from voice.settings import Settings

WHISTLE_HZ = 1_900.0


class WhistleSpotter:
    """Hears "the foreman" in a fifth of a second of whistle."""

    def __init__(self) -> None:
        self._blocks = 0
        self._run = 0

    def push(self, samples: Samples, speech: bool) -> Sequence[Hearing]:
        self._blocks += 1
        power = np.abs(np.fft.rfft(samples.astype(float))) ** 2
        near = round(WHISTLE_HZ * HOP / RATE)
        whistled = level_db(samples) > -45 and power[near - 3 : near + 4].sum() > 0.8 * power.sum()
        self._run = self._run + 1 if whistled else 0
        now = self._blocks * BLOCK_S
        return (Hearing("the foreman", Evidence.OWN_VOICE, now, now, 1.0),) if self._run == 3 else ()

    def reset(self) -> None:
        self._run = 0

    def skip(self, blocks: int) -> None:
        self._blocks += blocks


class NoCommands:
    def recognise(self, samples: Samples) -> Command | None:
        return None


class OneCard:
    def __init__(self, phrase: Clip) -> None:
        self._phrase = phrase

    def phrase(self, part: str) -> Clip | None:
        return self._phrase

    def quiet(self, part: str) -> bool:
        return False


def main(home: Path, phrase: Path, model: Path) -> None:
    player = CardPlayer("pulse")
    player.check()
    microphone = CardMicrophone("pulse", SystemClock(), lambda: not player.playing())

    def stop(number: int, frame: object) -> None:
        player.close()
        microphone.stop()

    signal.signal(signal.SIGTERM, stop)
    Device(
        microphone=microphone,
        player=player,
        activity=SileroActivity(),
        spotter=WhistleSpotter(),
        transcriber=VoskTranscriber(load(model)),
        commands=NoCommands(),
        synthesiser=CachedSynthesiser(home / "cache" / "prompts"),
        wording=load_wording("en"),
        cards=OneCard(read_clip(phrase)),
        records=FakeRecords([]),
        preferences=FilePreferences(home),
        clock=SystemClock(),
        observer=Printer(as_json=True),
        settings=Settings(clinician="Dr Lee"),
    ).run()
    microphone.close()
    player.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
