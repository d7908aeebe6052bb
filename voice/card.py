"""A card: what the device holds for one part. Takes and phrase never leave the device."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from voice.audio import Clip
from voice.enrolment import Forecast, Take
from voice.ports import Embeddings
from voice.spotting import MATCHER, Voiceprint


@dataclass(frozen=True)
class Card:
    """One part. `name` is the client's exact own name for it (S1); `alias` a way of saying it in words that
    the installed Vosk model knows, or None. `recordings` are the takes as sound, beside `takes` as
    embeddings.

    `tries`: the audition's, embedded, each of shape (frames, 96); they tell later whether new takes help.
    `talk`: the client's ordinary talk, embedded in pieces, kept with consent only. `anyway`: the clinician
    kept the part although its forecast speaks against it. `matcher`: the version of the matcher that made
    `print` and `forecast`."""

    name: str
    takes: tuple[Take, ...]
    recordings: tuple[Clip, ...]
    print: Voiceprint
    forecast: Forecast
    alias: str | None = None
    phrase: Clip | None = None
    quiet: bool = False
    tries: tuple[Embeddings, ...] = ()
    talk: tuple[Embeddings, ...] = ()
    anyway: bool = False
    matcher: int = MATCHER


JOINERS: Final = "\u200c\u200d"
"""Invisible, and part of the spelling in Persian and in many Indian scripts."""


def clean_name(text: str) -> str:
    """The name as it is kept: NFC, single spaces, no control characters; otherwise exactly as given."""
    printable = "".join(
        char for char in text if char.isspace() or char in JOINERS or unicodedata.category(char)[0] != "C"
    )
    return unicodedata.normalize("NFC", " ".join(printable.split()))
