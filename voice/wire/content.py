"""What a record says, as canonical JSON. FORMAT.md section 3 is normative."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from voice.noticing import Noticing, When
from voice.transcript import Transcript, Word
from voice.wire.errors import ContentError

__all__ = ["VERSION", "VERSION_WITH_WHEN", "ContentError", "decode", "encode"]

VERSION: Final = 1
VERSION_WITH_WHEN: Final = 2
"""Only where the client answered; every other record is what it always was."""

_KEYS: Final = {"at", "line", "part", "v"}
_LINE_KEYS: Final = {"doubt", "rough", "transcriber", "words"}


def encode(noticing: Noticing) -> bytes:
    """The one spelling of a noticing: sorted keys, no spaces, UTF-8.

    Raises ContentError for text that is not Unicode.
    """
    document: dict[str, Any] = {
        "at": _to_the_minute(noticing.at).isoformat(),
        "line": None if noticing.line is None else _line(noticing.line),
        "part": noticing.part,
        "v": VERSION,
    }
    if noticing.when is not None:
        document |= {"v": VERSION_WITH_WHEN, "when": str(noticing.when)}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ContentError("the text holds half a character") from error


def decode(data: bytes) -> Noticing:
    """The noticing that `data` spells. Raises ContentError for anything but its one canonical spelling."""
    try:
        noticing = _noticing(json.loads(data.decode("utf-8")))
    except (ValueError, RecursionError, OverflowError) as error:
        raise ContentError("not the content of a record") from error
    if encode(noticing) != data:
        raise ContentError("not the canonical content of a record")
    return noticing


def _to_the_minute(at: datetime) -> datetime:
    """The same moment in a zone of whole minutes: offsets with seconds have no one spelling that all read."""
    offset = at.utcoffset() or timedelta()
    whole = timedelta(minutes=round(offset.total_seconds() / 60))
    return at if whole == offset else at.astimezone(timezone(whole))


def _line(line: Transcript) -> dict[str, Any]:
    return {
        "doubt": [index for index, word in enumerate(line.words) if word.doubt],
        "rough": line.rough,
        "transcriber": line.transcriber,
        "words": [word.text for word in line.words],
    }


def _noticing(document: object) -> Noticing:
    answered = isinstance(document, dict) and "when" in document
    fields = _object(document, _KEYS | {"when"} if answered else _KEYS)
    at = datetime.fromisoformat(_text(fields["at"]))
    line = None if fields["line"] is None else _transcript(fields["line"])
    when = When(_text(fields["when"])) if answered else None
    return Noticing(_text(fields["part"]), at, line, when)


def _transcript(document: object) -> Transcript:
    fields = _object(document, _LINE_KEYS)
    words, doubt, rough = fields["words"], fields["doubt"], fields["rough"]
    if not isinstance(words, list) or not isinstance(doubt, list) or not isinstance(rough, bool):
        raise ContentError("a line's words, doubt and rough are of the wrong kind")
    if any(type(index) is not int or not 0 <= index < len(words) for index in doubt):
        raise ContentError("a doubt mark is outside the line")
    doubted = set(doubt)
    return Transcript(
        tuple(Word(_text(word), index in doubted) for index, word in enumerate(words)),
        _text(fields["transcriber"]),
        rough,
    )


def _object(document: object, keys: set[str]) -> dict[str, Any]:
    if not isinstance(document, dict) or document.keys() != keys:
        raise ContentError(f"expected exactly the keys {', '.join(sorted(keys))}")
    return document


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ContentError("expected text")
    return value
