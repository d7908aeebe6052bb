"""Sound files to what an enrolment brings: takes, tries, talk, a phrase; and why one cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from voice.adapters.files import read_clip
from voice.adapters.takes import TakeMaker
from voice.audio import Clip, Samples, level_db
from voice.card import Card
from voice.enrolment import Problem, Take, clipped
from voice.errors import AudioError, EnrolmentError
from voice.ports import Embeddings
from voice.revising import MOST_TALK_S

LONGEST_PHRASE_S: Final = 15.0
LONGEST_TRY_S: Final = 15.0

REASONS: Final = {
    Problem.TOO_QUIET: "no speech can be heard in it",
    Problem.TOO_LOUD: "it is clipped; record it a little further from the microphone",
    Problem.TOO_SHORT: "the speech in it is shorter than a quarter of a second",
    Problem.TOO_LONG: "the speech in it is longer than four seconds",
    Problem.CUT_OFF: "it begins or ends in the middle of speech",
    Problem.DIFFERENT: "it sounds unlike the others",
}


class Recorded:
    """Reads recordings for one part. What cannot be used is noted, in words; when nothing can be, raised."""

    def __init__(self, before: Card | None) -> None:
        self._before = before
        self._maker = TakeMaker()
        self._takes: list[Clip] = [*before.recordings] if before else []
        self.notes: list[str] = []

    def takes(self, paths: Sequence[Path]) -> tuple[tuple[Take, ...], tuple[Clip, ...]]:
        """Takes, and their sound beside them. Raises AudioError, or EnrolmentError without any take."""
        made: list[Take] = []
        recordings: list[Clip] = []
        for path in paths:
            clip = read_clip(path)
            if self._is_take(clip.samples):
                self._leave_out(path, "this recording is among the takes already")
                continue
            take = self._maker.make(clip.samples)
            if isinstance(take, Problem):
                self._leave_out(path, REASONS[take])
            else:
                made.append(take)
                recordings.append(clip)
                self._takes.append(clip)
        if paths and not made:
            raise EnrolmentError(f"No take could be used. {' '.join(self.notes)}", "Record the name again.")
        return tuple(made), tuple(recordings)

    def tries(self, paths: Sequence[Path]) -> tuple[Embeddings, ...]:
        """An audition's tries, embedded. Raises as `takes`."""
        made: list[Embeddings] = []
        for path in paths:
            clip = read_clip(path)
            if self._is_take(clip.samples):
                self._leave_out(path, "it is one of the takes; a try is said afresh")
            elif clip.seconds > LONGEST_TRY_S:
                self._leave_out(path, f"it is {clip.seconds:.0f} s long; a try is the name, said once")
            elif max(self._maker.probabilities(clip.samples), default=0.0) < 0.5:
                self._leave_out(path, REASONS[Problem.TOO_QUIET])
            else:
                embedded = self._maker.embed(clip.samples)
                known = (*(self._before.tries if self._before else ()), *made)
                if any(np.array_equal(embedded, other) for other in known):
                    self._leave_out(path, "this recording is among the tries already")
                else:
                    made.append(embedded)
        if paths and not made:
            raise EnrolmentError(f"No try could be used. {' '.join(self.notes)}", "Record the name again.")
        return tuple(made)

    def talk(self, paths: Sequence[Path]) -> tuple[Embeddings, ...]:
        """Ordinary talk, embedded in pieces. Raises AudioError."""
        pieces: list[Embeddings] = []
        for path in paths:
            clip = read_clip(path)
            if clip.seconds > MOST_TALK_S:
                raise AudioError(
                    f"{path.name} is {clip.seconds / 60:.0f} minutes long.",
                    f"Give at most {MOST_TALK_S / 60:.0f} minutes of ordinary talk; one is enough.",
                )
            found = self._maker.talk(clip.samples)
            if not found:
                raise AudioError(f"No talk can be heard in {path.name}.", "Record it again.")
            pieces += found
        return tuple(pieces)

    def _is_take(self, samples: Samples) -> bool:
        return any(np.array_equal(samples, take.samples) for take in self._takes)

    def _leave_out(self, path: Path, reason: str) -> None:
        self.notes.append(f"{path.name} was left out: {reason}.")


def read_phrase(path: Path) -> Clip:
    """A phrase that can be played back. Raises AudioError."""
    clip = read_clip(path)
    if clip.seconds > LONGEST_PHRASE_S:
        raise AudioError(
            f"{path.name} is {clip.seconds:.0f} s long; a phrase is one breath.",
            f"Give a recording of at most {LONGEST_PHRASE_S:.0f} s.",
        )
    if level_db(clip.samples) < -60.0:
        raise AudioError(f"Nothing can be heard in {path.name}.", "Record the phrase again.")
    if clipped(clip.samples):
        raise AudioError(
            f"{path.name} is clipped: it was recorded too loud.",
            "Record the phrase again, a little further from the microphone.",
        )
    return clip
