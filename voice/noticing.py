"""A noticing: the client named the part. Complete by itself; a line may follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from voice.transcript import Transcript


class When(StrEnum):
    """The client's own word for when they noticed (S20), asked for where client and clinician want it."""

    STARTING = "starting"
    IN = "in"
    AFTER = "after"


@dataclass(frozen=True)
class Noticing:
    """What the device seals.

    `part` is the client's exact name for it (S1). `at` is when the name was heard, with its time zone.
    `line` is None when nothing was spoken (complete all the same, S6); a transcript without words means
    that a line was spoken and could not be made out. `when` is None when it was not asked or not answered.
    """

    part: str
    at: datetime
    line: Transcript | None = None
    when: When | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("a noticing carries its time zone")
