"""A client who answers a led enrolment: speaks a little after each prompt has ended, in audio time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from tests.fakes import FakePlayer, FakeSynthesiser, Log
from voice.adapters.prompts import load_wording
from voice.audio import BLOCK_S, HOP, RATE, Clip, Samples
from voice.ports import Back, Block, Gap, Lost

ENGLISH = load_wording("en")
OPENINGS = {
    ENGLISH.sentences(key, {"clinician": "x", "danger": "1", "talk": "1"})[0]: key for key in ENGLISH.prompts
}

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
        player: FakePlayer,
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
            if was_playing and not playing and len(self.prompts) > self._heard:
                self._heard = len(self.prompts)
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

    def _answer(self, prompt: str) -> Answer:
        turns = self._answers.get(prompt, [])
        if len(turns) > 1:
            return turns.pop(0)
        return turns[0] if turns else None
