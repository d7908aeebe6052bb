"""A card of another matcher made anew from what is kept: takes, and tries and talk where there are. Pure.

Threshold, statistics and forecast are figures of the matcher of their day; under another one they mean
nothing. The raw embeddings are on the card, so that nobody has to record anything again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from voice.audition import Heard, auditioned, found, seconds, tones
from voice.card import Card
from voice.enrolment import Bank, voiceprint
from voice.errors import EnrolmentError
from voice.ports import Embeddings
from voice.spotting import MATCHER

SHORTEST_FRAMES: Final = 3
"""No name is shorter than this (voice/enrolment.py)."""


def renewed(card: Card, bank: Bank) -> Card:
    """The card as this matcher makes it. Raises EnrolmentError when its embeddings are of no use.

    Talk that was not kept was heard by the matcher before, and no longer counts in the forecast.
    """
    dimensions = len(bank.space.mean)
    pieces = [*(take.embeddings for take in card.takes), *card.tries, *card.talk]
    if not card.takes or not all(_usable(piece, dimensions) for piece in pieces):
        raise EnrolmentError("The takes of this part cannot be used any more.", "Enrol it again.")
    known, forecast = voiceprint(card.name, card.takes, bank, card.talk)
    heard = Heard(
        tries=len(card.tries),
        found=found(known, card.tries, bank.space),
        talk_s=round(seconds(card.talk), 1),
        tones=tones(known, card.talk, bank.space),
    )
    if heard != Heard():
        forecast = auditioned(forecast, heard)
    return replace(card, print=known, forecast=forecast, matcher=MATCHER)


def _usable(piece: Embeddings, dimensions: int) -> bool:
    return (
        len(piece) >= SHORTEST_FRAMES and piece.shape[1:] == (dimensions,) and bool(np.isfinite(piece).all())
    )
