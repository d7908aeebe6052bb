"""Takes to a card: is each take usable, where is the name in it, what threshold, what forecast. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from voice.alignment import MOST_COST, align, combine
from voice.audio import BLOCK_S, RATE, Samples, level_db
from voice.errors import EnrolmentError
from voice.ports import Embeddings
from voice.space import CONTEXT, Floats, Space
from voice.spotting import Voiceprint

CHUNK_S: Final = 0.032
"""Seconds for each speech probability given to `examine`."""

HEAD_S: Final = 0.30
"""A take begins this long after the name does: its window of 0.76 s holds the beginning by then."""

TAIL_S: Final = 0.0
"""A take goes on this long after the name."""

PAUSE_S: Final = 0.7
"""A longer silence than this within a take separates two utterances."""

SHORTEST_S: Final = 0.25
LONGEST_S: Final = 4.0
QUIETEST_DB: Final = -55.0
CLIPPED_SHARE: Final = 0.02
EDGE_S: Final = 0.03

STRETCH_FRAMES: Final = 25
"""The bank is looked at in stretches of 2 s: about one utterance."""

LEAST_THRESHOLD: Final = 3.25
"""Scores are standard deviations: on recordings of strangers nothing but the name passes this often."""

BANK_ACCEPTS: Final = 3
"""The threshold leaves at most this many accepts in the bank's half hour, which is harder than a home."""

OWN_SHARE: Final = 0.45
"""The threshold is at least this share of what the takes score against each other."""

OWN_LIMIT: Final = 0.6
"""And at most this share of it, so that the client's own way of saying the name is found."""

TALK_MARGIN: Final = 0.2
"""The threshold lies at least this far above the client's ordinary talk."""

TALK_HOURS_A_WEEK: Final = 20.0
"""Speech within earshot in an ordinary home, television included, that the forecast reckons with."""


class Problem(StrEnum):
    """Why a take cannot be used; each is a prompt `enrol.<value>`, said kindly."""

    TOO_QUIET = "too_quiet"
    TOO_LOUD = "too_loud"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    CUT_OFF = "cut_off"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Span:
    """Where the name is in a take, in seconds from its beginning."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Take:
    """One enrolment recording, embedded from its beginning: shape (frames, 96), one frame for each 80 ms."""

    embeddings: Embeddings
    span: Span

    def name(self) -> Embeddings:
        """The frames that hold the name, at least three, and CONTEXT frames before them."""
        first = round((self.span.start_s + HEAD_S) / BLOCK_S)
        last = round((self.span.end_s + TAIL_S) / BLOCK_S)
        first = max(0, min(first, len(self.embeddings) - 3))
        last = min(max(last, first + 3), len(self.embeddings))
        return self.embeddings[np.maximum(np.arange(first - CONTEXT, last), 0)]


@dataclass(frozen=True)
class Bank:
    """Negatives, each piece placed in `space` and of shape (frames, dimensions)."""

    space: Space
    pieces: tuple[Floats, ...]

    @property
    def hours(self) -> float:
        """How much sound it is."""
        return sum(len(piece) for piece in self.pieces) * BLOCK_S / 3600


@dataclass(frozen=True)
class Forecast:
    """What the clinician is shown. `found_of_ten` is estimated by scoring each take against the others, None
    with fewer than two takes; `false_tones_a_week` from the bank of negatives and 20 h of talk a week."""

    found_of_ten: float | None
    false_tones_a_week: float
    basis: dict[str, float] = field(default_factory=dict)


def examine(samples: Samples, probabilities: Sequence[float], *, edges_matter: bool) -> Span | Problem:
    """Where the name is in one recording at 16 kHz, or why it cannot be used.

    `probabilities`: speech or not, one for each 32 ms. `edges_matter`: the recording was made here, with
    room on both sides, so that speech at its very edge was cut off; a file may be trimmed on purpose.
    """
    spoken = np.flatnonzero(np.asarray(probabilities) > 0.5)
    if not len(spoken):
        return Problem.TOO_QUIET
    first, last = _utterance(spoken, np.asarray(probabilities))
    start, end = first * CHUNK_S, min((last + 1) * CHUNK_S, len(samples) / RATE)
    voiced = samples[round(start * RATE) : round(end * RATE)]
    if level_db(voiced) < QUIETEST_DB:
        return Problem.TOO_QUIET
    if clipped(voiced):
        return Problem.TOO_LOUD
    if end - start < SHORTEST_S:
        return Problem.TOO_SHORT
    if end - start > LONGEST_S:
        return Problem.TOO_LONG
    if edges_matter and (start < EDGE_S or end > len(samples) / RATE - EDGE_S):
        return Problem.CUT_OFF
    return Span(start, end)


def clipped(samples: Samples) -> bool:
    """Whether so much of it is at full scale that it was recorded too loud."""
    return float(np.mean(np.abs(samples.astype(np.int32)) >= 32_700)) > CLIPPED_SHARE


def _utterance(spoken: np.ndarray[tuple[int], np.dtype[np.intp]], probabilities: Floats) -> tuple[int, int]:
    """The utterance with the most speech in it, of those that long silences separate."""
    gaps = np.flatnonzero(np.diff(spoken) > PAUSE_S / CHUNK_S)
    pieces = np.split(spoken, gaps + 1)
    best = max(pieces, key=lambda piece: float(probabilities[piece].sum()))
    return int(best[0]), int(best[-1])


def odd_one_out(takes: Sequence[Take], space: Space) -> int | None:
    """The take that is unlike the others, if there is one; needs at least three takes."""
    if len(takes) < 3:
        return None
    placed = space.templates([take.name() for take in takes])
    recordings = [space.place(take.embeddings) for take in takes]
    costs = np.stack([cost.min(axis=0) for cost in align(placed, recordings)])
    np.fill_diagonal(costs, np.nan)
    distance = np.nanmedian((costs + costs.T) / 2, axis=1)
    worst = int(distance.argmax())
    others = np.delete(distance, worst)
    unlike = distance[worst] > 0.75 and distance[worst] > 1.35 * others.max()
    return worst if unlike else None


def voiceprint(
    part: str, takes: Sequence[Take], bank: Bank, talk: Sequence[Embeddings] = ()
) -> tuple[Voiceprint, Forecast]:
    """What own-voice evidence needs to hear `part`, its threshold set against the bank of negatives.

    `talk`: embeddings of the client's ordinary talk, each of shape (frames, 96), kept with consent; the
    threshold lies above it as far as the client's own way of saying the name allows.
    """
    if not takes:
        raise EnrolmentError(
            f'"{part}" has no take yet.', "Record the name three to five times, or give --take FILE."
        )
    names = [take.name() for take in takes]
    placed = bank.space.templates(names)
    lowest = _stretches(align(placed, bank.pieces))
    usual, spread = lowest.mean(axis=0), lowest.std(axis=0)
    negatives = np.sort(combine(lowest, usual, spread))[::-1]
    own = _own_scores(takes, placed, usual, spread, bank.space)
    home = [combine(cost, usual, spread).max() for cost in align(placed, [bank.space.place(t) for t in talk])]
    threshold = _threshold(negatives, own, max(home, default=0.0))
    accepts_an_hour = _tail(negatives, threshold) / bank.hours
    found = None if len(own) < 2 else 10.0 * (np.sum(own >= threshold) + 1) / (len(own) + 1.5)
    forecast = Forecast(
        found_of_ten=None if found is None else round(min(float(found), 10.0), 1),
        false_tones_a_week=round(accepts_an_hour * TALK_HOURS_A_WEEK * _HOME_SHARE, 1),
        basis={
            "takes": len(takes),
            "bank_hours": round(bank.hours, 2),
            "talk_hours_a_week": TALK_HOURS_A_WEEK,
            "median_own_score": round(float(np.median(own)), 2) if len(own) else 0.0,
        },
    )
    return Voiceprint(part, tuple(names), usual, spread, float(threshold), TAIL_S), forecast


_HOME_SHARE: Final = 0.06
"""Synthetic voices, noise and lists of loose words accept far more often than real talk does: about 7 an hour
where recordings of people gave 0.4 (docs/hearing.md)."""


def _stretches(costs: Sequence[Floats]) -> Floats:
    """The lowest cost of each take in each stretch of 2 s, shape (stretches, takes).

    A piece of the bank shorter than about half a take cannot hold a path through it, so it says nothing about
    the take and is left out: one loose word must not decide what a long name usually costs.
    """
    lowest = np.stack(
        [
            cost[start : start + STRETCH_FRAMES].min(axis=0)
            for cost in costs
            for start in range(0, max(1, len(cost) - STRETCH_FRAMES // 2), STRETCH_FRAMES)
        ]
    )
    return np.asarray(lowest[(lowest <= MOST_COST).all(axis=1)], np.float32)


def _own_scores(
    takes: Sequence[Take], placed: Sequence[Floats], usual: Floats, spread: Floats, space: Space
) -> Floats:
    """Each take's best score against the other takes, shape (takes,); empty with fewer than two."""
    if len(takes) < 2:
        return np.empty(0, np.float32)
    costs = align(placed, [space.place(take.embeddings) for take in takes])
    scores = []
    for index, cost in enumerate(costs):
        others = np.arange(len(takes)) != index
        scores.append(combine(cost[:, others], usual[others], spread[others]).max())
    return np.array(scores, np.float32)


def _threshold(negatives: Floats, own: Floats, home: float) -> float:
    """`negatives`: scores of the bank's stretches, highest first. `own`: scores of the takes. `home`: the
    highest score in the client's ordinary talk."""
    threshold = max(
        LEAST_THRESHOLD, float(negatives[min(BANK_ACCEPTS, len(negatives)) - 1]), home + TALK_MARGIN
    )
    if not len(own):
        return threshold
    usual = float(np.median(own))
    threshold = min(threshold, max(LEAST_THRESHOLD, OWN_LIMIT * usual))
    return max(threshold, OWN_SHARE * usual)


def _tail(negatives: Floats, threshold: float) -> float:
    """How many of the bank's stretches would pass, read off an exponential tail through the highest 20."""
    top = negatives[:20]
    excess = float(np.mean(top - top[-1])) or 1e-3
    return float(len(top) * np.exp(-(threshold - top[-1]) / excess))
