"""The one question of S20, "Starting, in it, or after?": whether it is wanted, and how its answer is heard.

What must not live elsewhere: that it takes two yeses, the clinician's and the client's, and a way to
understand the answer. When it is asked is the dialogue's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from voice.audio import Samples
from voice.noticing import When
from voice.words import sayable

log = logging.getLogger(__name__)

PROMPTS: Final[Mapping[When, str]] = {
    When.STARTING: "when.starting",
    When.IN: "when.in",
    When.AFTER: "when.after",
}
"""Where the words of each answer stand in the prompts of a language."""


@dataclass(frozen=True)
class Asking:
    """`wanted` is looked up at every name, so that either can end it at any time. `recognise` gives the
    answer that one short utterance is as a whole, int16 mono at 16 kHz, and None for anything else."""

    wanted: Callable[[], bool]
    recognise: Callable[[Samples], When | None]

    def answer(self, sound: Samples) -> When | None:
        """A recogniser that breaks costs the answer, and nothing is said of it."""
        try:
            return self.recognise(sound)
        except Exception as error:
            log.error("an answer could not be made out: %s", type(error).__name__)
            return None


def _not_wanted() -> bool:
    return False


def _nothing(sound: Samples) -> When | None:
    return None


NOT_ASKED: Final = Asking(_not_wanted, _nothing)


def spoken_answers(prompts: Mapping[str, str]) -> dict[str, When]:
    """Each answer as a recogniser writes it, from the prompts of a language."""
    return {sayable(prompts[key]): when for when, key in PROMPTS.items()}
