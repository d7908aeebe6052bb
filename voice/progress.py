"""How an enrolment goes, as the clinician who asked for it is told: a stage, counts, the forecast. Pure.

FORMAT.md, "The content of a report", has what each stage and reason means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from voice.audition import FEWEST_TRIES, Agreement, counted, likely, refusal
from voice.card import Card
from voice.enrolment import Forecast, Problem
from voice.wire import card_report_content as said
from voice.wire.card_report_content import Report

TRIES: Final = 5
"""How often the name is said in an audition."""

ENDED: Final = frozenset({"done", "refused", "stopped"})

OF_PROMPT: Final[Mapping[str, str]] = {
    "enrol.too_short": "name_too_short",
    "enrol.name_too_long": "name_too_long",
    "enrol.too_common": "too_common",
    "enrol.hard_to_hear": "hard_to_hear",
}
"""What the client is told of a name that would not work, by its prompt, as a reason."""

Tell = Callable[[Report], None]
"""Gets each report as it comes. It must neither wait nor raise: somebody is being led."""


def nobody(report: Report) -> None:
    """Tells nobody."""


class Progress:
    """One enrolment as it goes on. What is the same as before is not told again."""

    def __init__(self, tell: Tell = nobody) -> None:
        self._tell = tell
        self._report: Report | None = None

    @property
    def ended(self) -> bool:
        """Whether its end was told, or it has not begun."""
        return self._report is None or self._report.stage in ENDED

    def begin(self) -> None:
        """The device begins to speak."""
        self._now(Report("waiting", of=Agreement.FEWEST))

    def recording(self, takes: int, problem: Problem | None = None) -> None:
        """So many takes are recorded. `problem`: why the last recording is asked for again."""
        reason = None if problem is None else problem.value
        of = max(Agreement.FEWEST, takes + 1)
        self._now(Report("recording", takes, of, reason=reason))

    def phrase(self, takes: int) -> None:
        """The takes are enough; now the phrase."""
        self._now(Report("phrase", takes, takes))

    def trying(self, tries: int) -> None:
        """The name is said a few times more; so many times until now."""
        self._change(stage="trying", tries=tries, tries_of=TRIES)

    def talking(self) -> None:
        """Ordinary talk."""
        self._change(stage="talking")

    def done(self, forecast: Forecast, reason: str | None = None) -> None:
        """The part is kept."""
        self._change(stage="done", forecast=told(forecast), reason=reason)

    def refused(self, prompt: str, forecast: Forecast | None = None) -> None:
        """The part is not kept. `prompt`: the key of what the client is told."""
        self._change(
            stage="refused",
            forecast=None if forecast is None else told(forecast),
            reason=OF_PROMPT.get(prompt),
        )

    def stopped(self, reason: str | None = None) -> None:
        """It ended before its end, unless its end was told."""
        if not self.ended:
            self._change(stage="stopped", reason=reason)

    def from_files(self, takes: int) -> None:
        """So many takes came from files; nothing is told of it before its end."""
        takes = min(takes, said.MOST_COUNTED)
        self._report = Report("recording", takes, takes)

    def _change(self, stage: str, **changed: object) -> None:
        before = self._report or Report(stage)
        plain = replace(before, stage=stage, forecast=None, reason=None)
        self._now(replace(plain, **changed))  # type: ignore[arg-type]

    def _now(self, report: Report) -> None:
        if report != self._report:
            self._report = report
            self._tell(report)


def told(forecast: Forecast) -> said.Forecast:
    """A card's forecast as the clinician's screen gets it."""
    heard = counted(forecast)
    from_tries = heard.tries >= FEWEST_TRIES
    of_ten = None
    if from_tries:
        of_ten = likely(heard)
    elif forecast.found_of_ten is not None:
        about = min(10, max(0, round(forecast.found_of_ten)))
        of_ten = (about, about)
    return said.Forecast(
        of_ten,
        from_tries,
        min(heard.tries, said.MOST_COUNTED),
        min(heard.found, said.MOST_COUNTED),
        min(round(10 * forecast.false_tones_a_week), said.MOST_FALSE_TENTHS),
    )


def standing(card: Card) -> Report:
    """What there is to tell of a part that is enrolled already."""
    against = refusal(card.forecast, talk_kept=bool(card.talk))
    prompt = None if against is None else against.prompt
    takes = min(len(card.takes), said.MOST_COUNTED)
    reason = outcome(alike=False, as_before=False, prompt=prompt)
    return Report("done", takes, takes, forecast=told(card.forecast), reason=reason)


def outcome(*, alike: bool, as_before: bool, prompt: str | None) -> str | None:
    """The one reason told of a part that is kept. `prompt`: of what speaks against its name, or None."""
    if prompt is not None:
        return OF_PROMPT.get(prompt)
    if as_before:
        return "as_before"
    return "alike" if alike else None
