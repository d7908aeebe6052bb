"""A client who answers a led enrolment, speaking a little after each prompt has ended; and one session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.fakes import FakeActivity, FakeCards, FakeCommands, FakePlayer, FakeSynthesiser, Log
from voice.adapters.prompts import load_wording
from voice.audio import BLOCK_S, HOP, RATE, Clip, Samples
from voice.enrolling import Enrolling
from voice.enrolment import Problem, Span, Take, odd_one_out
from voice.leading import Leading
from voice.ports import Back, Block, Embeddings, Gap, Lost
from voice.progress import Progress
from voice.revising import Brought
from voice.settings import Settings
from voice.space import Space
from voice.speaking import Speaking
from voice.wire.card_report_content import Report

ENGLISH = load_wording("en")
OPENINGS = {
    ENGLISH.sentences(key, {"clinician": "x", "holder": "x", "danger": "1", "talk": "1", "days": "x"})[0]: key
    for key in ENGLISH.prompts
}

LONGEST_TONE_S = 0.3

Answer = Samples | Lost | None
"""What the client does after a prompt: says something, pulls the plug, or nothing."""


class RecordingPlayer(FakePlayer):
    """Notes each sound it plays in the order of everything else."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.played: list[list[Clip]] = []

    def play(self, clips: Iterable[Clip], gain: float) -> None:
        kept = list(clips)
        self.played.append(kept)
        super().play(kept, gain)


class Client:
    """As a microphone: the room's sound, and what the client says in it.

    `answers` holds, for each prompt, what is said after each time it was heard, in turn; the last one again
    and again. `after_s`: how long after the sound has ended.
    """

    def __init__(
        self,
        player: RecordingPlayer,
        synthesiser: FakeSynthesiser,
        answers: Mapping[str, Sequence[Answer]],
        *,
        after_s: float = 0.4,
        room: Callable[[int], Samples] | None = None,
        patience_s: float = 400.0,
    ) -> None:
        self._player = player
        self._synthesiser = synthesiser
        self._answers = {key: list(said) for key, said in answers.items()}
        self._after_s = after_s
        self._room = room or (lambda samples: np.zeros(samples, np.int16))
        self._patience_s = patience_s
        self._heard = 0
        self.gone = False

    @property
    def prompts(self) -> list[str]:
        """The prompts that were said, by key."""
        return [OPENINGS[text] for text in self._synthesiser.said if text in OPENINGS]

    def __iter__(self) -> Iterator[Block | Gap | Lost | Back]:
        index, saying, was_playing = 0, np.empty(0, np.int16), False
        while index * BLOCK_S < self._patience_s:
            playing = self._player.playing()
            if was_playing and not playing and self._turn():
                answer = self._answer(self.prompts[-1])
                if isinstance(answer, Lost):
                    self.gone = True
                    yield answer
                elif answer is not None:
                    late = round((self._after_s - BLOCK_S) * RATE)
                    saying = np.concatenate([self._room(max(0, late)), answer])
            was_playing = playing
            if self.gone:
                yield Gap(index * BLOCK_S)
            else:
                now, saying = saying[:HOP], saying[HOP:]
                yield Block(np.concatenate([now, self._room(HOP - len(now))]), index * BLOCK_S)
            index += 1

    def waiting(self) -> int:
        return 0

    def _turn(self) -> bool:
        """Whether the sound that has just ended is something to answer: a prompt, or a tone by itself."""
        prompted = len(self.prompts) > self._heard
        self._heard = len(self.prompts)
        last = self._player.played[-1]
        return prompted or (len(last) == 1 and last[0].seconds < LONGEST_TONE_S)

    def _answer(self, prompt: str) -> Answer:
        turns = self._answers.get(prompt, [])
        if len(turns) > 1:
            return turns.pop(0)
        return turns[0] if turns else None


NAME, OTHER_NAME, PHRASE, TALK, YES, NO = 11, 12, 13, 14, 15, 16
TROUBLE = {20 + index: problem for index, problem in enumerate(Problem)}
TROUBLES = {problem: mark for mark, problem in TROUBLE.items()}
SPACE = Space(np.zeros(96, np.float32), np.eye(96, dtype=np.float32))


def mark(code: int, seconds: float = 0.8) -> Samples:
    return np.full(round(seconds / 0.08) * HOP, code, np.int16)


class MarkMaker:
    """Takes by their mark: two names, or a problem. Nothing recorded is too quiet."""

    def make(self, samples: Samples, *, edges_matter: bool = False) -> Take | Problem:
        assert edges_matter, "the recording is made here, with room around it"
        if not len(samples):
            return Problem.TOO_QUIET
        code = int(samples.max())
        if code in TROUBLE:
            return TROUBLE[code]
        path = np.random.default_rng(code).normal(size=(10, 96))
        noise = np.random.default_rng(len(samples)).normal(0, 0.05, (10, 96))
        return Take((path + noise).astype(np.float32), Span(0.0, 0.8))

    def embed(self, samples: Samples) -> Embeddings:
        return np.full((10, 96), samples.max(), np.float32)

    def talk(self, samples: Samples) -> tuple[Embeddings, ...]:
        spoken = np.count_nonzero(samples) // HOP
        return (np.full((spoken, 96), samples.max(), np.float32),) if spoken else ()


@dataclass(frozen=True)
class Count:
    """So many takes, of which none may be unlike the others."""

    takes: int

    def odd(self, takes: Sequence[Take]) -> int | None:
        return odd_one_out(takes, SPACE)

    def enough(self, takes: Sequence[Take]) -> bool:
        return len(takes) >= self.takes


@dataclass
class Yes:
    """A yes is the mark YES. `answers` are what it was given."""

    asks: bool = True
    answers: list[Samples] = field(default_factory=list)

    def given(self, answer: Samples) -> bool:
        self.answers.append(answer)
        return bool(len(answer)) and int(answer.max()) == YES


class Session:
    """One led enrolment on fakes, and the client's answers to it."""

    def __init__(self, answers: Mapping[str, Sequence[Answer]], **client: float) -> None:
        self.log: Log = []
        self.player = RecordingPlayer(self.log)
        self.synthesiser = FakeSynthesiser(self.log)
        self.client = Client(self.player, self.synthesiser, answers, **client)  # type: ignore[arg-type]
        settings = Settings()
        speaking = Speaking(self.synthesiser, load_wording("en"), FakeCards(), settings)
        self.consent = Yes()
        leading = Leading(self.client, self.player, FakeActivity(), speaking, settings)
        self.reports: list[Report] = []
        progress = Progress(self.reports.append)
        self.enrolling = Enrolling(leading, FakeCommands(), MarkMaker(), self.consent, progress)

    def lead(self, count: int = 3) -> Brought:
        """Takes and the phrase, to the end."""
        led = self.enrolling.lead(Count(count), audition=False)
        self.enrolling.close("enrol.done")
        return led

    @property
    def prompts(self) -> list[str]:
        return self.client.prompts


WILLING: Mapping[str, Sequence[Answer]] = {
    "enrol.say_name": [mark(NAME)],
    "enrol.again": [mark(NAME)],
    "enrol.phrase": [mark(PHRASE, 2.4)],
}


def with_answers(**changed: Sequence[Answer]) -> dict[str, Sequence[Answer]]:
    return {**WILLING, **{f"enrol.{key}": value for key, value in changed.items()}}
