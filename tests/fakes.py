"""Fakes of the device's ports, all writing to one ordered list, and a rig that runs the real loop on them.

The microphone is a script: each block's first sample says what is in it. 0 is silence, SPEECH is someone
speaking, and higher values are names or commands, as `Rig.names` and `Rig.words` spell them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from voice.adapters.prompts import load_wording
from voice.asking import Asking
from voice.audio import BLOCK_S, HOP, Clip, Samples
from voice.errors import StorageError
from voice.loop import Device, Loop
from voice.noticing import Noticing, When
from voice.ports import Back, Block, Command, Deletion, Evidence, Gap, Hearing, Lost, SecondReader, Standing
from voice.reports import Report
from voice.settings import Settings
from voice.transcript import Transcript, Word

SILENCE, SPEECH, NAME = 0, 1, 100
COMMANDS = {200 + index: command for index, command in enumerate(Command)}
CODES = {command: code for code, command in COMMANDS.items()}
ANSWERS = {300 + index: when for index, when in enumerate(When)}
NOW = datetime(2026, 3, 5, 23, 0, tzinfo=UTC)

Log = list[tuple[Any, ...]]


def block(code: int) -> Samples:
    """80 ms marked with what is in it."""
    return np.full(HOP, code, np.int16)


class FakeActivity:
    """Speech wherever a block is not silent."""

    def probability(self, samples: Samples) -> float:
        return 0.0 if samples[0] == SILENCE else 1.0

    def reset(self) -> None:
        pass


class FakeSpotter:
    """Hears "the foreman" in every block marked NAME."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.blocks = 0

    def push(self, samples: Samples, speech: bool) -> Sequence[Hearing]:
        self.blocks += 1
        now = self.blocks * BLOCK_S
        if samples[0] != NAME:
            return ()
        return (Hearing("the foreman", Evidence.OWN_VOICE, now - 0.24, now, 0.9),)

    def reset(self) -> None:
        self._log.append(("spotter reset", self.blocks))

    def skip(self, blocks: int) -> None:
        self.blocks += blocks


class FakeDictation:
    """Writes down the marks it heard, one word for each speech block."""

    def __init__(self, log: Log, broken: bool) -> None:
        self._log = log
        self._broken = broken
        self.samples: list[Samples] = []

    def hear(self, samples: Samples) -> None:
        self.samples.append(samples)

    def finish(self) -> Transcript:
        if self._broken:
            raise RuntimeError("the recogniser broke")
        sound = np.concatenate(self.samples)
        spoken = int(np.count_nonzero(sound[::HOP] != SILENCE))
        self._log.append(("transcribed", len(sound) // HOP, spoken))
        return Transcript(tuple(Word(f"word{n}") for n in range(spoken)), "fake")


@dataclass
class FakeTranscriber:
    log: Log
    broken: bool = False

    def begin(self) -> FakeDictation:
        self.log.append(("dictation",))
        return FakeDictation(self.log, self.broken)


class FakeCommands:
    """The command whose mark fills the utterance. `expected` holds what each utterance was awaited as."""

    def __init__(self) -> None:
        self.expected: list[set[Command]] = []

    def recognise(self, samples: Samples, *, expecting: Collection[Command] = ()) -> Command | None:
        self.expected.append(set(expecting))
        marks = {int(mark) for mark in np.unique(samples)} - {SILENCE}
        return COMMANDS.get(marks.pop()) if len(marks) == 1 else None


def fake_answer(samples: Samples) -> When | None:
    """The answer whose mark fills the utterance."""
    marks = {int(mark) for mark in np.unique(samples)} - {SILENCE}
    return ANSWERS.get(marks.pop()) if len(marks) == 1 else None


class FakePlayer:
    """Plays in audio time."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.now = self.end = 0.0

    def tick(self, now_s: float) -> None:
        self.now = now_s

    def play(self, clips: Iterable[Clip], gain: float) -> None:
        seconds = sum(clip.seconds for clip in clips)
        self.end = self.now + seconds
        self._log.append(("play", round(self.now, 2), gain))

    def stop(self) -> None:
        self.end = self.now
        self._log.append(("stop playing", round(self.now, 2)))

    def playing(self) -> bool:
        return self.now < self.end


@dataclass
class FakeSynthesiser:
    """A sentence lasts as long as its words at the asked pace."""

    log: Log
    said: list[str] = field(default_factory=list)

    def render(self, text: str, language: str, words_per_minute: int) -> Clip:
        self.said.append(text)
        seconds = len(text.split()) * 60 / words_per_minute
        return Clip(np.zeros(round(seconds * 16_000), np.int16))

    def prepare(self, texts: Sequence[str], language: str, words_per_minute: int) -> None:
        pass


@dataclass
class FakeCards:
    seconds: float | None = 3.0
    is_quiet: bool = False

    def phrase(self, part: str) -> Clip | None:
        return None if self.seconds is None else Clip(np.zeros(round(self.seconds * 16_000), np.int16))

    def quiet(self, part: str) -> bool:
        return self.is_quiet


@dataclass
class FakeRecords:
    log: Log
    full: bool = False
    full_later: bool = False
    """The disk fills up before a record can be taken the place of."""
    held: bool = False
    is_online: bool = True
    stands: Standing = Standing.ACTIVE
    deletion: Deletion = Deletion.DELETED
    second: SecondReader | None = None
    saved: list[Noticing] = field(default_factory=list)

    def save(self, noticing: Noticing, *, hold: bool = False) -> bytes:
        if self.full:
            raise StorageError("The disk is full.", "Free some space.")
        self.saved.append(noticing)
        self.log.append(("saved", noticing.part, noticing.line is not None))
        self.held = hold
        return bytes([len(self.saved)]) * 16

    def let_go(self, noticing: Noticing | None = None) -> bytes | None:
        self.held = False
        if noticing is not None and self.full_later:
            raise StorageError("The disk is full.", "Free some space.")
        if noticing is not None:
            self.saved[-1] = noticing
        self.log.append(("let go", None if noticing is None else str(noticing.when)))
        return None if noticing is None else b"w" * 16

    def delete_last(self) -> Deletion:
        self.log.append(("delete last",))
        return self.deletion

    def standing(self) -> Standing:
        return self.stands

    def online(self) -> bool:
        return self.is_online

    def second_reader(self) -> SecondReader | None:
        return self.second

    def told_second_reader(self) -> None:
        assert self.second is not None
        self.log.append(("told", self.second.name))
        self.second = replace(self.second, told=True)

    def flush(self) -> int:
        return 0


@dataclass
class FakePreferences:
    log: Log

    def keep(self, volume: int, words_per_minute: int) -> None:
        self.log.append(("keep", volume, words_per_minute))


class FakeClock:
    def now(self) -> datetime:
        return NOW


@dataclass
class ListObserver:
    """Appends each report's event name and fields."""

    log: Log
    reports: list[Report] = field(default_factory=list)

    def saw(self, report: Report) -> None:
        self.reports.append(report)
        self.log.append((report.event, dict(report.fields)))


@dataclass
class ScriptMicrophone:
    """Plays a script: seconds of a mark, or a lost, a gap, a return."""

    script: list[tuple[int, float] | Lost | Back | Gap] = field(default_factory=list)
    behind: int = 0

    def __iter__(self) -> Iterator[Block | Gap | Lost | Back]:
        index = 0
        for item in self.script:
            if isinstance(item, tuple):
                code, seconds = item
                for _ in range(round(seconds / BLOCK_S)):
                    yield Block(block(code), index * BLOCK_S)
                    index += 1
            else:
                yield item
                index += isinstance(item, Gap)

    def waiting(self) -> int:
        return self.behind


class Rig:
    """The real loop on fakes. Set what differs, then `hear` a script."""

    def __init__(self) -> None:
        self.log: Log = []
        self.microphone = ScriptMicrophone()
        self.player = FakePlayer(self.log)
        self.spotter = FakeSpotter(self.log)
        self.transcriber = FakeTranscriber(self.log)
        self.synthesiser = FakeSynthesiser(self.log)
        self.cards = FakeCards()
        self.commands = FakeCommands()
        self.records = FakeRecords(self.log)
        self.preferences = FakePreferences(self.log)
        self.observer = ListObserver(self.log)
        self.settings = Settings(clinician="Dr Lee")
        self.asks_when = False

    def device(self) -> Device:
        return Device(
            microphone=self.microphone,
            player=self.player,
            activity=FakeActivity(),
            spotter=self.spotter,
            transcriber=self.transcriber,
            commands=self.commands,
            synthesiser=self.synthesiser,
            wording=load_wording("en"),
            cards=self.cards,
            records=self.records,
            preferences=self.preferences,
            clock=FakeClock(),
            observer=self.observer,
            settings=self.settings,
            asking=Asking(lambda: self.asks_when, fake_answer),
        )

    def hear(self, *script: tuple[int, float] | Lost | Back | Gap) -> Loop:
        """Run the script to its end, and to the end of the exchange it leaves open."""
        self.microphone = replace(self.microphone, script=list(script))
        loop = Loop(self.device())
        loop.run()
        return loop

    @property
    def events(self) -> list[str]:
        """The names of what was reported, in order, after the first: that it listens."""
        return [report.event for report in self.observer.reports if report.event != "listening"]

    @property
    def prompts(self) -> list[str]:
        """The keys of what was said, in order."""
        return [str(r.fields["prompt"]) for r in self.observer.reports if r.event == "said"]

    def times(self, event: str) -> list[float]:
        """When each report of this kind was."""
        return [report.at for report in self.observer.reports if report.event == event]
