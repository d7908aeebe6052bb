"""Where the dialogue is: its phases, one exchange, and everything it remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from voice.noticing import Noticing
from voice.ports import Command, Standing
from voice.settings import Timing


class Phase(StrEnum):
    """Where the dialogue is."""

    RESTING = "resting"
    LISTENING = "listening"
    MUTED = "muted"
    DEAF = "deaf"
    SAYING = "saying"
    CUE = "cue"
    WINDOW = "window"
    PHRASE = "phrase"
    ASKING = "asking"
    WAITING = "waiting"
    REMINDING = "reminding"
    CAPTURING = "capturing"
    TRANSCRIBING = "transcribing"
    SAVING = "saving"
    ASKING_WHEN = "asking when"
    HEARING_WHEN = "hearing when"
    CLOSING = "closing"


HEARS_NAMES: Final = frozenset({Phase.LISTENING, Phase.RESTING})
"""A resting device still hears, to say once that it rests."""

HEARS_COMMANDS: Final = frozenset(
    {
        Phase.RESTING,
        Phase.LISTENING,
        Phase.MUTED,
        Phase.WINDOW,
        Phase.WAITING,
        Phase.CAPTURING,
        Phase.HEARING_WHEN,
    }
)


@dataclass(frozen=True)
class Exchange:
    """One noticing on its way. `repeat`: only the phrase was asked for again; nothing is asked or saved.

    `asks_when`: the question of S20 may still come. `held`: the noticing that is on disk already and that one
    word may join; None before and after.
    """

    part: str
    at: datetime
    phrase_s: float | None
    started_s: float
    quiet: bool = False
    repeat: bool = False
    asked: bool = False
    reminded: bool = False
    line: bool = False
    silent_close: bool = False
    asks_when: bool = False
    held: Noticing | None = None


@dataclass(frozen=True)
class State:
    """Everything the dialogue knows. `since_s`: when this phase began. `notices`: prompts to say at rest."""

    phase: Phase = Phase.RESTING
    since_s: float = 0.0
    standing: Standing = Standing.ACTIVE
    timing: Timing = field(default_factory=Timing)
    volume: int = 3
    words_per_minute: int = 150
    muted: bool = False
    deaf: bool = False
    deaf_said_s: float | None = None
    deaf_said: bool = False
    rest_said: bool = False
    exchange: Exchange | None = None
    last: Exchange | None = None
    last_closed_s: float = 0.0
    spoke_s: float | None = None
    """When the device last fell silent after a sound of its own."""
    speaking: bool = False
    turned_s: float = 0.0
    """When the client last began or ceased to speak."""
    utterances: int = 0
    """Utterances of this line so far."""
    pending: Command | None = None
    """What the line so far is, should it end here."""
    notices: tuple[str, ...] = ()
    untold: bool = False
    """Someone else can read now, and the client has not been told."""
