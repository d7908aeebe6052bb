"""A noticing: the client named the part. Complete by itself; a line may follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from voice.transcript import Transcript


@dataclass(frozen=True)
class Noticing:
    """What the device seals.

    `part` is the client's exact name for it (S1). `at` is when the name was heard, with its time zone.
    `line` is None when nothing was spoken (complete all the same, S6); a transcript without words means
    that a line was spoken and could not be made out.
    """

    part: str
    at: datetime
    line: Transcript | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("a noticing carries its time zone")
