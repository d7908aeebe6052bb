"""The days on which the clinician reads: said on "help" when they were chosen, and never otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import CODES, SILENCE, Rig
from voice.adapters.prompts import languages, load_wording
from voice.mailbox import Mailbox, with_settings
from voice.ports import Command
from voice.settings import Settings, SettingsError, from_mapping
from voice.wire.card_content import DAYS
from voice.wording import LONGEST_SENTENCE

HELP = ((SILENCE, 2.0), (CODES[Command.HELP], 0.8), (SILENCE, 30.0))


def test_S17_on_help_the_device_says_when_it_is_read_and_that_nobody_reads_in_between(rig: Rig) -> None:
    rig.settings = replace(rig.settings, reads_on=("monday", "thursday"))
    rig.hear(*HELP)
    assert rig.prompts == ["help.nobody", "help.reads", "help.reads_on", "help.danger", "help.talk"]
    at = rig.synthesiser.said.index("Dr Lee reads on Mondays and Thursdays.")
    assert rig.synthesiser.said[at + 1] == "In between, nobody reads it."


def test_without_days_nothing_is_said_of_days(rig: Rig) -> None:
    rig.hear(*HELP)
    assert rig.prompts == ["help.nobody", "help.reads", "help.danger", "help.talk"]


def test_every_language_says_every_choice_of_days_in_short_sentences() -> None:
    for language in languages():
        wording = load_wording(language)
        for count in range(1, 8):
            values = {"clinician": "Lee", "days": wording.days(DAYS[:count])}
            for sentence in wording.sentences("help.reads_on", values):
                assert len(sentence.split()) <= LONGEST_SENTENCE, (language, sentence)
        assert wording.days(()) == ""
    assert load_wording("en").days(DAYS[:3]) == "Mondays, Tuesdays and Wednesdays"


def test_a_card_sets_the_days_and_puts_them_back() -> None:
    mailbox = Mailbox(bytes(16), settings={"reads_on": "monday,thursday"})
    told = with_settings(Settings(), mailbox, lambda language: True)
    assert told.reads_on == ("monday", "thursday")
    assert with_settings(Settings(), replace(mailbox, settings={}), lambda language: True).reads_on == ()


@pytest.mark.parametrize("wrong", ["thursday,monday", "monday,", "someday", "monday, thursday", ["monday"]])
def test_days_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(SettingsError, match="reads_on"):
        from_mapping({"reads_on": wrong})
