"""The part of the work that is done in other processes: sounds in conditions, takes, references. One set of
recognisers in each process, made once."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder

from bench.clips import load
from bench.conditions import Rooms, Scene
from bench.noises import pink
from bench.scoring import Recognised, Sound
from voice.adapters.bank import bank
from voice.adapters.embedding import SpeechEmbedder
from voice.adapters.takes import TakeMaker
from voice.adapters.vad import SileroActivity
from voice.adapters.word_evidence import words
from voice.audio import BLOCK_S, HOP, RATE, Samples
from voice.ears import Ears
from voice.enrolment import Span, Take, voiceprint
from voice.ports import Hearing
from voice.spotting import HOLD_BLOCKS, Voiceprint, Words

KEYPHRASE_FLOOR: Final = 1e-50
"""PocketSphinx reports every hit above this with its probability, which serves as the score."""

SHIFTS_S: Final = (0.0, 0.02, 0.04, 0.06)
NOISY_DB: Final = (15.0, 8.0)
"""Copies of a take for the classifier baseline: moved within a block, and in pink noise."""


@dataclass(frozen=True)
class Equipment:
    """What each process needs. `keyphrases`: phrases for PocketSphinx. `models`: Vosk model folders.
    `names`: the names that the models listen for, each alone."""

    noise: tuple[Path, ...] = ()
    voices: tuple[Path, ...] = ()
    keyphrases: tuple[str, ...] = ()
    models: tuple[Path, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    language: str = "en"


@dataclass(frozen=True)
class Job:
    """One clip in one condition. `own`: which parts of the work are wanted."""

    path: Path
    condition: str
    keyphrase: bool
    words: bool


@dataclass(frozen=True)
class Done:
    """`keyphrases`: for each phrase PocketSphinx' probabilities, highest first. `words`: for each model the
    `words` of a Sound."""

    job: Job
    sound: Sound
    keyphrases: dict[str, tuple[float, ...]] = field(default_factory=dict)
    words: dict[str, dict[str, Recognised]] = field(default_factory=dict)


class Worker:
    """One process' recognisers."""

    def __init__(self, equipment: Equipment) -> None:
        self._maker, self._embedder = TakeMaker(), SpeechEmbedder()
        self._rooms = Rooms(equipment.noise, equipment.voices, self._maker)
        self._decoder = _decoder(equipment.keyphrases) if equipment.keyphrases else None
        self._words: dict[str, dict[str, Words]] = defaultdict(dict)
        for model in equipment.models:
            for name, phrase in equipment.names:
                if (heard := words(equipment.language, [(phrase, None)], model)) is not None:
                    self._words[str(model)][name] = heard

    def hear(self, job: Job) -> Done:
        """The clip, and what each recogniser makes of it."""
        scene = self._rooms.put(job.path, job.condition)
        flags = speech_flags(scene.samples)
        self._embedder.reset()
        embeddings = self._embedder.push(scene.samples[: len(flags) * HOP])
        sound = Sound(embeddings, gate(flags), scene.seconds)
        heard = {m: self._recognised(w, scene, flags) for m, w in self._words.items()} if job.words else {}
        spotted = _keyphrases(self._decoder, scene.samples) if job.keyphrase and self._decoder else {}
        return Done(job, sound, spotted, heard)

    def take(self, path: Path) -> Take | None:
        """The clip as a take, None if it cannot be one."""
        take = self._maker.make(load(path))
        return take if isinstance(take, Take) else None

    def copies(self, path: Path) -> list[Take]:
        """A take, and copies of it moved by parts of a block and in noise."""
        clip = load(path)
        probabilities = np.array(self._maker.probabilities(clip) or [0.0])
        active = np.repeat(probabilities > 0.5, 512)[: len(clip)]
        spoken = clip[: len(active)][active] if active.any() else clip
        plain = self.take(path)
        if plain is None:
            return []
        made = []
        for number, shift_s in enumerate(SHIFTS_S):
            moved = np.pad(clip, (round(shift_s * RATE), 0))
            span = Span(plain.span.start_s + shift_s, plain.span.end_s + shift_s)
            made.append(Take(self._maker.embed(moved), span))
            if number < len(NOISY_DB):
                noise = pink(len(moved), np.random.default_rng(number))
                gain = np.sqrt(np.mean(spoken.astype(np.float64) ** 2) / np.mean(noise**2))
                noisy = moved + gain * 10 ** (-NOISY_DB[number] / 20) * noise
                made.append(Take(self._maker.embed(np.clip(noisy, -32768, 32767).astype(np.int16)), span))
        return made

    def _recognised(
        self, listening: dict[str, Words], scene: Scene, flags: Sequence[bool]
    ) -> dict[str, Recognised]:
        found: dict[str, Recognised] = {}
        quiet = np.zeros(HOP, np.int16)
        for name, recogniser in listening.items():
            recogniser.reset()
            blocks = [scene.samples[at * HOP : (at + 1) * HOP] for at in range(len(flags))]
            finals: list[int] = []
            guesses: list[int] = []
            # What is still open at the end is closed by a second of silence, as the stream would.
            for number, block in enumerate([*blocks, *[quiet] * 12]):
                heard = recogniser.push(block, number < len(flags) and flags[number])
                for one in heard:
                    (finals if one.final else guesses).append(min(number, len(flags) - 1))
            found[name] = Recognised(tuple(finals), tuple(guesses))
        return found


class _Flags:
    """Stands where the spotter stands and keeps what the device's ears tell it."""

    def __init__(self) -> None:
        self.speech: list[bool] = []

    def push(self, block: Samples, speech: bool) -> Sequence[Hearing]:
        """Keep the flag; hear nothing."""
        self.speech.append(speech)
        return ()

    def reset(self) -> None:
        """Nothing is kept from block to block."""

    def skip(self, blocks: int) -> None:
        """No block is skipped here."""


def speech_flags(samples: Samples) -> list[bool]:
    """For each whole block whether the device's ears take it for speech."""
    flags = _Flags()
    ears = Ears(SileroActivity(), flags)
    for number in range(len(samples) // HOP):
        ears.hear(samples[number * HOP : (number + 1) * HOP], (number + 1) * BLOCK_S, names=True)
    return flags.speech


def gate(flags: Sequence[bool]) -> NDArray[np.bool_]:
    """The blocks that the device scores: speech, and HOLD_BLOCKS - 1 more, as NameSpotter holds on."""
    held, out = 0, []
    for speech in flags:
        held = HOLD_BLOCKS if speech else max(0, held - 1)
        out.append(held > 0)
    return np.array(out, bool)


def sayable_keyphrases(phrases: Sequence[str]) -> tuple[str, ...]:
    """Those phrases whose words PocketSphinx' dictionary has."""
    known = Decoder(loglevel="FATAL")
    return tuple(p for p in dict.fromkeys(phrases) if p and all(known.lookup_word(w) for w in p.split()))


def _decoder(phrases: Sequence[str]) -> Decoder:
    with tempfile.NamedTemporaryFile("w", suffix=".kws", encoding="utf-8") as file:
        file.writelines(f"{phrase} /{KEYPHRASE_FLOOR:g}/\n" for phrase in phrases)
        file.flush()
        return Decoder(kws=file.name, loglevel="FATAL")


def _keyphrases(decoder: Decoder, samples: Samples) -> dict[str, tuple[float, ...]]:
    found: dict[str, list[float]] = defaultdict(list)
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    for segment in decoder.seg() or ():
        found[segment.word.strip()].append(float(segment.prob))
    return {phrase: tuple(sorted(hits, reverse=True)) for phrase, hits in found.items()}


_worker: Worker | None = None


def start(equipment: Equipment) -> None:
    """Make this process' recognisers."""
    global _worker
    _worker = Worker(equipment)


def _here() -> Worker:
    assert _worker is not None, "start() comes first"
    return _worker


def hear(job: Job) -> Done:
    """Worker.hear in this process."""
    return _here().hear(job)


def take(path: Path) -> Take | None:
    """Worker.take in this process."""
    return _here().take(path)


def copies(path: Path) -> list[Take]:
    """Worker.copies in this process."""
    return _here().copies(path)


def enrol(job: tuple[str, Sequence[Take]]) -> Voiceprint:
    """The voiceprint of a name from these takes, by the device's own enrolment."""
    name, takes = job
    return voiceprint(name, list(takes), bank())[0]
