"""A card and what is brought to it: it improves or stays, and consent can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.device.hearing_rig import TALK, TEACHERS, said, take
from voice.adapters.bank import bank
from voice.adapters.takes import TakeMaker
from voice.adapters.voices import Speaker
from voice.audio import Clip
from voice.audition import counted, from_takes, seconds
from voice.card import Card
from voice.enrolment import Take
from voice.errors import EnrolmentError
from voice.ports import Embeddings
from voice.revising import MOST_TAKES, MOST_TRIES, Brought, Revised, revise, worsening

pytestmark = pytest.mark.speech

NAME = "grumbletron"
OWN = tuple(Speaker("espeak-ng", "en-us+m3", 140 + 4 * step, 42 + step) for step in range(10))


def takes(count: int, first: int = 0, name: str = NAME) -> Brought:
    """So many takes in one voice."""
    made = tuple(take(name, person) for person in OWN[first : first + count])
    return Brought(takes=made, recordings=tuple(said(name, person) for person in OWN[first : first + count]))


@cache
def tries(count: int, name: str = NAME) -> tuple[Embeddings, ...]:
    maker = TakeMaker()
    return tuple(maker.embed(said(name, person).samples) for person in OWN[5 : 5 + count])


@cache
def talk(sentences: int = len(TALK), first: int = 0) -> tuple[Embeddings, ...]:
    sound = np.concatenate([said(text, OWN[1]).samples for text in TALK[first : first + sentences]])
    return TakeMaker().talk(sound)


def no_alias(recordings: Sequence[Clip]) -> str | None:
    return None


def next_of(before: Card | None, brought: Brought) -> Revised:
    return revise(NAME, before, brought, bank(), no_alias)


@cache
def enrolled() -> Card:
    return next_of(None, replace(takes(3), tries=tries(4), talk=talk(), keep_talk=True)).card


def hears_alike(one: Card, other: Card) -> bool:
    """Whether two cards hear the same, to the last bit."""
    mine, theirs = one.print, other.print
    return mine.threshold == theirs.threshold and all(
        np.array_equal(a, b)
        for a, b in zip((*mine.takes, mine.usual), (*theirs.takes, theirs.usual), strict=True)
    )


def test_a_first_enrolment_counts_its_audition_with_the_print_it_made() -> None:
    card = enrolled()
    heard = counted(card.forecast)
    assert (heard.tries, heard.tones) == (4, 0)
    assert heard.found >= 3
    assert heard.talk_s == pytest.approx(seconds(card.talk), abs=0.06)
    assert card.forecast.found_of_ten == 10.0 * heard.found / heard.tries


def test_without_a_take_there_is_no_card() -> None:
    with pytest.raises(EnrolmentError, match="no take yet"):
        next_of(None, Brought(tries=tries(3)))


def test_a_phrase_or_nothing_leaves_the_hearing_as_it_was_to_the_last_bit() -> None:
    phrase = said("I am here", OWN[0])
    for brought in (Brought(phrase=phrase), Brought(), Brought(quiet=True)):
        after = next_of(enrolled(), brought).card
        assert hears_alike(after, enrolled())
        assert after.forecast == enrolled().forecast
    assert next_of(enrolled(), Brought(phrase=phrase)).card.phrase is phrase


def test_an_audition_alone_adds_what_it_counts_and_changes_no_threshold() -> None:
    before = next_of(None, takes(3)).card
    after = next_of(before, Brought(tries=tries(5))).card
    assert hears_alike(after, before)
    assert counted(after.forecast).tries == 5
    assert from_takes(after.forecast) == before.forecast


def test_good_takes_are_added() -> None:
    revised = next_of(enrolled(), takes(2, first=3))
    assert revised.worse is None
    assert len(revised.card.takes) == 5
    assert counted(revised.card.forecast).found >= counted(enrolled().forecast).found
    assert not hears_alike(revised.card, enrolled())


def test_takes_that_would_lose_tries_are_left_out_and_the_rest_is_kept() -> None:
    """Somebody else's name for the part, over and over: the client's own tries would no longer be heard."""
    phrase = said("I am here", OWN[0])
    others = tuple(take("the wolf", person) for person in (*OWN, *TEACHERS)[:9])
    wrong = Brought(takes=others, recordings=(phrase,) * len(others), phrase=phrase)
    revised = next_of(enrolled(), wrong)
    assert revised.worse is not None
    assert "tries would be heard" in revised.worse
    assert hears_alike(revised.card, enrolled())
    assert len(revised.card.takes) == 3
    assert revised.card.phrase is phrase, "what has nothing to do with hearing is kept"


def test_more_false_tones_in_the_same_talk_are_worse() -> None:
    card = enrolled()
    lax = replace(card, print=replace(card.print, threshold=0.5))
    worse = worsening(card, lax, card.tries, bank())
    assert worse is not None
    assert "false tones come in the talk" in worse
    assert worsening(lax, card, (), bank()) is None
    assert worsening(card, card, card.tries, bank()) is None


def test_a_forecast_that_gets_worse_by_the_takes_alone_counts_too() -> None:
    card = next_of(None, takes(3)).card
    less = replace(card.forecast, found_of_ten=(card.forecast.found_of_ten or 0) - 2)
    often = replace(card.forecast, false_tones_a_week=3 * card.forecast.false_tones_a_week + 2)
    for forecast, words in ((less, "heard by the others"), (often, "false tones a week")):
        worse = worsening(card, replace(card, forecast=forecast), (), bank())
        assert worse is not None
        assert words in worse


def test_talk_raises_the_threshold_only_with_consent_and_forgetting_it_takes_that_back() -> None:
    plain = next_of(None, takes(3)).card
    counted_only = next_of(plain, Brought(talk=talk())).card
    assert hears_alike(counted_only, plain)
    assert counted_only.talk == ()
    assert counted(counted_only.forecast).talk_s > 5
    kept = next_of(plain, Brought(talk=talk(), keep_talk=True)).card
    assert kept.print.threshold >= plain.print.threshold
    assert seconds(kept.talk) > 5
    forgotten = next_of(kept, Brought(forget_talk=True)).card
    assert forgotten.talk == ()
    assert hears_alike(forgotten, plain)
    assert counted(forgotten.forecast).talk_s == 0


def test_talk_that_was_not_kept_still_counts_until_there_is_new_talk() -> None:
    before = next_of(None, replace(takes(3), talk=talk(2))).card
    later = next_of(before, takes(1, first=4)).card
    assert counted(later.forecast).talk_s == counted(before.forecast).talk_s
    newer = next_of(later, Brought(talk=talk(2, first=2), keep_talk=True)).card
    assert counted(newer.forecast).talk_s == pytest.approx(seconds(talk(2, first=2)), abs=0.06)
    again = next_of(newer, Brought(talk=talk(2, first=2), keep_talk=True)).card
    assert seconds(again.talk) == seconds(newer.talk), "the same talk twice is one talk"


def test_what_is_kept_is_bounded() -> None:
    copies = tuple(Take(one.embeddings + 0.01 * n, one.span) for n, one in enumerate(enrolled().takes * 6))
    many = Brought(takes=copies, recordings=(said(NAME, OWN[0]),) * len(copies), tries=tries(5) * 6)
    card = next_of(None, many).card
    assert len(card.takes) == len(card.recordings) == MOST_TAKES
    assert len(card.tries) == MOST_TRIES


def test_a_forecast_against_a_new_name_is_a_refusal_that_the_clinician_can_overrule() -> None:
    unheard = replace(takes(3), tries=tries(4, "the wolf"))
    refused = next_of(None, unheard)
    assert refused.refusal is not None
    assert not refused.card.anyway
    decided = next_of(None, replace(unheard, anyway=True))
    assert decided.card.anyway
    assert next_of(decided.card, Brought()).card.anyway, "it stays decided"
    assert not next_of(None, replace(takes(3), tries=tries(4), anyway=True)).card.anyway, (
        "nothing to overrule"
    )
