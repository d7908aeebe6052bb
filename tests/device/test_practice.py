"""What the practice demands of the device, S1-S19 of the design, each as something that can be heard or seen.

S2 and S19 are the card's and the record's and are tested there; S20 has tests/device/test_asking_when.py.
"""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.fakes import CODES, NAME, NOW, SILENCE, SPEECH, Rig
from voice import events, loop, speaking
from voice.adapters.prompts import languages, load_wording
from voice.dialogue import Phase
from voice.ports import Command, Standing
from voice.wording import KEYS, NEVER_SAID, faults

ROOM = (SILENCE, 2.0)
NAMED = (NAME, 0.08)
ASKED = (SILENCE, 14.0)
LINE = (SPEECH, 3.0)
AFTER = (SILENCE, 40.0)


def everything_said(rig: Rig) -> str:
    return " ".join(rig.synthesiser.said).lower()


def test_S01_the_record_carries_the_clients_exact_name_for_the_part(rig: Rig) -> None:
    rig.hear(ROOM, NAMED, AFTER)
    assert rig.records.saved[0].part == "the foreman"


def test_S03_no_prompt_in_any_language_uses_clinical_words() -> None:
    for language in languages():
        assert list(faults(load_wording(language).prompts)) == []
    assert {"protector", "exile", "self", "blended"} <= set(NEVER_SAID["S3"])


def test_S04_nothing_is_said_unless_the_client_speaks_first(rig: Rig) -> None:
    """No reminder, no task: a day of silence and of ordinary talk brings no sound."""
    rig.hear((SILENCE, 600.0), (SPEECH, 300.0), (SILENCE, 600.0))
    assert rig.events == []


def test_S05_the_flow_is_name_breath_optional_line_end(rig: Rig) -> None:
    rig.hear(ROOM, NAMED, ASKED, LINE, AFTER)
    steps = [event for event in rig.events if event not in ("tone", "sealed")]
    assert steps == ["heard", "played", "said", "asked", "line", "said", "closed"]


def test_S06_a_noticing_without_a_line_is_complete_and_closes_with_the_same_words() -> None:
    with_line, without = Rig(), Rig()
    with_line.hear(ROOM, NAMED, ASKED, LINE, AFTER)
    without.hear(ROOM, NAMED, AFTER)
    assert with_line.records.saved[0].line is not None
    assert without.records.saved[0].line is None
    assert with_line.prompts[-1] == without.prompts[-1] == "close.saved"
    assert with_line.synthesiser.said[-2:] == without.synthesiser.said[-2:]


def test_S07_one_line_one_prompt_one_utterance_no_question_after_it(rig: Rig) -> None:
    rig.hear(ROOM, NAMED, ASKED, LINE, (SILENCE, 10.0), LINE, AFTER)
    assert rig.prompts == ["ask.line", "close.saved"]
    assert len(rig.records.saved) == 1
    for language in languages():
        prompts = load_wording(language).prompts
        # Enrolment asks whether to keep a recording; S20 asks one word, where clinician and client want it.
        asking = {key for key, text in prompts.items() if "?" in text and not key.startswith("enrol.")}
        assert asking == {"ask.when"}


@pytest.mark.parametrize("spoken", [(SPEECH, 300.0), (SILENCE, 300.0)])
def test_S08_the_whole_exchange_is_bounded(rig: Rig, spoken: tuple[int, float]) -> None:
    """With the longest line, and with none; what was said until the bound is kept."""
    rig.cards.seconds = 12.0
    rig.hear(ROOM, NAMED, (SILENCE, 26.0), spoken)
    assert rig.times("closed")[0] - rig.times("heard")[0] <= 90.0
    assert len(rig.records.saved) == 1
    assert (rig.records.saved[0].line is not None) is (spoken[0] == SPEECH)


def test_S09_everything_the_device_says_is_an_allow_listed_prompt_or_a_recording() -> None:
    """The only way to sound is a Sound; the only text among them is the key of a checked prompt."""
    assert set(events.Sound.__args__) == {events.Tone, events.Prompt, events.Phrase, events.Pause}
    keys = {
        node.value
        for name in ("moves", "rows", "commands")
        for node in ast.walk(ast.parse(inspect.getsource(import_module(f"voice.dialogue_{name}"))))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KEY.fullmatch(node.value)
    }
    assert keys
    assert (
        keys | {f"rest.{standing}" for standing in Standing if standing is not Standing.ACTIVE} <= KEYS.keys()
    )
    calls = [line for line in inspect.getsource(speaking).splitlines() if "synthesiser.render" in line]
    assert calls == ["                clip = self._synthesiser.render(sentence, language, words_per_minute)"]


_KEY = re.compile(rf"({'|'.join({key.split('.')[0] for key in KEYS})})\.\w+")


def test_S10_nothing_is_derived_from_the_line(rig: Rig) -> None:
    """The line is reported and saved word for word, and nothing else of it exists."""
    rig.hear(ROOM, NAMED, ASKED, LINE, AFTER)
    line = rig.records.saved[0].line
    assert line is not None
    reported = next(report for report in rig.observer.reports if report.event == "line")
    assert reported.fields["text"] == line.text
    assert set(reported.fields) == {"words", "text", "transcriber", "rough"}


def test_S11_it_never_asks_for_calm(rig: Rig) -> None:
    rig.hear(ROOM, NAMED, AFTER)
    assert not any(word in everything_said(rig) for word in ("relax", "calm", "find", "go inside", "breathe"))


def test_S12_one_breath_and_no_second_exercise_can_be_reached(rig: Rig) -> None:
    """The phrase is played once for a name; hearing it again takes the client's own "again"."""
    rig.hear(ROOM, NAMED, (SILENCE, 120.0))
    assert rig.events.count("played") == 1


def test_S13_the_client_cannot_fail_whatever_happens() -> None:
    said = []
    for trouble in ("silence", "full", "broken", "offline"):
        rig = Rig()
        rig.records.full = trouble == "full"
        rig.transcriber.broken = trouble == "broken"
        rig.records.is_online = trouble != "offline"
        rig.hear(ROOM, NAMED, ASKED, (SILENCE, 40.0) if trouble == "silence" else LINE, AFTER)
        said.append(everything_said(rig))
    for word in NEVER_SAID["S13"]:
        assert not any(f" {word} " in f" {text} " for text in said)


def test_S14_it_never_asks_whether_it_helped(rig: Rig) -> None:
    rig.hear(ROOM, NAMED, ASKED, LINE, AFTER)
    assert not any(phrase in everything_said(rig) for phrase in NEVER_SAID["S14"])


def test_S15_the_close_points_to_the_next_session_with_the_clinician() -> None:
    for online in (True, False):
        rig = Rig()
        rig.records.is_online = online
        rig.hear(ROOM, NAMED, ASKED, LINE, AFTER)
        assert rig.synthesiser.said[-1] == "Dr Lee reads it before your next visit."


def test_S16_there_is_no_deeper_place_in_the_dialogue() -> None:
    """Every phase there is, by name: nothing lies beyond the one line but the one word of S20."""
    assert {str(phase) for phase in Phase} == {
        "resting",
        "listening",
        "muted",
        "deaf",
        "saying",
        "cue",
        "window",
        "phrase",
        "asking",
        "waiting",
        "reminding",
        "capturing",
        "transcribing",
        "saving",
        "asking when",
        "hearing when",
        "closing",
    }


@pytest.mark.parametrize("standing", [Standing.UNPAIRED, Standing.PAUSED, Standing.DISCHARGED])
def test_S17_a_device_without_its_clinician_says_once_that_it_rests_and_keeps_silent(
    standing: Standing,
) -> None:
    rig = Rig()
    rig.records.stands = standing
    rig.hear(ROOM, NAMED, (SILENCE, 10.0), NAMED, (SILENCE, 10.0), (CODES[Command.AGAIN], 0.8), AFTER)
    assert rig.prompts == [f"rest.{standing}"]
    assert "played" not in rig.events
    assert rig.records.saved == []


def test_S17_a_device_paused_while_it_listens_rests_from_then_on(rig: Rig) -> None:
    running = loop.Loop(rig.device())
    running.start()
    rig.records.stands = Standing.PAUSED
    rig.microphone.script = [(SILENCE, 4.0), NAMED, (SILENCE, 10.0)]
    for item in rig.microphone:
        running.take(item)
    assert rig.prompts == ["rest.paused"]
    assert rig.records.saved == []


def test_S18_a_flood_at_eleven_needs_no_hands_no_reading_and_no_network(rig: Rig) -> None:
    rig.records.is_online = False
    rig.hear(ROOM, NAMED, (SPEECH, 4.0), (SILENCE, 12.0), LINE, AFTER)
    assert len(rig.records.saved) == 1
    assert rig.records.saved[0].at == NOW
    assert rig.prompts[-1] == "close.saved_offline"


def test_S21_the_device_says_no_more_of_the_part_than_the_clients_own_recording() -> None:
    placeholders = set().union(*KEYS.values())
    assert placeholders == {"clinician", "danger", "days", "holder", "talk"}


def test_S22_nothing_suggests_that_anyone_is_listening_or_was_told(rig: Rig) -> None:
    rig.hear(ROOM, (CODES[Command.HELP], 0.8), AFTER)
    assert rig.synthesiser.said == [
        "Nobody is listening right now.",
        "Dr Lee reads this before your next visit.",
        "In danger, call 9 1 1.",
        "To talk to someone now, call 9 8 8.",
    ]


def test_no_file_of_the_device_writes_a_lines_audio() -> None:
    """Section 5: nothing between the microphone and the transcriber can write sound to disk."""
    folder = Path(loop.__file__).parent
    for name in ("loop.py", "ears.py", "segmenter.py", "dialogue.py", "speaking.py"):
        text = (folder / name).read_text()
        assert not any(word in text for word in ("open(", "soundfile", "wave.", "write_bytes", "tempfile"))
