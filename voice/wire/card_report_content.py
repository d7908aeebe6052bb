"""What a sealed report says of an enrolment, as canonical JSON. FORMAT.md: "The content of a report".

Counts, a stage and a reason from fixed lists, and the forecast's figures: never a name, a sound or a word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from voice.wire.errors import ContentError

__all__ = ["REASONS", "Forecast", "Report", "decode_report", "encode_report"]

VERSION: Final = 1
MOST_COUNTED: Final = 99
MOST_FALSE_TENTHS: Final = 1_000_000

_TAKE: Final = frozenset({"cut_off", "different", "too_long", "too_loud", "too_quiet", "too_short"})
_FORECAST: Final = frozenset({"hard_to_hear", "too_common"})

REASONS: Final[Mapping[str, frozenset[str]]] = {
    "waiting": frozenset(),
    "recording": _TAKE,
    "phrase": frozenset(),
    "trying": frozenset(),
    "talking": frozenset(),
    "done": _FORECAST | {"alike", "as_before"},
    "refused": _FORECAST | {"name_too_long", "name_too_short"},
    "stopped": _TAKE | {"microphone", "storage"},
}
"""Each stage, in the order in which they come, with the reasons that it may give."""

_ENDED: Final = frozenset({"done", "refused"})
_KEYS: Final = {"forecast", "of", "reason", "stage", "takes", "tries", "tries_of", "v"}
_FORECAST_KEYS: Final = {"false_tenths", "found", "from", "of_ten", "tries"}


@dataclass(frozen=True)
class Forecast:
    """What is to be expected at home (docs/enrolment.md, "The forecast").

    `of_ten`: of ten tries, at least and at most so many will probably be heard; None when unknown.
    `from_tries`: it was counted in `tries` tries after the takes, of which `found` were heard; else it comes
    from the takes against each other, and both ends are the same. `false_tenths`: false tones in ten weeks.
    """

    of_ten: tuple[int, int] | None
    from_tries: bool
    tries: int
    found: int
    false_tenths: int


@dataclass(frozen=True)
class Report:
    """How far an enrolment is. `stage` and `reason` are of REASONS.

    `takes` of at least `of` takes are recorded, `tries` of at most `tries_of` tries were said. `forecast`
    comes with the stages "done" and "refused" alone, and not always then.
    """

    stage: str
    takes: int = 0
    of: int = 0
    tries: int = 0
    tries_of: int = 0
    forecast: Forecast | None = None
    reason: str | None = None


def encode_report(report: Report) -> bytes:
    """The one spelling of a report, below 256 bytes. Raises ContentError."""
    said = report.forecast
    document = {
        "forecast": None
        if said is None
        else {
            "false_tenths": said.false_tenths,
            "found": said.found,
            "from": "tries" if said.from_tries else "takes",
            "of_ten": None if said.of_ten is None else list(said.of_ten),
            "tries": said.tries,
        },
        "of": report.of,
        "reason": report.reason,
        "stage": report.stage,
        "takes": report.takes,
        "tries": report.tries,
        "tries_of": report.tries_of,
        "v": VERSION,
    }
    _check(document)
    return _spell(document)


def decode_report(data: bytes) -> Report:
    """The report that `data` spells. Raises ContentError for anything but its one canonical spelling."""
    try:
        document = json.loads(data.decode("utf-8"))
        _check(document)
        canonical = _spell(document)
    except ContentError:
        raise
    except (ValueError, RecursionError, OverflowError, TypeError) as error:
        raise ContentError("not the content of a report") from error
    if canonical != data:
        raise ContentError("not the canonical content of a report")
    said = document["forecast"]
    forecast = said and Forecast(
        None if said["of_ten"] is None else (said["of_ten"][0], said["of_ten"][1]),
        said["from"] == "tries",
        said["tries"],
        said["found"],
        said["false_tenths"],
    )
    counts = (document["takes"], document["of"], document["tries"], document["tries_of"])
    return Report(document["stage"], *counts, forecast=forecast, reason=document["reason"])


def _spell(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8")


def _check(document: object) -> None:
    if not isinstance(document, dict) or document.keys() != _KEYS:
        raise ContentError("a report has other keys than these")
    if type(document["v"]) is not int or document["v"] != VERSION:
        raise ContentError("a report of another version")
    stage, reason = document["stage"], document["reason"]
    if not isinstance(stage, str) or stage not in REASONS:
        raise ContentError("a report's stage is not known")
    if reason is not None and (not isinstance(reason, str) or reason not in REASONS[stage]):
        raise ContentError("a report's reason is not one of its stage")
    for key in ("takes", "of", "tries", "tries_of"):
        _check_number(document[key], MOST_COUNTED)
    if document["tries"] > document["tries_of"]:
        raise ContentError("more tries than there are")
    if document["forecast"] is not None:
        if stage not in _ENDED:
            raise ContentError("a forecast comes at the end")
        _check_forecast(document["forecast"])


def _check_forecast(said: object) -> None:
    if not isinstance(said, dict) or said.keys() != _FORECAST_KEYS:
        raise ContentError("a forecast has other keys than these")
    _check_number(said["false_tenths"], MOST_FALSE_TENTHS)
    _check_number(said["tries"], MOST_COUNTED)
    _check_number(said["found"], said["tries"])
    if said["from"] not in ("takes", "tries"):
        raise ContentError("a forecast comes from takes or from tries")
    of_ten = said["of_ten"]
    if of_ten is None:
        if said["from"] == "tries":
            raise ContentError("what was counted is known")
        return
    if not isinstance(of_ten, list) or len(of_ten) != 2:
        raise ContentError("a forecast is a range")
    _check_number(of_ten[1], 10)
    _check_number(of_ten[0], of_ten[1])
    if said["from"] == "takes" and of_ten[0] != of_ten[1]:
        raise ContentError("takes give one figure")


def _check_number(value: object, most: int) -> None:
    if type(value) is not int or not 0 <= value <= most:
        raise ContentError(f"not a number from 0 to {most}")
