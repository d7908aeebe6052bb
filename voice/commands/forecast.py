"""How `enrol` and `check` tell what to expect of a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from voice.audition import FEWEST_TRIES, counted, likely, refusal, seconds
from voice.card import Card
from voice.enrolment import Forecast
from voice.likeness import Likeness


def describe(card: Card, alike: Sequence[Likeness] = ()) -> str:
    """A few lines for the clinician and the client together. `alike`: what `likeness.confusions` found."""
    phrase = f"{card.phrase.seconds:.1f} s" if card.phrase else "none yet (add one with --phrase FILE)"
    expected, found_from = found(card.forecast)
    often, tones_from = false_tones(card)
    lines = [
        f"“{card.name}”",
        f"  takes: {len(card.takes)}    phrase: {phrase}" + ("    tone only" if card.quiet else ""),
        f"  found: {expected}" + (f"  ({found_from})" if found_from else ""),
        f"  false tones: {often}  ({tones_from})",
    ]
    if not counted(card.forecast).tries:
        lines.append(f'  tells more: onebreath enrol --name "{card.name}" --audition')
    if card.talk:
        lines.append(
            f"  talk kept: {_minutes(seconds(card.talk))}, as embeddings, never as sound;"
            " --forget-talk takes it back"
        )
    if card.alias:
        lines.append(f"  also listened for as the words: {card.alias}")
    against = refusal(card.forecast, talk_kept=bool(card.talk))
    if against is not None:
        decided = "  Kept all the same, as the clinician decided." if card.anyway else ""
        lines += [f"  ! {against.cause}{decided}", f"    {against.remedy}"]
    lines += [f"  ! {text}" for text in _mix_ups(card.name, alike)]
    return "\n".join(lines)


def document(card: Card, alike: Sequence[Likeness] = ()) -> dict[str, Any]:
    """The same for programs: the forecast's fields, how each was estimated, what speaks against the name."""
    heard = counted(card.forecast)
    against = refusal(card.forecast, talk_kept=bool(card.talk))
    return {
        "name": card.name,
        "takes": len(card.takes),
        **asdict(card.forecast),
        "found_range": list(likely(heard)) if heard.tries >= FEWEST_TRIES else None,
        "found_estimated": found(card.forecast)[1] or None,
        "false_tones_estimated": false_tones(card)[1],
        "talk_kept_s": round(seconds(card.talk), 1),
        "refusal": None if against is None else {"cause": against.cause, "remedy": against.remedy},
        "anyway": card.anyway,
        "alike": [asdict(pair) for pair in alike],
    }


def found(forecast: Forecast) -> tuple[str, str]:
    """How many tries will be found, and how that was estimated."""
    heard = counted(forecast)
    if heard.tries >= FEWEST_TRIES:
        low, high = likely(heard)
        range_ = f"at least {low}" if high == 10 else f"{low} to {high}"
        return f"{heard.found} of {heard.tries} tries, so probably {range_} of 10", (
            f"from {heard.tries} tries after the takes"
        )
    if forecast.found_of_ten is None:
        return "unknown with one take; add more takes", ""
    few = f"; {heard.found} of {heard.tries} tries after them" if heard.tries else ""
    return f"about {forecast.found_of_ten:.0f} of 10 tries", (
        f"from the takes against each other, which is cautious{few}"
    )


def false_tones(card: Card) -> tuple[str, str]:
    """How often the device will sound by mistake, and how that was estimated."""
    basis, heard = card.forecast.basis, counted(card.forecast)
    bank = f"{_minutes(3600 * basis['bank_hours'])} of recorded voices"
    talk = ""
    if heard.talk_s:
        sounded = f"{heard.tones} in it" if heard.tones else "none in it"
        known = ", with which the threshold was set" if card.talk else ""
        talk = f" and {_minutes(heard.talk_s)} of ordinary talk here, {sounded}{known}"
    return often(card.forecast.false_tones_a_week), (
        f"a rough figure, from {bank}{talk}; for {basis['talk_hours_a_week']:.0f} hours of talk a week"
    )


def changed(before: Card, after: Card) -> list[str]:
    """What an enrolment changed in how a part is heard: before and after, in words."""
    lines = []
    if len(before.takes) != len(after.takes):
        lines.append(f"takes: {len(before.takes)} before, {len(after.takes)} now")
    was, now = before.print.threshold, after.print.threshold
    if abs(was - now) >= 0.005:
        means = (
            "less is taken for the name, and it has to be said more clearly"
            if now > was
            else "the name is heard more easily, and so is what sounds like it"
        )
        lines.append(f"threshold: {was:.2f} before, {now:.2f} now: {means}")
    for subject, tell in (("found", lambda card: found(card.forecast)[0]), ("false tones", _tones)):
        if tell(before) != tell(after):
            lines.append(f"{subject}: {tell(before)} before; {tell(after)} now")
    if bool(before.talk) != bool(after.talk):
        lines.append("ordinary talk: kept now" if after.talk else "ordinary talk: forgotten")
    return lines


def often(a_week: float) -> str:
    """A rate in words: by the week, or by the day where that is too many to count."""
    if a_week < 0.3:
        return "less than one in three weeks"
    if a_week < 1.5:
        return "about one a week"
    if a_week > 14:
        return f"about {a_week / 7:.0f} a day"
    return f"about {a_week:.0f} a week"


def _tones(card: Card) -> str:
    return often(card.forecast.false_tones_a_week)


def _minutes(length_s: float) -> str:
    if length_s < 45:
        return f"{length_s:.0f} seconds"
    minutes = round(length_s / 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _mix_ups(name: str, alike: Iterable[Likeness]) -> list[str]:
    """Both ways round of each pair in one sentence."""
    lines = []
    pairs = [pair for pair in alike if name in (pair.part, pair.other)]
    for other in dict.fromkeys(pair.other if pair.part == name else pair.part for pair in pairs):
        both = [pair for pair in pairs if other in (pair.part, pair.other)]
        mistaken, sound_like = sum(pair.mistaken for pair in both), sum(pair.alike for pair in both)
        takes = sum(pair.takes for pair in both)
        lines.append(
            f"sounds like “{other}”: {sound_like} of {takes} takes would do for both, {mistaken} would be"
            " taken for the other one. One more word in either name keeps them apart."
        )
    return lines
