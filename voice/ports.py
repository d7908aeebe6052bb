"""What the core asks of the world. Adapters answer; tests answer with fakes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voice.audio import Clip, Samples
from voice.noticing import Noticing
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


class Standing(StrEnum):
    """How the device stands with its clinician. In every other standing than active it rests (S17)."""

    ACTIVE = "active"
    UNPAIRED = "unpaired"
    PAUSED = "paused"
    DISCHARGED = "discharged"


class Deletion(StrEnum):
    """What became of "delete that"."""

    DELETED = "deleted"
    DELIVERED = "delivered"
    """The clinician already has it."""
    NOTHING = "nothing"
    """There was nothing to delete."""


@dataclass(frozen=True)
class Block:
    """80 ms from the microphone: shape (1280,), int16 mono 16 kHz. `start_s`: since listening began."""

    samples: Samples
    start_s: float


@dataclass(frozen=True)
class Gap:
    """80 ms that passed without sound from the microphone: it was away, or blocks were lost."""

    start_s: float


@dataclass(frozen=True)
class Lost:
    """The microphone went away; gaps follow until it is back."""


@dataclass(frozen=True)
class Back:
    """The microphone is there again."""


class Microphone(Protocol):
    """Where sound comes from. Its time drives everything."""

    def __iter__(self) -> Iterator[Block | Gap | Lost | Back]:
        """Block after block without a hole in `start_s`; ends when the source does."""
        ...

    def waiting(self) -> int:
        """Blocks already captured and not yet taken; they hold what was heard before now."""
        ...


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

    def recognise(self, samples: Samples, *, expecting: Collection[Command] = ()) -> Command | None:
        """The command that this utterance, as a whole, is; None for anything else.

        Those of `expecting` are rather heard once too often than left unheard.
        """
        ...


class Synthesiser(Protocol):
    """Renders a sentence to speech."""

    def render(self, text: str, language: str, words_per_minute: int) -> Clip:
        """The sentence as sound."""
        ...

    def prepare(self, texts: Sequence[str], language: str, words_per_minute: int) -> None:
        """Make these sentences ready, so that rendering them later takes no time."""
        ...


class Player(Protocol):
    """The speaker."""

    def tick(self, now_s: float) -> None:
        """Told before each block what audio time it is; a replayed speaker keeps time by it."""
        ...

    def play(self, clips: Iterable[Clip], gain: float) -> None:
        """Start playing, one after the other; returns at once."""
        ...

    def stop(self) -> None:
        """Fall silent now."""
        ...

    def playing(self) -> bool:
        """Whether sound is still coming out."""
        ...


class Cards(Protocol):
    """What the device holds for each part, as far as the dialogue needs it."""

    def phrase(self, part: str) -> Clip | None:
        """The client's own phrase, or None."""
        ...

    def quiet(self, part: str) -> bool:
        """Whether this part is answered with the tone alone."""
        ...


@dataclass(frozen=True)
class SecondReader:
    """Someone of the practice whom records are sealed to as well, by the clinician's signed word.

    `name` as it is spoken; `told` once the client has heard of it.
    """

    name: str
    told: bool


class Records(Protocol):
    """Where noticings go: sealed, durable, on their way to the clinician."""

    def save(self, noticing: Noticing, *, hold: bool = False) -> bytes:
        """Seal and commit; the record id, once durable. Raises OnebreathError when it could not be kept.

        `hold`: it is not sent before `let_go`.
        """
        ...

    def let_go(self, noticing: Noticing | None = None) -> bytes | None:
        """What is held may be sent now; with `noticing`, that takes its place first, in one commit.

        The id of the new record; None when nothing took its place. Raises OnebreathError when the new one
        could not be kept; the one before then stays, and is sent.
        """
        ...

    def delete_last(self) -> Deletion:
        """Delete the last record if it is still here."""
        ...

    def standing(self) -> Standing:
        """How the device stands with its clinician, as last known; answers at once."""
        ...

    def online(self) -> bool:
        """Whether the server was there when last looked at; answers at once."""
        ...

    def second_reader(self) -> SecondReader | None:
        """Who can read beside the clinician, as last known; answers at once. None: nobody."""
        ...

    def told_second_reader(self) -> None:
        """The client has been told of them. Never fails loudly: at worst it is said once more."""
        ...

    def flush(self) -> int:
        """Send what is pending now; how many records are still pending."""
        ...


class Preferences(Protocol):
    """Keeps how the client likes to be spoken to."""

    def keep(self, volume: int, words_per_minute: int) -> None:
        """Keep both. Never fails loudly: a full disk must not end an exchange."""
        ...


class WallClock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Now, with the local time zone."""
        ...
