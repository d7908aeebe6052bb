"""What an enrolment brought, and the card so far, to the next card. Pure.

A card that is there improves or stays: new takes that would make its forecast worse are left out and that is
said; and whatever changes is told with what it was before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np

from voice.audio import Clip
from voice.audition import (
    Heard,
    Refusal,
    auditioned,
    counted,
    found,
    from_takes,
    refusal,
    seconds,
    tones,
)
from voice.card import Card
from voice.enrolment import Bank, Take, odd_one_out, voiceprint
from voice.ports import Embeddings
from voice.spotting import Voiceprint

T = TypeVar("T")

MOST_TAKES: Final = 12
MOST_TRIES: Final = 20
MOST_TALK_S: Final = 600.0
"""Kept at most; the newest stay."""

WORSE_FOUND: Final = 0.5
"""Of ten, by the takes against each other: less than one take that the others do not hear."""

WORSE_TONES: Final = 2.0
"""So many times the false tones, and at least one more a week: less lies within the estimate's roughness."""


@dataclass(frozen=True)
class Brought:
    """What one enrolment brought; of tries and talk, embeddings.

    `talk` is for the forecast; `keep_talk` also keeps it on the card.

    `quiet`: answer with the tone alone. `anyway`: the clinician keeps the part whatever its forecast.
    """

    takes: tuple[Take, ...] = ()
    recordings: tuple[Clip, ...] = ()
    phrase: Clip | None = None
    tries: tuple[Embeddings, ...] = ()
    talk: tuple[Embeddings, ...] = ()
    keep_talk: bool = False
    forget_talk: bool = False
    quiet: bool = False
    anyway: bool = False


@dataclass(frozen=True)
class Revised:
    """The next card. `odd`: number of the take that was left out as unlike the others, from 1.

    `worse`: why new takes were left out and the name is heard as before. `refusal`: why the name would not
    work at home; a card that is new then is not to be kept, unless `card.anyway`.
    """

    card: Card
    odd: int | None = None
    worse: str | None = None
    refusal: Refusal | None = None


Alias = Callable[[Sequence[Clip]], str | None]
"""Recordings of the takes to a way of saying the name in words that a Vosk model knows."""


def revise(name: str, before: Card | None, brought: Brought, bank: Bank, alias: Alias) -> Revised:
    """The next card of a part. `before`: None for a new part. Raises EnrolmentError without any take."""
    after = _with_all(name, before, brought, bank, alias)
    if before is not None and brought.takes:
        worse = worsening(before, after.card, (*brought.tries, *before.tries), bank)
        if worse:
            rest = replace(brought, takes=(), recordings=())
            return replace(revise(name, before, rest, bank, alias), worse=worse)
    return after


def worsening(before: Card, after: Card, tries: Sequence[Embeddings], bank: Bank) -> str | None:
    """Why the card before hears the name better than the card after, if it does; on the same evidence."""
    heard = [found(card.print, tries, bank.space) for card in (before, after)]
    if heard[1] < heard[0]:
        return f"with them {heard[1]} of {len(tries)} tries would be heard, without them {heard[0]}"
    talk = after.talk
    sounded = [tones(card.print, talk, bank.space) for card in (before, after)]
    if sounded[1] > sounded[0]:
        return f"with them {sounded[1]} false tones come in the talk that is kept, without them {sounded[0]}"
    earlier, later = from_takes(before.forecast), from_takes(after.forecast)
    found_before, found_after = earlier.found_of_ten, later.found_of_ten
    if found_before is not None and found_after is not None and found_after < found_before - WORSE_FOUND:
        return (
            f"with them {found_after:.0f} of 10 takes are heard by the others,"
            f" without them {found_before:.0f}"
        )
    was, will_be = earlier.false_tones_a_week, later.false_tones_a_week
    if will_be > WORSE_TONES * was and will_be > was + 1:
        return f"with them about {will_be:.0f} false tones a week are to be expected, without them {was:.0f}"
    return None


def _with_all(name: str, before: Card | None, brought: Brought, bank: Bank, alias: Alias) -> Revised:
    old = before or _EMPTY
    takes = (*old.takes, *brought.takes)[-MOST_TAKES:]
    recordings = (*old.recordings, *brought.recordings)[-MOST_TAKES:]
    odd = odd_one_out(takes, bank.space) if brought.takes else None
    if odd is not None:
        takes, recordings = _left_out(takes, odd), _left_out(recordings, odd)
    kept_before = () if brought.forget_talk else old.talk
    fresh = [
        piece for piece in brought.talk if not any(np.array_equal(piece, other) for other in kept_before)
    ]
    talk = _newest((*kept_before, *fresh) if brought.keep_talk else kept_before)
    if before is None or brought.takes or len(talk) != len(before.talk) or brought.keep_talk:
        known, forecast = voiceprint(name, takes, bank, talk)
        called = alias(recordings) if before is None or brought.takes else before.alias
    else:
        known, forecast, called = before.print, from_takes(before.forecast), before.alias
    tries = (*old.tries, *brought.tries)[-MOST_TRIES:]
    heard = _heard(before, brought, known, tries, talk, bank)
    if heard != Heard():
        forecast = auditioned(forecast, heard)
    against = refusal(forecast, talk_kept=bool(talk))
    card = Card(
        name=name,
        takes=takes,
        recordings=recordings,
        print=known,
        forecast=forecast,
        alias=called,
        phrase=brought.phrase or (before.phrase if before else None),
        quiet=brought.quiet or (before.quiet if before else False),
        tries=tries,
        talk=talk,
        anyway=against is not None and (brought.anyway or (before.anyway if before else False)),
    )
    return Revised(card, None if odd is None else odd + 1, None, against)


def _heard(
    before: Card | None, brought: Brought, known: Voiceprint, tries: Sequence[Embeddings],
    talk: Sequence[Embeddings], bank: Bank,
) -> Heard:  # fmt: skip
    """Tries, kept talk and new talk under `known`.

    Talk that was not kept counts with what it gave when it was here, until there is new talk.
    """
    now = talk if brought.keep_talk else (*talk, *brought.talk)
    gone = Heard()
    if before is not None and not (brought.forget_talk or brought.talk):
        earlier = counted(before.forecast)
        gone = Heard(
            talk_s=max(0.0, earlier.talk_s - seconds(before.talk)),
            tones=max(0, earlier.tones - tones(before.print, before.talk, bank.space)),
        )
    return Heard(
        tries=len(tries),
        found=found(known, tries, bank.space),
        talk_s=round(gone.talk_s + seconds(now), 1),
        tones=gone.tones + tones(known, now, bank.space),
    )


@dataclass(frozen=True)
class _Nothing:
    takes: tuple[Take, ...] = ()
    recordings: tuple[Clip, ...] = ()
    tries: tuple[Embeddings, ...] = ()
    talk: tuple[Embeddings, ...] = ()


_EMPTY: Final = _Nothing()


def _newest(talk: tuple[Embeddings, ...]) -> tuple[Embeddings, ...]:
    while seconds(talk) > MOST_TALK_S and len(talk) > 1:
        talk = talk[1:]
    return talk


def _left_out(items: tuple[T, ...], index: int) -> tuple[T, ...]:
    return items[:index] + items[index + 1 :]
