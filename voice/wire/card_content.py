"""What a sealed card says of one part, as canonical JSON. FORMAT.md, "The content of a card", has it all."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voice.wire.errors import ContentError

__all__ = [
    "DAYS",
    "MOST_NAME_CHARACTERS",
    "MOST_TELL_CHARACTERS",
    "SETTINGS",
    "ContentError",
    "PartCard",
    "Value",
    "check_settings",
    "check_text",
    "decode_card",
    "encode_card",
    "spelled",
]

VERSION: Final = 1
MOST_NAME_CHARACTERS: Final = 80
MOST_TELL_CHARACTERS: Final = 500
_JOINERS: Final = frozenset("\u200c\u200d")
_KEYS: Final = {"alias", "name", "settings", "tell", "v"}
_KEYS_REMOVED: Final = {"name", "removed", "v"}

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""As `reads_on` names them, in its one order."""

Value = str | bool | None


@dataclass(frozen=True)
class PartCard:
    """One part as the clinician and the client set it up.

    `name` is the client's exact own name; `alias` a sayable spelling of it, or None; `tell` is a cue and no
    task, "" when there is none. `settings`: see SETTINGS; a key that is absent leaves things as they are,
    None puts them back to what the device does by itself. `removed`: the part is to rest; all else is empty.
    """

    name: str
    alias: str | None = None
    tell: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict)
    removed: bool = False


def _matches(pattern: str) -> Callable[[object], bool]:
    whole = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and whole.fullmatch(value) is not None


_NUMBER: Final = _matches(r"\+?[0-9][0-9 ()-]{0,30}")
_TIME: Final = _matches(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def _days(value: object) -> bool:
    """Whether it is days of the week, at least one, in their order, each once: "monday,thursday"."""
    if not isinstance(value, str) or not value:
        return False
    named = value.split(",")
    return named == [day for day in DAYS if day in named]


SETTINGS: Final[Mapping[str, Callable[[object], bool]]] = {
    "asks_when": lambda value: isinstance(value, bool),
    "danger_number": _NUMBER,
    "hears": _matches("anyone|client"),
    "language": _matches(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}"),
    "pace": _matches("brisk|usual|slow|slowest"),
    "quiet": lambda value: isinstance(value, bool),
    "quiet_from": _TIME,
    "quiet_until": _TIME,
    "reads_on": _days,
    "talk_number": _NUMBER,
}
"""What a card can set, each with what it may be. `quiet` is of the part; everything else is of the device."""


def encode_card(card: PartCard) -> bytes:
    """The one spelling of a card: sorted keys, no spaces, UTF-8. Raises ContentError, worded for a person."""
    if card.removed:
        document: dict[str, Any] = {"name": card.name, "removed": True, "v": VERSION}
    else:
        document = {
            "alias": card.alias,
            "name": card.name,
            "settings": dict(card.settings),
            "tell": card.tell,
            "v": VERSION,
        }
    _check(document)
    return _spell(document)


def decode_card(data: bytes) -> PartCard:
    """The card that `data` spells. Raises ContentError for anything but its one canonical spelling."""
    try:
        document = json.loads(data.decode("utf-8"))
        _check(document)
        canonical = _spell(document)
    except ContentError:
        raise
    except (ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ContentError("not the content of a card") from error
    if canonical != data:
        raise ContentError("not the canonical content of a card")
    if "removed" in document:
        return PartCard(document["name"], removed=True)
    return PartCard(document["name"], document["alias"], document["tell"], document["settings"])


def spelled(text: str) -> str:
    """`text` as a card spells it: NFC, single spaces, no control characters; otherwise exactly as given."""
    kept = "".join(
        char for char in text if char.isspace() or char in _JOINERS or unicodedata.category(char)[0] != "C"
    )
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def _spell(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8")


def _check(document: object) -> None:
    if not isinstance(document, dict) or document.keys() not in (_KEYS, _KEYS_REMOVED):
        raise ContentError("a card has other keys than these")
    if type(document["v"]) is not int or document["v"] != VERSION:
        raise ContentError("a card of another version")
    check_text("a part's name", document["name"], MOST_NAME_CHARACTERS)
    if "removed" in document:
        if document["removed"] is not True:
            raise ContentError("a part is removed or it is not")
        return
    if document["alias"] is not None:
        check_text("a part's alias", document["alias"], MOST_NAME_CHARACTERS)
    if document["tell"] != "":
        check_text("a tell", document["tell"], MOST_TELL_CHARACTERS)
    check_settings(document["settings"])


def check_text(what: str, text: object, most: int) -> None:
    """Refuse what is no text of 1 to `most` characters as a card spells it. Raises ContentError."""
    if not isinstance(text, str) or not text:
        raise ContentError(f"{what} is text")
    if len(text) > most:
        raise ContentError(f"{what} has at most {most} characters")
    if spelled(text) != text:
        raise ContentError(f"{what} is not spelled as a card spells it")


def check_settings(settings: object) -> None:
    """Refuse settings that a card cannot carry. Raises ContentError."""
    if not isinstance(settings, dict):
        raise ContentError("a card's settings are of the wrong kind")
    for key, value in settings.items():
        known = SETTINGS.get(key)
        if known is None:
            raise ContentError(f"there is no setting called {key[:40]!r}")
        if value is not None and not known(value):
            raise ContentError(f"{key} cannot be that")
    begin, end = settings.get("quiet_from", ...), settings.get("quiet_until", ...)
    if (begin is ...) != (end is ...) or (begin is None) != (end is None):
        raise ContentError("quiet hours need both a beginning and an end")
