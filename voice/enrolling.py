"""Enrolment led by voice: takes, the phrase, an audition; what is done over is asked for kindly.

Driven by the microphone's time, like the loop: `onebreath enrol` gives it a sound card, tests give it a file.
Everything said is a prompt; nothing has to be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Protocol

from voice.audio import RATE, Clip, Samples
from voice.enrolment import Problem, Take
from voice.errors import EnrolmentError
from voice.events import Prompt, Tone
from voice.leading import GoneError, Leading
from voice.ports import Command, CommandRecogniser, Embeddings
from voice.progress import TRIES, Progress
from voice.revising import Brought

TAKE_SILENCE_S: Final = 0.8
PHRASE_SILENCE_S: Final = 1.6

ATTEMPTS: Final = 4
"""Recordings of one take before the session is closed for today."""

DIFFERENT_TAKES: Final = 3
"""How often a take unlike the others is asked for again; then what there is has to do."""

KEEP_WAIT_S: Final = 4.0
"""After "I keep this", the time to say "again"."""

SILENT_TRIES: Final = 2
"""Tones in a row after which nothing was said: the client has had enough of it."""

TALK_S: Final = 60.0
TALK_SILENCE_S: Final = 8.0
"""A pause to think of what else happened today is shorter."""

PROMPTS: Final = {
    Problem.TOO_QUIET: "enrol.too_quiet",
    Problem.TOO_LOUD: "enrol.too_loud",
    Problem.CUT_OFF: "enrol.cut_off",
    Problem.TOO_SHORT: "enrol.too_short",
    Problem.TOO_LONG: "enrol.too_long",
    Problem.DIFFERENT: "enrol.different",
}


class Maker(Protocol):
    """Recordings to embeddings (adapters/takes.py)."""

    def make(self, samples: Samples, *, edges_matter: bool = False) -> Take | Problem:
        """One take, or why the recording cannot be used."""
        ...

    def embed(self, samples: Samples) -> Embeddings:
        """One recording, shape (frames, 96)."""
        ...

    def talk(self, samples: Samples) -> tuple[Embeddings, ...]:
        """Ordinary talk in pieces, each of shape (frames, 96); none where nobody speaks."""
        ...


class Judge(Protocol):
    """Looks at the takes so far (audition.Agreement)."""

    def odd(self, takes: Sequence[Take]) -> int | None:
        """The take that is unlike the others, if there is one."""
        ...

    def enough(self, takes: Sequence[Take]) -> bool:
        """Whether no further take is needed."""
        ...


class Consent(Protocol):
    """Hears a yes (consent.SpokenConsent)."""

    @property
    def asks(self) -> bool:
        """Whether a yes could be understood at all."""
        ...

    def given(self, answer: Samples) -> bool:
        """Whether the answer is an explicit yes."""
        ...


class Enrolling:
    """One led enrolment. Call `close` at its end with what came of it. `progress` is told how far it is."""

    def __init__(
        self,
        leading: Leading,
        commands: CommandRecogniser,
        maker: Maker,
        consent: Consent,
        progress: Progress | None = None,
    ) -> None:
        self._leading = leading
        self._commands = commands
        self._maker = maker
        self._consent = consent
        self._progress = progress or Progress()

    def lead(self, judge: Judge, *, audition: bool = True, ask: bool = True) -> Brought:
        """Record takes until `judge` has enough, the phrase, and an audition.

        `ask`: whether to ask for consent to keep what the talk sounds like.

        Raises EnrolmentError when no usable take comes, AudioError when the microphone goes away; the client
        has then been told so by voice.
        """
        with self._telling():
            self._progress.begin()
            self._leading.say(Prompt("enrol.welcome"))
            takes, recordings = self._takes(judge)
            self._progress.phrase(len(takes))
            led = Brought(takes, recordings, self._phrase())
            return self._audition(led, ask) if audition else led

    def audition(self, *, ask: bool = True) -> Brought:
        """An audition alone, for a part that has its takes. Raises AudioError as `lead`."""
        with self._telling():
            return self._audition(Brought(), ask)

    def ask_when(self) -> bool:
        """Ask for the client's consent to the question of S20; whether it was given. Raises AudioError.

        Nothing is asked, and none is given, where no yes could be understood.
        """
        if not self._consent.asks:
            return False
        with self._telling():
            self._leading.say(Prompt("enrol.ask_when"), Tone.LINE)
            given = self._consent.given(self._leading.record(TAKE_SILENCE_S))
            self._leading.say(Prompt("enrol.when_asked" if given else "enrol.when_not_asked"))
        return given

    def close(self, *prompts: str) -> None:
        """Say what came of it, by the keys of prompts. Raises AudioError."""
        with self._telling():
            self._leading.say(*(Prompt(key) for key in prompts))

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except GoneError:
            self._progress.stopped("microphone")
            self._leading.say_gone()
            raise

    def _takes(self, judge: Judge) -> tuple[tuple[Take, ...], tuple[Clip, ...]]:
        takes: list[Take] = []
        recordings: list[Clip] = []
        opening = "enrol.say_name"
        different = 0
        while not judge.enough(takes):
            self._progress.recording(len(takes), _different(opening))
            take, recording = self._take(opening, len(takes))
            takes.append(take)
            recordings.append(recording)
            opening = "enrol.again"
            odd = judge.odd(takes)
            if odd is not None and different < DIFFERENT_TAKES:
                del takes[odd], recordings[odd]
                opening = "enrol.different"
                different += 1
        return tuple(takes), tuple(recordings)

    def _take(self, opening: str, takes: int) -> tuple[Take, Clip]:
        problem = Problem.TOO_QUIET
        for _ in range(ATTEMPTS):
            self._leading.say(Prompt(opening), Tone.LINE)
            samples = self._leading.record(TAKE_SILENCE_S)
            made = self._maker.make(samples, edges_matter=True)
            if isinstance(made, Take):
                return made, Clip(samples)
            problem, opening = made, PROMPTS[made]
            self._progress.recording(takes, problem)
        self._progress.stopped(problem.value)
        raise EnrolmentError(
            f"No recording of the name could be used ({problem.value.replace('_', ' ')}).",
            "Check the microphone with `onebreath check`, then enrol again.",
        )

    def _phrase(self) -> Clip | None:
        """The phrase as last recorded; None when the client left it out."""
        phrase: Clip | None = None
        for _ in range(ATTEMPTS):
            self._leading.say(Prompt("enrol.phrase"), Tone.LINE)
            samples = self._leading.record(PHRASE_SILENCE_S)
            if not len(samples):
                continue
            phrase = Clip(_trimmed(samples))
            self._leading.play([phrase])
            self._leading.say(Prompt("enrol.keep"))
            answer = self._leading.record(TAKE_SILENCE_S, wait_s=KEEP_WAIT_S)
            expecting = frozenset({Command.AGAIN})
            heard = self._commands.recognise(answer, expecting=expecting) if len(answer) else None
            if heard is not Command.AGAIN:
                break
        return phrase

    def _audition(self, led: Brought, ask: bool) -> Brought:
        led = replace(led, tries=self._tries())
        self._progress.talking()
        self._leading.say(Prompt("enrol.talk"), Tone.LINE)
        talk = self._maker.talk(self._leading.record(TALK_SILENCE_S, longest_s=TALK_S))
        if not (talk and ask and self._consent.asks):
            return replace(led, talk=talk)
        self._leading.say(Prompt("enrol.keep_talk"), Tone.LINE)
        given = self._consent.given(self._leading.record(TAKE_SILENCE_S))
        self._leading.say(Prompt("enrol.talk_kept" if given else "enrol.talk_not_kept"))
        return replace(led, talk=talk, keep_talk=given)

    def _tries(self) -> tuple[Embeddings, ...]:
        """The name a few more times. Whatever is said counts as it would at home; only silence does not."""
        tries: list[Embeddings] = []
        silent = 0
        self._progress.trying(0)
        self._leading.say(Prompt("enrol.audition"), Tone.LINE)
        while True:
            samples = self._leading.record(TAKE_SILENCE_S)
            silent = 0 if len(samples) else silent + 1
            if len(samples):
                tries.append(self._maker.embed(samples))
                self._progress.trying(len(tries))
            if len(tries) == TRIES or silent == SILENT_TRIES:
                return tuple(tries)
            self._leading.say(Tone.LINE)


def _different(opening: str) -> Problem | None:
    return Problem.DIFFERENT if opening == PROMPTS[Problem.DIFFERENT] else None


def _trimmed(samples: Samples) -> Samples:
    """Without most of the silence that ended the recording."""
    return samples[: max(RATE // 2, len(samples) - round((PHRASE_SILENCE_S - 0.3) * RATE))]
