"""What can be set, each number with its unit, each pace with its profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from typing import Final

from voice.errors import OnebreathError
from voice.wire.card_content import DAYS


class SettingsError(OnebreathError):
    """A setting that cannot be used."""


@dataclass(frozen=True)
class Timing:
    """The dialogue's clock, all in seconds of audio."""

    cancel_window_s: float = 1.5
    """After the cue tone: the time in which "not now" or "stop" cancels."""
    command_s: float = 1.6
    """The longest utterance that can be one of the words that always work."""
    settle_s: float = 0.5
    """How long it takes to be sure that speech has ended, at most."""
    breath_s: float = 1.5
    """Silence between the phrase and the prompt: the breath."""
    wait_s: float = 10.0
    """How long a line may take to begin, before the one reminder and again after it."""
    end_silence_s: float = 3.0
    """Silence that ends a line."""
    when_wait_s: float = 6.0
    """How long the answer to "Starting, in it, or after?" may take to begin."""
    command_silence_s: float = 1.5
    """Silence that ends a line which so far is one of the words that always work and nothing else."""
    line_max_s: float = 40.0
    """The longest line; what was said until then is kept."""
    exchange_max_s: float = 90.0
    """From the name to listening again, at most (S8)."""
    close_reserve_s: float = 12.0
    """Kept free at the end of an exchange for its closing words."""
    saying_max_s: float = 45.0
    """The longest the device speaks outside an exchange, should a speaker never report its end."""
    conversation_s: float = 120.0
    """How long after a sound of its own the device takes "again", "louder", "delete that" for itself."""
    microphone_notice_s: float = 600.0
    """A loose cable is spoken of once in this time, not at every touch."""


PROFILES: Final[Mapping[str, Timing]] = {
    "brisk": Timing(end_silence_s=2.0),
    "usual": Timing(),
    "slow": Timing(
        cancel_window_s=2.0,
        command_s=2.4,
        wait_s=15.0,
        end_silence_s=5.0,
        when_wait_s=8.0,
        command_silence_s=2.0,
    ),
    "slowest": Timing(
        cancel_window_s=3.0,
        command_s=3.0,
        wait_s=20.0,
        end_silence_s=8.0,
        when_wait_s=10.0,
        command_silence_s=3.0,
    ),
}
"""Paces to choose from. Whatever the pace, the exchange stays within 90 s."""

GAINS: Final = (0.18, 0.3, 0.5, 0.75, 1.0)
"""Playback gain for each volume step."""

RATES: Final = (115, 130, 150)
"""Words a minute, slowest first."""


HEARS: Final = ("anyone", "client")
"""Whose voice may say a name. "anyone": another person in the home who says it is heard too. "client": voices
unlike the one that recorded the takes are heard less often, and so is the client when tired or hoarse."""


@dataclass(frozen=True)
class QuietHours:
    """Between these two local times a name is answered with the tone alone; may pass midnight."""

    begin: time
    end: time

    def contain(self, moment: time) -> bool:
        """Whether `moment` (local, naive) falls within them."""
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


@dataclass(frozen=True)
class Settings:
    """One device's settings. Names and numbers are the clinician's choice."""

    clinician: str = ""
    """The clinician as the prompts say it; empty while the device is not paired."""
    danger_number: str = "911"
    """The number to call in danger, for the client's region."""
    talk_number: str = "988"
    """The line to call to talk now, for the client's region."""
    reads_on: tuple[str, ...] = ()
    """The days of the week on which the clinician reads, as DAYS names them; none: nothing is said of it."""
    asks_when: bool = False
    """The clinician wants "Starting, in it, or after?" asked (S20); it is, once the client agrees too."""
    language: str = "en"
    model: str = ""
    """The folder of a Vosk model to use instead of the installed one for the language."""
    timing: Timing = field(default_factory=Timing)
    quiet_hours: QuietHours | None = None
    volume: int = 3
    """Index into GAINS."""
    words_per_minute: int = 150
    tail_s: float = 0.3
    """After the device has spoken, this much audio is still not taken for the client."""
    tone_tail_s: float = 0.16
    """The same after a tone, which a room swallows sooner."""
    hears: str = HEARS[0]
    """Whose voice may say a name; one of HEARS. A preference and no lock (docs/words.md)."""
    hold_s: float = 30.0
    """A record is kept this long before it is first sent, so that "delete that" has its chance."""
    preroll_s: float = 0.5
    """Audio from before speech was certain that belongs to a line, so that no first word is cut."""


def from_mapping(values: Mapping[str, object]) -> Settings:
    """Settings from plain values, as a card or a settings file carries them; absent keys keep their default.

    Keys: clinician, danger_number, talk_number, reads_on ("monday,thursday"), asks_when
    (true or false), language, model (a folder), pace (a
    name in PROFILES), quiet_from and
    quiet_until ("22:30"), volume (0-4), words_per_minute (one of RATES), hears (one of HEARS), hold_s (0-3600
    seconds). Raises SettingsError otherwise.
    """
    known = {
        "clinician",
        "danger_number",
        "talk_number",
        "reads_on",
        "asks_when",
        "language",
        "model",
        "pace",
        "quiet_from",
        "quiet_until",
        "volume",
        "words_per_minute",
        "hears",
        "hold_s",
    }
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingsError(
            f"There is no setting called {unknown[0]!r}.", f"Known: {', '.join(sorted(known))}."
        )
    settings = Settings()
    pace = values.get("pace", "usual")
    if pace not in PROFILES:
        raise SettingsError(f"There is no pace called {pace!r}.", f"Choose one of: {', '.join(PROFILES)}.")
    hears = values.get("hears", settings.hears)
    if hears not in HEARS:
        raise SettingsError(f"hears cannot be {hears!r}.", f"Choose one of: {', '.join(HEARS)}.")
    return replace(
        settings,
        hears=str(hears),
        clinician=_text(values, "clinician", settings.clinician),
        danger_number=_text(values, "danger_number", settings.danger_number),
        talk_number=_text(values, "talk_number", settings.talk_number),
        reads_on=_days(values),
        asks_when=_yes_or_no(values, "asks_when", settings.asks_when),
        language=_text(values, "language", settings.language),
        model=_text(values, "model", settings.model),
        timing=PROFILES[str(pace)],
        quiet_hours=_quiet_hours(values),
        volume=_one_of(values, "volume", settings.volume, range(len(GAINS))),
        words_per_minute=_one_of(values, "words_per_minute", settings.words_per_minute, RATES),
        hold_s=float(_one_of(values, "hold_s", int(settings.hold_s), range(3601))),
    )


def _text(values: Mapping[str, object], key: str, default: str) -> str:
    value = values.get(key, default)
    if not isinstance(value, str):
        raise SettingsError(f"The setting {key} is not text.")
    return value.strip()


def _one_of(values: Mapping[str, object], key: str, default: int, allowed: range | tuple[int, ...]) -> int:
    value = values.get(key, default)
    if not isinstance(value, int) or value not in allowed:
        raise SettingsError(f"The setting {key} is not one of {', '.join(map(str, allowed))}.")
    return value


def _yes_or_no(values: Mapping[str, object], key: str, default: bool) -> bool:
    value = values.get(key, default)
    if not isinstance(value, bool):
        raise SettingsError(f"The setting {key} is neither true nor false.")
    return value


def _days(values: Mapping[str, object]) -> tuple[str, ...]:
    said = _text(values, "reads_on", "")
    named = said.split(",") if said else []
    if named != [day for day in DAYS if day in named]:
        raise SettingsError(
            "reads_on is not days of the week in their order.", 'For example: reads_on = "monday,thursday".'
        )
    return tuple(named)


def _quiet_hours(values: Mapping[str, object]) -> QuietHours | None:
    begin, end = values.get("quiet_from"), values.get("quiet_until")
    if begin is None and end is None:
        return None
    try:
        return QuietHours(time.fromisoformat(str(begin)), time.fromisoformat(str(end)))
    except ValueError as error:
        raise SettingsError(
            "Quiet hours need both a beginning and an end.", 'For example: quiet_from = "22:30".'
        ) from error
