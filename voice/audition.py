"""The audition: would the device have heard the name, and would it have answered to ordinary talk? Pure.

Three kinds of evidence make the forecast, and `basis` says which there was:

- the takes heard against each other: there from the second take on, and cautious, since each is heard with
  one take fewer than the device will have (by one try in ten on recordings of people, docs/enrolment.md);
- the tries of the audition, said after the takes: counted by the decision that the device makes at home;
- false tones: the bank of negatives gives a rate, weighed with what the client's own talk gave by its length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from voice.alignment import align, combine
from voice.audio import BLOCK_S
from voice.enrolment import Bank, Forecast, Take, odd_one_out, voiceprint
from voice.ports import Embeddings
from voice.space import Floats, Space
from voice.spotting import Decision, Voiceprint

FEWEST_TRIES: Final = 3
"""With fewer tries the takes say more."""

FEWEST_FOUND_OF_TEN: Final = 6.0
MOST_TONES_A_WEEK: Final = 14.0
"""Two a day: an intimate phrase spoken aloud more often than that is no help to anyone."""

WIDTH: Final = 1.645
"""Normal quantile of the range told: nine times in ten the truth lies within it."""


@dataclass(frozen=True)
class Refusal:
    """A name that would not work at home. `prompt`: the key of what the client is told."""

    cause: str
    remedy: str
    prompt: str


def scores(known: Voiceprint, raw: Embeddings, space: Space) -> Floats:
    """The part's score at each frame of a recording, embedded to shape (frames, 96): shape (frames,)."""
    placed = space.templates(known.takes)
    return combine(align(placed, [space.place(raw)])[0], known.usual, known.spread)


def first_heard(prints: Sequence[Voiceprint], raw: Embeddings, space: Space) -> str | None:
    """The part that a device listening for all of these would hear first in a recording."""
    return next(iter(_hearings(prints, raw, space)), None)


def tones(known: Voiceprint, pieces: Sequence[Embeddings], space: Space) -> int:
    """How often this part alone would have been heard in these recordings."""
    return sum(len(_hearings([known], raw, space)) for raw in pieces)


def found(known: Voiceprint, tries: Sequence[Embeddings], space: Space) -> int:
    """In how many of these recordings the part would have been heard."""
    return sum(first_heard([known], raw, space) is not None for raw in tries)


def _hearings(prints: Sequence[Voiceprint], raw: Embeddings, space: Space) -> list[str]:
    rows = np.stack([scores(known, raw, space) for known in prints], axis=1)
    decision = Decision(prints)
    heard = [decision.push(block, row) for block, row in enumerate(rows, 1)]
    heard.append(decision.push(len(rows) + 1, None))
    return [hearing.part for hearing in heard if hearing is not None]


class Agreement:
    """Whether the takes so far are enough: three when each of them is heard by the others, else up to five.

    "Heard" is the device's own measure: the score of each take against the others reaches the threshold that
    these takes would get. A client who says the name alike is let go after three; one whose takes differ
    gives the matcher two more ways of saying it, which is what helps then (docs/enrolment.md).
    """

    FEWEST: Final = 3
    MOST: Final = 5

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def odd(self, takes: Sequence[Take]) -> int | None:
        """The take that is unlike the others, if there is one."""
        return odd_one_out(takes, self._bank.space)

    def enough(self, takes: Sequence[Take]) -> bool:
        """Whether no further take is needed."""
        if not self.FEWEST <= len(takes) < self.MOST:
            return len(takes) >= self.MOST
        known, _ = voiceprint("", takes, self._bank)
        return bool((against_others(known, takes, self._bank.space) >= known.threshold).all())


def against_others(known: Voiceprint, takes: Sequence[Take], space: Space) -> Floats:
    """Each take's best score against the other takes of the same print, shape (takes,); needs two."""
    return np.array(
        [
            scores(without(known, index), take.embeddings, space).max()
            for index, take in enumerate(takes)
        ],
        np.float32,
    )  # fmt: skip


def without(known: Voiceprint, index: int) -> Voiceprint:
    """The print as it would listen without one of its takes."""
    rest = np.arange(len(known.takes)) != index
    return replace(
        known,
        takes=tuple(take for take, stays in zip(known.takes, rest, strict=True) if stays),
        usual=known.usual[rest],
        spread=known.spread[rest],
    )


@dataclass(frozen=True)
class Heard:
    """What an audition counted. `talk_s` is speech, without the pauses."""

    tries: int = 0
    found: int = 0
    talk_s: float = 0.0
    tones: int = 0


def seconds(talk: Sequence[Embeddings]) -> float:
    """How long talk is, embedded."""
    return sum(len(piece) for piece in talk) * BLOCK_S


def counted(forecast: Forecast) -> Heard:
    """What the audition behind a forecast counted."""
    basis = forecast.basis
    return Heard(
        tries=int(basis.get("tries", 0)),
        found=int(basis.get("tries_found", 0)),
        talk_s=basis.get("talk_s", 0.0),
        tones=int(basis.get("talk_tones", 0)),
    )


def from_takes(forecast: Forecast) -> Forecast:
    """The forecast as it was before any audition."""
    basis = dict(forecast.basis)
    if "bank_tones_a_week" not in basis:
        return forecast
    takes = basis.get("takes_found_of_ten")
    kept = {key: value for key, value in basis.items() if key not in _AUDITIONED}
    return Forecast(takes, basis["bank_tones_a_week"], kept)


_AUDITIONED: Final = frozenset(
    "tries tries_found talk_s talk_tones bank_tones_a_week takes_found_of_ten".split()
)


def auditioned(takes_alone: Forecast, heard: Heard) -> Forecast:
    """The forecast from the takes, improved by what an audition counted."""
    bank_tones = takes_alone.false_tones_a_week
    basis = dict(takes_alone.basis)
    basis |= {
        "tries": heard.tries,
        "tries_found": heard.found,
        "talk_s": round(heard.talk_s, 1),
        "talk_tones": heard.tones,
        "bank_tones_a_week": bank_tones,
    }
    if takes_alone.found_of_ten is not None:
        basis["takes_found_of_ten"] = takes_alone.found_of_ten
    of_ten = takes_alone.found_of_ten
    if heard.tries >= FEWEST_TRIES:
        of_ten = round(10.0 * heard.found / heard.tries, 1)
    # A rate known from `hours` of bank and then watched for `talk` hours: the gamma-Poisson mean.
    week, hours, talk = basis["talk_hours_a_week"], basis["bank_hours"], heard.talk_s / 3600
    a_week = week * (bank_tones / week * hours + heard.tones) / (hours + talk)
    return Forecast(of_ten, round(a_week, 1), basis)


def likely(heard: Heard) -> tuple[int, int]:
    """Of ten tries at home, how many will probably be found: Wilson's interval, rounded outwards."""
    share, n = heard.found / heard.tries, heard.tries
    square = WIDTH**2
    middle = share + square / (2 * n)
    half = WIDTH * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    low, high = ((middle + side) / (1 + square / n) for side in (-half, half))
    return max(0, math.floor(10 * low + 1e-9)), min(10, math.ceil(10 * high - 1e-9))


def refusal(forecast: Forecast, *, talk_kept: bool) -> Refusal | None:
    """Why this name would not work at home, if so. `talk_kept`: the threshold was set with the talk."""
    heard = counted(forecast)
    above_talk = " Or keep the talk (--keep-talk), so that the threshold is set above it."
    if forecast.false_tones_a_week > MOST_TONES_A_WEEK:
        return Refusal(
            f"This name sounds like ordinary talk: about {forecast.false_tones_a_week / 7:.0f} false tones "
            "a day are to be expected.",
            "Add one more word to it, one that is not an everyday one."
            + (above_talk if heard.tones and not talk_kept else ""),
            "enrol.too_common",
        )
    if heard.tries >= FEWEST_TRIES and 10 * heard.found < FEWEST_FOUND_OF_TEN * heard.tries:
        return Refusal(
            f"This name was heard in {heard.found} of {heard.tries} tries: too seldom to rely on.",
            "Add one more word to it, or record the takes again where it will be used.",
            "enrol.hard_to_hear",
        )
    return None
