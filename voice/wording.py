"""The words the device may say: loaded, checked, filled in. Nothing else is ever spoken (S9).

A language is one table of keys; every language has the same keys. Checked before anything is said: a missing
or unknown key, an unknown placeholder, a sentence of more than 12 words, or a word that is never said to a
client is an error, not a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from voice.errors import OnebreathError

LONGEST_SENTENCE: Final = 12
"""Words."""

CLINICIAN: Final = frozenset({"clinician"})
NOTHING: Final[frozenset[str]] = frozenset()

KEYS: Final[Mapping[str, frozenset[str]]] = {
    "ask.line": CLINICIAN,
    "ask.reminder": NOTHING,
    "ask.when": NOTHING,
    "when.starting": NOTHING,
    "when.in": NOTHING,
    "when.after": NOTHING,
    "close.saved": CLINICIAN,
    "close.saved_offline": CLINICIAN,
    "close.not_kept": CLINICIAN,
    "delete.done": NOTHING,
    "delete.delivered": CLINICIAN,
    "delete.nothing": NOTHING,
    "set.louder": NOTHING,
    "set.loudest": NOTHING,
    "set.quieter": NOTHING,
    "set.quietest": NOTHING,
    "set.slower": NOTHING,
    "set.slowest": NOTHING,
    "mute.on": NOTHING,
    "mute.off": NOTHING,
    "microphone.lost": NOTHING,
    "microphone.back": NOTHING,
    "rest.unpaired": NOTHING,
    "rest.paused": CLINICIAN,
    "rest.discharged": NOTHING,
    "help.nobody": NOTHING,
    "help.reads": CLINICIAN,
    "help.reads_on": frozenset({"clinician", "days"}),
    "help.also_reads": frozenset({"clinician", "holder"}),
    "help.danger": frozenset({"danger"}),
    "help.talk": frozenset({"talk"}),
    "days.monday": NOTHING,
    "days.tuesday": NOTHING,
    "days.wednesday": NOTHING,
    "days.thursday": NOTHING,
    "days.friday": NOTHING,
    "days.saturday": NOTHING,
    "days.sunday": NOTHING,
    "days.and": NOTHING,
    "enrol.welcome": NOTHING,
    "enrol.say_name": NOTHING,
    "enrol.again": NOTHING,
    "enrol.too_quiet": NOTHING,
    "enrol.too_loud": NOTHING,
    "enrol.cut_off": NOTHING,
    "enrol.too_short": NOTHING,
    "enrol.too_long": NOTHING,
    "enrol.too_common": NOTHING,
    "enrol.different": NOTHING,
    "enrol.phrase": NOTHING,
    "enrol.keep": NOTHING,
    "enrol.audition": NOTHING,
    "enrol.talk": NOTHING,
    "enrol.keep_talk": NOTHING,
    "enrol.talk_kept": NOTHING,
    "enrol.talk_not_kept": NOTHING,
    "enrol.ask_when": NOTHING,
    "enrol.when_asked": NOTHING,
    "enrol.when_not_asked": NOTHING,
    "enrol.alike": NOTHING,
    "enrol.hard_to_hear": NOTHING,
    "enrol.name_too_long": NOTHING,
    "enrol.not_kept": NOTHING,
    "enrol.as_before": NOTHING,
    "enrol.done": NOTHING,
}
"""Every prompt, with the placeholders it may use. Those of `days` are spoken within others alone,
those of `when` are heard."""

NEVER_SAID: Final[Mapping[str, tuple[str, ...]]] = {
    "S3": (
        "protector",
        "exile",
        "self",
        "blended",
        "unblend",
        "unblended",
        "manager",
        "firefighter",
        "trigger",
    ),
    "S4": ("reminder", "streak", "score", "due", "goal", "task"),
    "S11": ("relax", "find", "go inside", "calm", "calm down", "breathe"),
    "S12": ("exercise", "practise", "meditate"),
    "S13": (
        "wrong",
        "missed",
        "missing",
        "incomplete",
        "try",
        "try harder",
        "failed",
        "failure",
        "mistake",
        "forgot",
        "error",
        "invalid",
        "should",
        "must",
        "incorrect",
    ),
    "S14": ("did it help", "does it help", "did that help", "feel better", "how do you feel", "are you okay"),
    "S22": ("alerted", "emergency services", "notified"),
}
"""English words and phrases, by the principle that forbids them; matched as whole words, in any case."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")


class WordingError(OnebreathError):
    """The prompts of a language cannot be used as they are."""


@dataclass(frozen=True)
class Wording:
    """One language's prompts, checked. `language` is its code ("en")."""

    language: str
    prompts: Mapping[str, str]

    def sentences(self, key: str, values: Mapping[str, str]) -> tuple[str, ...]:
        """The prompt as sentences to speak. Empty when a value it needs is empty: a device that has no
        clinician yet says nothing in their name."""
        needed = _PLACEHOLDER.findall(self.prompts[key])
        if not all(values.get(name, "").strip() for name in needed):
            return ()
        return tuple(
            _PLACEHOLDER.sub(lambda match: values[match.group(1)].strip(), sentence)
            for sentence in split(self.prompts[key])
        )

    def days(self, names: Sequence[str]) -> str:
        """Days of the week ("monday") as they are spoken in a row; empty for none."""
        spoken = [self.prompts[f"days.{name}"] for name in names]
        if len(spoken) < 2:
            return "".join(spoken)
        return f"{', '.join(spoken[:-1])} {self.prompts['days.and']} {spoken[-1]}"


def split(text: str) -> tuple[str, ...]:
    """A prompt's sentences. Placeholders are still in place, so that a name's own full stop ends nothing."""
    return tuple(_SENTENCE_END.split(text.strip()))


def spoken_number(number: str) -> str:
    """A telephone number digit by digit: "988" is said "9 8 8"."""
    return " ".join(character for character in number if character.isdigit() or character == "+")


def wording(language: str, tables: Mapping[str, object]) -> Wording:
    """Check one language's tables ({"ask": {"line": "…"}}) and make them usable. Raises WordingError."""
    prompts = dict(_flatten(tables))
    found = list(faults(prompts))
    if found:
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        raise WordingError(
            f"The prompts for {language!r} cannot be used: {found[0]}{more}.", "Edit the file."
        )
    return Wording(language, {key: str(text) for key, text in prompts.items()})


def faults(prompts: Mapping[str, object]) -> Iterator[str]:
    """Everything that keeps these prompts from being said."""
    for key in sorted(KEYS.keys() - prompts.keys()):
        yield f"{key} is not there"
    for key, text in prompts.items():
        if key not in KEYS:
            yield f"{key} is not a prompt of this device"
        elif not isinstance(text, str) or not text.strip():
            yield f"{key} is empty"
        else:
            yield from _faults_of(key, text)


def _faults_of(key: str, text: str) -> Iterator[str]:
    for name in _PLACEHOLDER.findall(text):
        if name not in KEYS[key]:
            yield f"{key} has a placeholder {{{name}}} that nothing fills"
    if any(brace in _PLACEHOLDER.sub("", text) for brace in "{}"):
        yield f"{key} has a brace without its pair"
    for sentence in split(text):
        if len(sentence.split()) > LONGEST_SENTENCE:
            yield f"{key} has a sentence of more than {LONGEST_SENTENCE} words"
    for principle, phrases in NEVER_SAID.items():
        for phrase in phrases:
            if re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE):
                yield f"{key} says {phrase!r}, which {principle} forbids"


def _flatten(tables: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
