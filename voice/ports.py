"""What the core asks of the world. Adapters answer; tests answer with fakes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voice.audio import Clip, Samples
from voice.transcript import Transcript

Embeddings = NDArray[np.float32]
"""Shape (frames, 96): one speech embedding for each 80 ms."""


class Evidence(StrEnum):
    """What spoke for a name."""

    OWN_VOICE = "own-voice"
    WORDS = "words"
    BOTH = "both"


@dataclass(frozen=True)
class Hearing:
    """One part was named. Times are seconds of audio since listening began."""

    part: str
    evidence: Evidence
    name_end_s: float
    decided_s: float
    score: float


class Command(StrEnum):
    """Words that always work."""

    STOP = "stop"
    NOT_NOW = "not now"
    AGAIN = "again"
    LOUDER = "louder"
    QUIETER = "quieter"
    SLOWER = "slower"
    DELETE_THAT = "delete that"
    HELP = "help"
    STOP_LISTENING = "stop listening"
    START_LISTENING = "start listening"


class VoiceActivity(Protocol):
    """Speech or not, a block at a time."""

    def probability(self, block: Samples) -> float:
        """The probability of speech in one block of 1,280 samples, 0 to 1."""
        ...

    def reset(self) -> None:
        """Forget what came before."""
        ...


class Embedder(Protocol):
    """Speech embeddings, streaming."""

    def push(self, samples: Samples) -> Embeddings:
        """The embeddings that whole hops of 1,280 samples complete; shape (n, 96), n may be 0."""
        ...

    def reset(self) -> None:
        """Forget what came before."""
        ...


class Spotter(Protocol):
    """Hears names in the stream (spotting.py)."""

    def push(self, block: Samples, speech: bool) -> Sequence[Hearing]:
        """Take one block of 1,280 samples; answer with the names it completes."""
        ...

    def reset(self) -> None:
        """Forget the stream so far, after the device itself has been speaking; the time keeps counting."""
        ...

    def skip(self, blocks: int) -> None:
        """Count blocks that were not listened to, so that times stay true."""
        ...


class Dictation(Protocol):
    """One line on its way from sound to words."""

    def hear(self, samples: Samples) -> None:
        """Take more of the line."""
        ...

    def finish(self) -> Transcript:
        """The words. Call once."""
        ...


class Transcriber(Protocol):
    """Turns a line into text on the device."""

    def begin(self) -> Dictation:
        """Start a new line."""
        ...


class CommandRecogniser(Protocol):
    """Recognises the words that always work in one short utterance."""

    def recognise(self, samples: Samples) -> Command | None:
        """The command that this utterance, as a whole, is; None for anything else."""
        ...


class Synthesiser(Protocol):
    """Renders a sentence to speech."""

    def render(self, text: str, language: str, words_per_minute: int) -> Clip:
        """The sentence as sound."""
        ...


class Player(Protocol):
    """The speaker."""

    def play(self, clips: Iterable[Clip], gain: float) -> None:
        """Start playing, one after the other; returns at once."""
        ...

    def stop(self) -> None:
        """Fall silent now."""
        ...

    def playing(self) -> bool:
        """Whether sound is still coming out."""
        ...
