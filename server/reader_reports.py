"""What devices report of the enrolments that cards asked for: verified, opened, and whatever is wrong. Pure.

Only the device can make a report that holds. A server can keep reports back or give an earlier one, which
shows where a later one was seen before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from server.clinician_client import CardEntry
from server.clinician_keys import Clinician
from server.reader import Device
from voice.wire.card_report_content import Forecast, Report, decode_report
from voice.wire.card_reports import ReportFrame, open_report, parse_report, verify_report
from voice.wire.encoding import key_id, signing_key
from voice.wire.errors import ContentError, FrameError, SealError

Seen = Mapping[tuple[bytes, bytes], tuple[int, int]]
"""The newest report on each card, by device id and card id: the card's version and the report's number."""

STAGES: Mapping[str, str] = {
    "waiting": "has begun",
    "recording": "the name is recorded",
    "phrase": "the phrase is recorded",
    "trying": "the name is tried",
    "talking": "ordinary talk is listened to",
    "done": "done",
    "refused": "not kept",
    "stopped": "stopped before its end",
}

REASONS: Mapping[str, str] = {
    "alike": "It sounds like another part: one more word in either name keeps them apart.",
    "as_before": "The new takes made it no better: the name is heard as before.",
    "cut_off": "The last recording was cut off.",
    "different": "The last recording was unlike the others.",
    "hard_to_hear": "The name was heard too seldom. One more word helps, or takes recorded where it is used.",
    "microphone": "The microphone went away.",
    "name_too_long": "The name is too long: it has to be said in one breath.",
    "name_too_short": "The name is too short to be told apart from ordinary talk: one more word helps.",
    "storage": "The device could not keep it: its storage is full or damaged.",
    "too_common": "The name sounds like ordinary talk: one more word that is not an everyday one helps.",
    "too_long": "The last recording was too long.",
    "too_loud": "The last recording was too loud.",
    "too_quiet": "The last recording was too quiet.",
    "too_short": "The last recording was too short.",
}


@dataclass(frozen=True)
class Told:
    """What one card's report says; `problem` in its place when it is not to be believed."""

    card: CardEntry
    report: Report | None = None
    problem: str | None = None


def read_reports(
    clinician: Clinician, device: Device, cards: Iterable[CardEntry], seen: Seen
) -> tuple[list[Told], Seen]:
    """The reports on a device's cards, and what was seen with them. Cards without any are left out."""
    found, known = list[Told](), dict(seen)
    for card in cards:
        place = (device.entry.device_id, card.card_id)
        before = known.get(place, (0, 0))
        if card.report is None:
            if before[0] == card.version:
                found.append(Told(card, problem="The report that you had seen is gone from the server."))
            continue
        try:
            frame = _believed(card.report, device, card)
        except (FrameError, SealError) as error:
            found.append(Told(card, problem=f"The report is not believed: {error}."))
            continue
        if (frame.version, frame.number) < before:
            said = "The report is older than one that you had seen: the server brought an earlier one back."
            found.append(Told(card, problem=said))
            continue
        known[place] = (frame.version, frame.number)
        try:
            found.append(Told(card, decode_report(_opened(frame, clinician))))
        except ContentError:
            found.append(Told(card, problem="The report is of a newer Onebreath than this one."))
        except SealError as error:
            found.append(Told(card, problem=f"The report cannot be opened: {error}."))
    return found, known


def lines(told: Told) -> list[str]:
    """It in words, for a terminal."""
    name, report = told.card.card_id.hex()[:8], told.report
    if report is None:
        return [f"! Card {name}: {told.problem}"]
    stage = STAGES[report.stage]
    if report.stage == "recording":
        stage += f", take {min(report.takes + 1, report.of)} of {report.of}"
    elif report.stage == "trying":
        stage += f", {report.tries} of {report.tries_of}"
    said = [f"Card {name}: enrolment: {stage}.  (told {told.card.reported_at})"]
    if report.forecast is not None:
        said += [f"  found: {found(report.forecast)}", f"  false tones: {often(report.forecast)}"]
    if report.reason is not None:
        said.append(f"  ! {REASONS[report.reason]}")
    if report.stage == "done" and report.reason in ("hard_to_hear", "too_common"):
        said.append("  It is kept all the same, as was decided at the device.")
    return said


def found(forecast: Forecast) -> str:
    """How many tries will be found, and how that was estimated (docs/enrolment.md)."""
    if forecast.of_ten is None:
        return "unknown with one take"
    low, high = forecast.of_ten
    if not forecast.from_tries:
        return f"about {low} of 10 tries  (from the takes against each other, which is cautious)"
    likely = f"at least {low}" if high == 10 else f"{low} to {high}"
    return f"{forecast.found} of {forecast.tries} tries, so probably {likely} of 10"


def often(forecast: Forecast) -> str:
    """How often the device will sound by mistake: a rough figure, and called so."""
    a_week = forecast.false_tenths / 10
    if a_week < 0.3:
        rate = "less than one in three weeks"
    elif a_week < 1.5:
        rate = "about one a week"
    elif a_week > 14:
        rate = f"about {a_week / 7:.0f} a day"
    else:
        rate = f"about {a_week:.0f} a week"
    return f"{rate}  (a rough figure)"


def _believed(data: bytes, device: Device, card: CardEntry) -> ReportFrame:
    """Raises FrameError, SealError: whatever keeps the report from being this device's on this card."""
    if device.trust is None:
        raise SealError("nothing shows that the device was paired by your link")
    frame = parse_report(data)
    verify_report(frame, signing_key(device.entry.signing))
    if frame.card_id != card.card_id:
        raise SealError("it is about another card")
    if frame.version != card.version:
        raise SealError("it is about another version of the card")
    return frame


def _opened(frame: ReportFrame, clinician: Clinician) -> bytes:
    for reading in clinician.readings:
        if key_id(reading.public_key().public_bytes_raw()) == frame.recipient:
            return open_report(frame, reading)
    raise SealError("it was sealed to a key that is not here")
