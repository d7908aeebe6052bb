"""Whose voice may say a name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.device.card_rig import noise_card
from tests.device.hearing_rig import listen, said, take
from voice.adapters.bank import bank
from voice.adapters.settings_file import load_settings
from voice.adapters.voices import PEOPLE, Speaker
from voice.audition import scores
from voice.card import Card
from voice.enrolment import Forecast, voiceprint
from voice.household import OWN_LEAST, listened_for
from voice.settings import HEARS, Settings, SettingsError, from_mapping
from voice.spotting import Decision

NAME = "the foreman"
CLIENT = tuple(replace(PEOPLE[0], rate=rate) for rate in (132, 140, 150))
ANOTHER = PEOPLE[2]


def card_of(client: tuple[Speaker, ...]) -> Card:
    """A card of three takes of one voice."""
    takes = tuple(take(NAME, manner) for manner in client)
    known, forecast = voiceprint(NAME, takes, bank())
    return Card(NAME, takes, tuple(said(NAME, manner) for manner in client), known, forecast)


def told_apart() -> Card:
    """A threshold that the other voice just reaches."""
    card = card_of(CLIENT)
    theirs = scores(card.print, take(NAME, ANOTHER).embeddings, bank().space).max()
    return replace(card, print=replace(card.print, threshold=0.9 * float(theirs)))


def test_by_default_anyone_is_heard() -> None:
    card = told_apart()
    assert Settings().hears == "anyone"
    assert listened_for(card, "anyone") == card.print
    assert len(listen([card.print], [said(NAME, ANOTHER), said(NAME, CLIENT[1])]).hearings) == 2


def test_for_the_client_alone_another_voice_is_not_heard_and_the_client_is() -> None:
    evening = listen([listened_for(told_apart(), "client")], [said(NAME, ANOTHER), said(NAME, CLIENT[1])])
    (heard,) = evening.hearings
    assert heard.decided_s > evening.ends_s[0] + 1.0, "the second of the two, the client"


def test_for_the_client_alone_words_name_nothing_by_themselves() -> None:
    card = noise_card()
    card = replace(card, forecast=Forecast(9.0, 0.1, {"median_own_score": 2 * card.print.threshold}))
    only = listened_for(card, "client")
    assert only.threshold == pytest.approx(max(1.0, 2 * OWN_LEAST) * card.print.threshold)
    decision = Decision([only])
    assert decision.push(1, np.array([only.threshold - 0.01], np.float32), [card.name]) is None
    assert decision.push(2, np.array([only.threshold], np.float32), [card.name]) is not None


@pytest.mark.parametrize("basis", [{}, {"median_own_score": 0.0}, {"median_own_score": 0.5}])
def test_the_threshold_is_never_lowered(basis: dict[str, float]) -> None:
    card = replace(noise_card(), forecast=Forecast(None, 0.1, basis))
    assert listened_for(card, "client").threshold == card.print.threshold


def test_the_setting(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('hears = "client"\n')
    assert load_settings(tmp_path).hears == "client"
    assert from_mapping({}).hears == HEARS[0] == "anyone"
    for wrong in ("everyone", "", 1, None):
        with pytest.raises(SettingsError, match="hears") as raised:
            from_mapping({"hears": wrong})
        assert "anyone, client" in str(raised.value.remedy)
