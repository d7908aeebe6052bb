"""What a clinician keeps of a part for their own eyes. FORMAT.md, "Sealed notes to oneself", has it all.

A card is sealed to the device, and nobody else can read it back; so that the clinician can, a note on the
part says what was sent, and what the client told of it that the device has no use for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voice.wire.card_content import (
    MOST_NAME_CHARACTERS,
    MOST_TELL_CHARACTERS,
    Value,
    check_settings,
    check_text,
)
from voice.wire.errors import ContentError

__all__ = ["MOST_TOLD_CHARACTERS", "PartNote", "decode_part_note", "encode_part_note"]

VERSION: Final = 1
MOST_TOLD_CHARACTERS: Final = 800
_TOLD: Final = ("age", "image", "role", "whom")
_KEYS: Final = {*_TOLD, "alias", "name", "removed", "settings", "tell", "v"}


@dataclass(frozen=True)
class PartNote:
    """A part as it was set up together.

    `name`, `alias`, `tell` and `settings` are what its newest card says (card_content.PartCard). `age`,
    `role`, `image` and `whom` it is for are as the client tells them, "" where nothing was told. `removed`:
    the part is at rest; all else stays, so that it can be taken up again.
    """

    name: str
    alias: str | None = None
    tell: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict)
    age: str = ""
    role: str = ""
    image: str = ""
    whom: str = ""
    removed: bool = False


def encode_part_note(note: PartNote) -> bytes:
    """The one spelling of a note. Raises ContentError, worded for a person."""
    document = {
        "age": note.age,
        "alias": note.alias,
        "image": note.image,
        "name": note.name,
        "removed": note.removed,
        "role": note.role,
        "settings": dict(note.settings),
        "tell": note.tell,
        "v": VERSION,
        "whom": note.whom,
    }
    _check(document)
    return _spell(document)


def decode_part_note(data: bytes) -> PartNote:
    """The note that `data` spells. Raises ContentError for anything but its one canonical spelling."""
    try:
        document: Any = json.loads(data.decode("utf-8"))
        _check(document)
        canonical = _spell(document)
    except ContentError:
        raise
    except (ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ContentError("not the content of a note") from error
    if canonical != data:
        raise ContentError("not the canonical content of a note on a part")
    return PartNote(**{key: value for key, value in document.items() if key != "v"})


def _check(document: object) -> None:
    if not isinstance(document, dict) or document.keys() != _KEYS:
        raise ContentError("a note on a part has other keys than these")
    if type(document["v"]) is not int or document["v"] != VERSION:
        raise ContentError("a note of another version")
    if not isinstance(document["removed"], bool):
        raise ContentError("a part is at rest or it is not")
    check_text("a part's name", document["name"], MOST_NAME_CHARACTERS)
    if document["alias"] is not None:
        check_text("a part's alias", document["alias"], MOST_NAME_CHARACTERS)
    if document["tell"] != "":
        check_text("a tell", document["tell"], MOST_TELL_CHARACTERS)
    for key in _TOLD:
        if document[key] != "":
            check_text("what the client tells of a part", document[key], MOST_TOLD_CHARACTERS)
    check_settings(document["settings"])


def _spell(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")
