"""A card that another matcher made: made anew once, from its takes, and said without a name."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.device.card_rig import FOREMAN, noise_card, same
from tests.device.card_version_1 import put_version_1
from tests.device.hearing_rig import TEACHERS, said, take, taught
from tests.device.test_assemble import assembled
from voice import assemble, assemble_check
from voice.adapters.bank import bank
from voice.adapters.cards import CardBox
from voice.assemble_enrolment import Asked, Files, from_files
from voice.card import Card
from voice.enrolment import Forecast
from voice.errors import EnrolmentError
from voice.renewing import renewed
from voice.spotting import MATCHER

NAME = "the foreman"


def real_card() -> Card:
    """As enrolment makes it today."""
    known, forecast = taught(NAME)
    takes = tuple(take(NAME, person) for person in TEACHERS)
    return Card(NAME, takes, tuple(said(NAME, person) for person in TEACHERS), known, forecast)


def old_card(card: Card) -> Card:
    """The same takes with the figures of another matcher."""
    stale = replace(
        card.print, threshold=99.0, usual=card.print.usual + np.float32(1), spread=card.print.spread * 3
    )
    return replace(card, print=stale, forecast=Forecast(1.0, 77.0, {"takes": 5.0}), matcher=MATCHER - 1)


def stored(home: Path) -> dict[str, object]:
    (path,) = (home / "cards").glob("*/card.json")
    fields: dict[str, object] = json.loads(path.read_text())
    return fields


@pytest.mark.parametrize("version", [1, 2])
def test_an_old_card_is_made_anew_once_and_kept(tmp_path: Path, version: int) -> None:
    today = real_card()
    if version == 1:
        put_version_1(tmp_path, old_card(today))
    else:
        CardBox(tmp_path).put(old_card(today))
    box = assemble.card_box(tmp_path)
    (card,), damaged = box.load()
    assert not damaged
    assert same(card, today), "the threshold, the statistics and the forecast that today's enrolment gives"
    assert box.renewed == 1
    assert stored(tmp_path)["matcher"] == MATCHER
    again = assemble.card_box(tmp_path)
    (kept,), _ = again.load()
    assert same(kept, today)
    assert again.renewed == 0, "the next start finds nothing to do"


def test_without_anyone_to_renew_it_a_card_is_read_as_it_is(tmp_path: Path) -> None:
    card = replace(noise_card(audition=True), matcher=MATCHER + 1)
    CardBox(tmp_path).put(card)
    (loaded,), _ = CardBox(tmp_path).load()
    assert same(loaded, card)
    assert loaded.matcher == MATCHER + 1


def test_tries_and_kept_talk_are_heard_again_and_all_else_stays() -> None:
    before = replace(
        real_card(),
        tries=tuple(take(NAME, person).embeddings for person in TEACHERS[:3]),
        talk=tuple(take("the soup is almost ready", person).embeddings for person in TEACHERS[:2]),
        phrase=said("I see you", TEACHERS[0]),
        alias="the four men",
        quiet=True,
        anyway=True,
    )
    after = renewed(old_card(before), bank())
    assert (after.forecast.basis["tries"], after.forecast.basis["tries_found"]) == (3, 3)
    assert after.forecast.basis["talk_s"] > 1
    assert after.matcher == MATCHER
    stays = replace(after, print=before.print, forecast=before.forecast, matcher=before.matcher)
    assert same(stays, before)


def test_takes_of_no_use_are_to_be_enrolled_again(tmp_path: Path) -> None:
    good = noise_card()
    for spoilt in (
        np.zeros((30, 64), np.float32),
        np.full((30, 96), np.nan, np.float32),
        np.zeros((0, 96), np.float32),
    ):
        takes = (replace(good.takes[0], embeddings=spoilt), *good.takes[1:])
        old = replace(good, takes=takes, matcher=MATCHER - 1)
        with pytest.raises(EnrolmentError):
            renewed(old, bank())
        CardBox(tmp_path).put(old)
        cards, (damage,) = assemble.card_box(tmp_path).load()
        assert cards == []
        assert damage.part == FOREMAN
        assert "nrol that part again" in damage.remedy
        assert "foreman" not in str(damage)


def test_it_is_said_once_and_without_a_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    CardBox(tmp_path).put(old_card(real_card()))
    with caplog.at_level(logging.INFO), assembled(tmp_path):
        pass
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("The card of one part was brought up to date")
    assert "foreman" not in message
    caplog.clear()
    with caplog.at_level(logging.INFO), assembled(tmp_path):
        pass
    assert caplog.records == []


def test_check_says_it_too(tmp_path: Path) -> None:
    CardBox(tmp_path).put(old_card(real_card()))
    found, cards = assemble_check.look(tmp_path)
    (parts,) = [finding for finding in found if finding.subject == "parts"]
    assert parts.ok
    assert parts.state.startswith("1 enrolled. The card of one part was brought up to date")
    assert same(cards[0], real_card())


def test_enrolling_more_takes_starts_from_the_card_brought_up_to_date(tmp_path: Path) -> None:
    CardBox(tmp_path).put(old_card(real_card()))
    enrolled = from_files(tmp_path, Asked(NAME, quiet=True), Files())
    assert enrolled.before is not None
    assert same(enrolled.before, real_card())
    assert any("brought up to date" in note for note in enrolled.notes)


def test_a_disk_that_cannot_be_written_still_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CardBox(tmp_path).put(old_card(real_card()))

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("voice.adapters.cards.write_private", full)
    (card,), damaged = assemble.card_box(tmp_path).load()
    assert not damaged
    assert same(card, real_card())
