"""What was agreed with a client, and on which day. FORMAT.md, "What was agreed with a client", has it all.

The clinician writes it for their own eyes, as points in their own words. Every version is kept.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from voice.wire.card_content import check_text
from voice.wire.errors import ContentError

__all__ = ["MOST_POINTS", "MOST_POINT_CHARACTERS", "Consent", "decode_consent", "encode_consent"]

VERSION: Final = 1
MOST_POINTS: Final = 20
MOST_POINT_CHARACTERS: Final = 200
_KEYS: Final = {"agreed", "on", "v"}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True)
class Consent:
    """What was agreed `on` a day of the clinician's calendar: 1 to 20 points of 1 to 200 characters each."""

    on: date
    agreed: tuple[str, ...]


def encode_consent(consent: Consent) -> bytes:
    """The one spelling of it. Raises ContentError, worded for a person."""
    document = {"agreed": list(consent.agreed), "on": consent.on.isoformat(), "v": VERSION}
    _check(document)
    return _spell(document)


def decode_consent(data: bytes) -> Consent:
    """What `data` spells. Raises ContentError for anything but its one canonical spelling."""
    try:
        document: Any = json.loads(data.decode("utf-8"))
        found = _check(document)
        canonical = _spell(document)
    except ContentError:
        raise
    except (ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ContentError("not the content of a note") from error
    if canonical != data:
        raise ContentError("not the canonical content of a consent")
    return found


def _check(document: object) -> Consent:
    if not isinstance(document, dict) or document.keys() != _KEYS:
        raise ContentError("a consent has other keys than these")
    if type(document["v"]) is not int or document["v"] != VERSION:
        raise ContentError("a consent of another version")
    agreed, on = document["agreed"], document["on"]
    if not isinstance(agreed, list) or not 1 <= len(agreed) <= MOST_POINTS:
        raise ContentError(f"what was agreed has 1 to {MOST_POINTS} points")
    for point in agreed:
        check_text("a point", point, MOST_POINT_CHARACTERS)
    if not isinstance(on, str) or not _DAY.fullmatch(on):
        raise ContentError("a consent is of a day")
    try:
        return Consent(date.fromisoformat(on), tuple(agreed))
    except ValueError as error:
        raise ContentError("a consent is of a day") from error


def _spell(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")
