"""S20 in the loop: the question is heard, the answer joins the record, and whatever breaks costs a word."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.fakes import ANSWERS, CODES, NAME, SILENCE, SPEECH, Rig
from voice.adapters.prompts import languages, load_wording
from voice.asking import PROMPTS, Asking, spoken_answers
from voice.dialogue import Phase
from voice.noticing import When
from voice.ports import Command
from voice.reports import CONTENT
from voice.settings import SettingsError, from_mapping

ROOM, NAMED, ASKED, SPOKEN = (SILENCE, 2.0), (NAME, 0.08), (SILENCE, 14.0), (SPEECH, 2.0)
UNTIL_THE_QUESTION = (SILENCE, 6.2)
"""From the end of the line to the end of "Starting, in it, or after?" and its tone, and a moment more."""
AFTER = (SILENCE, 30.0)
CODE_OF = {when: code for code, when in ANSWERS.items()}


def heard(when: When) -> tuple[int, float]:
    return (CODE_OF[when], 0.8)


@pytest.mark.parametrize("when", When)
def test_the_loop_asks_hears_and_puts_the_answer_into_the_record(rig: Rig, when: When) -> None:
    rig.asks_when = True
    rig.hear(ROOM, NAMED, ASKED, SPOKEN, UNTIL_THE_QUESTION, heard(when), AFTER)
    assert rig.prompts == ["ask.line", "ask.when", "close.saved"]
    (saved,) = rig.records.saved
    assert saved.when is when
    assert saved.line is not None
    order = [entry[0] for entry in rig.log if entry[0] in ("saved", "let go", "answered", "said")]
    assert order == ["said", "saved", "said", "answered", "let go", "said"]
    assert rig.events.count("sealed") == 2
    sealed = [report.fields["record"] for report in rig.observer.reports if report.event == "sealed"]
    assert sealed[0] != sealed[1], "another record, under its own id"
    assert rig.times("closed")[0] - rig.times("heard")[0] < 60


def test_the_loop_asks_nothing_where_it_is_not_wanted(rig: Rig) -> None:
    rig.hear(ROOM, NAMED, ASKED, SPOKEN, UNTIL_THE_QUESTION, heard(When.IN), AFTER)
    assert rig.prompts == ["ask.line", "close.saved"]
    assert rig.records.saved[0].when is None
    assert not rig.records.held


def test_other_words_are_no_answer_and_are_not_written_down(rig: Rig) -> None:
    rig.asks_when = True
    rig.hear(ROOM, NAMED, ASKED, SPOKEN, UNTIL_THE_QUESTION, (SPEECH, 1.0), AFTER)
    assert rig.prompts == ["ask.line", "ask.when", "close.saved"]
    assert rig.records.saved[0].when is None
    assert [entry for entry in rig.log if entry[0] == "transcribed"] != []
    assert sum(entry[0] == "dictation" for entry in rig.log) == 1, "nothing but the line is taken down"
    assert ("let go", None) in rig.log


def test_not_now_is_heard_among_the_answers(rig: Rig) -> None:
    rig.asks_when = True
    rig.hear(ROOM, NAMED, ASKED, SPOKEN, UNTIL_THE_QUESTION, (CODES[Command.NOT_NOW], 0.8), AFTER)
    assert "command" in rig.events
    assert rig.records.saved[0].when is None
    assert rig.prompts[-1] == "close.saved"


def test_an_answer_that_cannot_be_kept_costs_the_answer_and_nothing_else(rig: Rig) -> None:
    rig.asks_when = True
    rig.records.full_later = True
    rig.hear(ROOM, NAMED, ASKED, SPOKEN, UNTIL_THE_QUESTION, heard(When.IN), AFTER)
    assert rig.prompts[-1] == "close.saved"
    assert rig.records.saved[0].when is None
    assert rig.records.saved[0].line is not None
    assert not rig.records.held


def test_the_answer_stays_out_of_what_may_end_up_in_a_log(rig: Rig) -> None:
    rig.asks_when = True
    rig.hear(ROOM, NAMED, ASKED, SPOKEN, UNTIL_THE_QUESTION, heard(When.STARTING), AFTER)
    report = next(report for report in rig.observer.reports if report.event == "answered")
    assert set(report.fields) <= CONTENT
    assert report.as_text().endswith("answered “starting”")
    assert "starting" not in report.without_content().as_text()
    assert report.without_content().as_json() == {"event": "answered", "at": round(report.at, 3)}


def test_a_recogniser_that_breaks_costs_the_answer_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(sound: object) -> When | None:
        raise RuntimeError("starting")

    assert Asking(lambda: True, broken).answer(datetime.now(UTC)) is None  # type: ignore[arg-type]
    assert "RuntimeError" in caplog.text
    assert "starting" not in caplog.text


def test_every_language_has_the_three_answers_in_its_own_question() -> None:
    for language in languages():
        prompts = load_wording(language).prompts
        answers = spoken_answers(prompts)
        assert set(answers.values()) == set(When)
        assert len(answers) == 3
        for key in PROMPTS.values():
            assert prompts[key].casefold() in prompts["ask.when"].casefold()


def test_the_answers_are_never_said_by_themselves(rig: Rig) -> None:
    rig.asks_when = True
    loop = rig.hear(ROOM, NAMED, ASKED, SPOKEN, UNTIL_THE_QUESTION, heard(When.STARTING), AFTER)
    prompts = load_wording("en").prompts
    assert not {prompts[key] for key in PROMPTS.values()} & set(rig.synthesiser.said)
    assert loop.phase is Phase.LISTENING


def test_the_setting_is_a_yes_or_a_no() -> None:
    assert not from_mapping({}).asks_when
    assert from_mapping({"asks_when": True}).asks_when
    with pytest.raises(SettingsError, match="neither true nor false"):
        from_mapping({"asks_when": "yes"})
