"""The forecast as a person reads it: how many, how often, from what, and what changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.device.card_rig import FOREMAN, LITTLE_ONE, noise_card
from voice.audition import Heard, auditioned
from voice.commands.forecast import changed, describe, document, often
from voice.likeness import Likeness


@pytest.mark.parametrize(
    ("a_week", "words"),
    [
        (0.0, "less than one in three weeks"),
        (1.0, "about one a week"),
        (3.4, "about 3 a week"),
        (14.0, "about 14 a week"),
        (15.0, "about 2 a day"),
        (200.0, "about 29 a day"),
    ],
)
def test_a_rate_is_told_as_people_count(a_week: float, words: str) -> None:
    assert often(a_week) == words


def test_every_figure_says_where_it_comes_from() -> None:
    card = noise_card()
    assert "about 9 of 10 tries  (from the takes against each other" in describe(card)
    assert "30 minutes of recorded voices; for 20 hours of talk a week" in describe(card)
    heard = replace(card, forecast=auditioned(card.forecast, Heard(tries=5, found=4, talk_s=62.0, tones=0)))
    told = describe(heard)
    assert "found: 4 of 5 tries, so probably 4 to 10 of 10" not in told, "a range that ends at ten is a least"
    assert "found: 4 of 5 tries, so probably at least 4 of 10  (from 5 tries after the takes)" in told
    assert "30 minutes of recorded voices and 1 minute of ordinary talk here, none in it" in told
    assert "--audition" not in told
    few = replace(card, forecast=auditioned(card.forecast, Heard(tries=2, found=2)))
    assert "2 of 2 tries after them" in describe(few)


def test_one_take_promises_nothing() -> None:
    card = noise_card(takes=1)
    alone = replace(card, forecast=replace(card.forecast, found_of_ten=None))
    assert "found: unknown with one take" in describe(alone)
    assert document(alone)["found_estimated"] is None


def test_what_changed_is_told_with_what_it_was_before() -> None:
    before = noise_card(takes=3, seed=1)
    after = replace(
        noise_card(takes=4, seed=1), print=replace(before.print, threshold=before.print.threshold + 0.5)
    )
    told = changed(before, replace(after, forecast=replace(after.forecast, false_tones_a_week=4.0)))
    assert told[0] == "takes: 3 before, 4 now"
    assert told[1].startswith("threshold: ")
    assert "has to be said more clearly" in told[1]
    assert told[2] == "false tones: about one a week before; about 4 a week now"
    assert changed(before, before) == []


def test_both_ways_round_of_a_likeness_are_one_sentence() -> None:
    pairs = [Likeness(FOREMAN, LITTLE_ONE, 1, 3, 3), Likeness(LITTLE_ONE, FOREMAN, 0, 2, 4)]
    told = [line for line in describe(noise_card(), pairs).splitlines() if "sounds like" in line]
    assert len(told) == 1
    assert "5 of 7 takes would do for both, 1 would be taken for the other one" in told[0]
