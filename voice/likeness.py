"""How much the names of two parts are taken for each other. Pure.

Measured with the takes themselves: each take of one part is played to a device that listens for both, whose
print of the take's own part was made without that take, and the device's decision says which part it hears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voice.audition import first_heard, without
from voice.card import Card
from voice.space import Space
from voice.spotting import Voiceprint


@dataclass(frozen=True)
class Likeness:
    """Takes of `part` that a device listening for both would take for `other`: `mistaken` of `takes`.

    `alike` of them would be taken for `other` if that were the only part.
    """

    part: str
    other: str
    mistaken: int
    alike: int
    takes: int

    @property
    def confused(self) -> bool:
        """Whether people are to be told: some take is mistaken, or at least half of them would do for both.

        A take that its own part wins only narrowly today is one that the other part wins on another day.
        """
        return self.mistaken > 0 or 2 * self.alike >= self.takes


def likeness(card: Card, other: Card, space: Space) -> Likeness:
    """How the takes of one part fare beside another part."""
    mistaken = alike = 0
    for index, take in enumerate(card.takes):
        theirs = first_heard([other.print], take.embeddings, space) is not None
        alike += theirs
        if theirs:
            mine = _unaided(card.print, index)
            mistaken += first_heard([*mine, other.print], take.embeddings, space) == other.name
    return Likeness(card.name, other.name, mistaken, alike, len(card.takes))


def confusions(card: Card, others: Sequence[Card], space: Space) -> list[Likeness]:
    """Between one part and each of the others, both ways round, as far as people are to be told."""
    pairs = [
        pair for other in others if other.name != card.name for pair in ((card, other), (other, card))
    ]  # fmt: skip
    return [found for one, other in pairs if (found := likeness(one, other, space)).confused]


def _unaided(known: Voiceprint, index: int) -> list[Voiceprint]:
    """The print without its take `index`, which would recognise itself; a single take stays in."""
    return [without(known, index) if len(known.takes) > 1 else known]
