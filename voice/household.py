"""Other people's voices in the home: which of them may say a part's name. Pure.

A take carries what was said and, less reliably, who said it. Raising the threshold towards what the client's
own takes score against each other keeps some other voices out; how many is measured in docs/words.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from voice.card import Card
from voice.settings import HEARS
from voice.spotting import Voiceprint

CLIENT: Final = HEARS[1]

OWN_LEAST: Final = 0.8
"""For the client alone the threshold is at least this share of what the takes score against each other."""


def listened_for(card: Card, hears: str) -> Voiceprint:
    """The card's print as the device listens for it. `hears`: one of settings.HEARS.

    For the client alone the threshold is higher and recognised words, which have no voice, name nothing.
    With a single take nothing is known of how the client varies, and the threshold stays.
    """
    if hears != CLIENT:
        return card.print
    own = card.forecast.basis.get("median_own_score", 0.0)
    return replace(card.print, threshold=max(card.print.threshold, OWN_LEAST * own), with_words=1.0)
