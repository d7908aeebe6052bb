"""The loop on fakes: what is heard when, what is played, and what becomes of a line."""

from __future__ import annotations

import pytest

from tests.fakes import CODES, NAME, SILENCE, SPEECH, Rig
from voice.dialogue import Phase
from voice.ports import Back, Command, Deletion, Gap, Lost, Standing

QUIET_ROOM = (SILENCE, 2.0)
NAMED = (NAME, 0.08)
ANSWER_AFTER = (SILENCE, 14.0)
"""Longer than cue, window, phrase, breath and prompt; shorter than the wait for a line."""


CANCELLED = ((SILENCE, 0.6), (CODES[Command.NOT_NOW], 0.8), (SILENCE, 2.0))


def said(command: Command) -> tuple[int, float]:
    return (CODES[command], 0.8)


def test_an_exchange_with_a_line_is_reported_in_order(rig: Rig) -> None:
    loop = rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, (SPEECH, 2.0), (SILENCE, 12.0))
    assert rig.events == [
        "heard",
        "tone",
        "played",
        "said",
        "tone",
        "asked",
        "line",
        "sealed",
        "said",
        "closed",
    ]
    assert rig.prompts == ["ask.line", "close.saved"]
    assert rig.records.saved[0].line is not None
    assert loop.phase is Phase.LISTENING


def test_a_line_begins_half_a_second_before_its_speech_was_certain(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, (SPEECH, 1.6), (SILENCE, 12.0))
    blocks, spoken = next(entry[1:] for entry in rig.log if entry[0] == "transcribed")
    assert spoken == 20
    assert blocks >= 6 + 20 + 3.0 / 0.08 - 1


def test_the_cue_tone_starts_in_the_block_that_decided(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, QUIET_ROOM)
    assert rig.times("tone")[0] == pytest.approx(rig.times("heard")[0])


def test_not_now_in_the_window_keeps_the_phrase_unspoken_and_saves_nothing(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 0.6), said(Command.NOT_NOW), (SILENCE, 5.0))
    assert rig.events == ["heard", "tone", "command", "closed"]
    assert rig.records.saved == []


def test_only_words_that_cancel_are_listened_for_eagerly_and_only_in_the_window(rig: Rig) -> None:
    """Heard eagerly, a cough would set the volume or mute the device."""
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 0.6), said(Command.NOT_NOW), (SILENCE, 5.0))
    assert rig.commands.expected == [{Command.STOP, Command.NOT_NOW}]
    rig.hear(said(Command.LOUDER), (SILENCE, 5.0))
    assert rig.commands.expected[1:] == [set()]


def test_a_word_begun_in_the_window_is_waited_for(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 1.5), said(Command.STOP), (SILENCE, 5.0))
    assert "played" not in rig.events


def test_ordinary_talk_in_the_window_does_not_hold_the_phrase_for_long(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, (SPEECH, 12.0), (SILENCE, 30.0))
    assert rig.times("played")[0] - rig.times("heard")[0] < 4.0


def test_what_the_device_plays_is_never_heard_as_the_client(rig: Rig) -> None:
    """Half-duplex: names and speech in every block from the cue to the end of the prompt."""
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 2.0), (NAME, 2.5), (SILENCE, 40.0))
    assert rig.events.count("heard") == 1
    assert "line" not in rig.events


def test_a_backlog_of_blocks_from_before_the_end_of_playback_is_not_heard(rig: Rig) -> None:
    rig.microphone.behind = 12
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 0.32), said(Command.STOP), (SILENCE, 5.0))
    assert "command" not in rig.events


def test_the_spotter_forgets_and_keeps_counting_across_what_the_device_said(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 45.0), NAMED, (SILENCE, 45.0))
    assert rig.spotter.blocks * 0.08 == pytest.approx(rig.player.now)
    assert [entry[0] for entry in rig.log].count("spotter reset") >= 1
    assert rig.events.count("heard") == 2


def test_a_line_that_is_only_stop_keeps_the_noticing_without_a_line(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, said(Command.STOP), (SILENCE, 12.0))
    assert rig.records.saved[0].line is None
    assert rig.prompts == ["ask.line", "close.saved"]


def test_stop_as_the_first_word_of_a_line_belongs_to_the_line(rig: Rig) -> None:
    rig.hear(
        QUIET_ROOM, NAMED, ANSWER_AFTER, said(Command.STOP), (SILENCE, 0.8), (SPEECH, 2.0), (SILENCE, 12.0)
    )
    assert rig.records.saved[0].line is not None


def test_help_ends_the_exchange_keeps_the_noticing_and_says_the_fixed_words(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, said(Command.HELP), (SILENCE, 20.0))
    assert len(rig.records.saved) == 1
    assert rig.prompts[1:] == ["help.nobody", "help.reads", "help.danger", "help.talk"]
    assert "In danger, call 9 1 1." in rig.synthesiser.said


def test_again_plays_the_phrase_again_and_does_not_ask_again(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, said(Command.AGAIN), (SILENCE, 40.0))
    assert rig.events.count("played") == 2
    assert rig.prompts.count("ask.line") == 1


def test_louder_is_kept_and_heard(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, *CANCELLED, said(Command.LOUDER), (SILENCE, 5.0))
    assert rig.prompts == ["set.louder"]
    assert ("keep", 4, 150) in rig.log
    assert [entry[2] for entry in rig.log if entry[0] == "play"] == [0.75, 1.0]


@pytest.mark.parametrize(
    ("outcome", "key"),
    [
        (Deletion.DELETED, "delete.done"),
        (Deletion.DELIVERED, "delete.delivered"),
        (Deletion.NOTHING, "delete.nothing"),
    ],
)
def test_delete_that_says_plainly_what_became_of_it(rig: Rig, outcome: Deletion, key: str) -> None:
    rig.records.deletion = outcome
    rig.hear(QUIET_ROOM, NAMED, *CANCELLED, said(Command.DELETE_THAT), (SILENCE, 6.0))
    assert rig.prompts == [key]


def test_stop_listening_hears_no_name_until_start_listening(rig: Rig) -> None:
    rig.hear(
        QUIET_ROOM,
        said(Command.STOP_LISTENING),
        (SILENCE, 8.0),
        NAMED,
        (SILENCE, 2.0),
        said(Command.START_LISTENING),
        (SILENCE, 6.0),
        NAMED,
        (SILENCE, 1.0),
    )
    assert rig.prompts[:2] == ["mute.on", "mute.off"]
    assert rig.events.count("heard") == 1


def test_a_full_disk_is_said_kindly_and_never_as_saved(rig: Rig) -> None:
    rig.records.full = True
    loop = rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, (SPEECH, 2.0), (SILENCE, 20.0))
    assert rig.prompts == ["ask.line", "close.not_kept"]
    assert "sealed" not in rig.events
    assert loop.phase is Phase.LISTENING


def test_without_a_network_the_close_says_when_it_goes_out(rig: Rig) -> None:
    rig.records.is_online = False
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, (SPEECH, 2.0), (SILENCE, 20.0))
    assert rig.prompts == ["ask.line", "close.saved_offline"]


def test_a_recogniser_that_breaks_costs_the_words_and_not_the_noticing(rig: Rig) -> None:
    rig.transcriber.broken = True
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, (SPEECH, 2.0), (SILENCE, 20.0))
    line = rig.records.saved[0].line
    assert line is not None
    assert line.words == ()


def test_a_microphone_that_goes_away_is_said_once_and_listening_comes_back(rig: Rig) -> None:
    gaps = [Gap(0.0)] * 100
    rig.hear(QUIET_ROOM, Lost(), *gaps, Back(), (SILENCE, 4.0), NAMED, (SILENCE, 1.0))
    assert rig.prompts[:2] == ["microphone.lost", "microphone.back"]
    assert rig.events.count("heard") == 1


def test_a_microphone_lost_in_the_middle_of_a_line_keeps_what_was_said(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, (SPEECH, 2.0), Lost(), *([Gap(0.0)] * 120))
    line = rig.records.saved[0].line
    assert line is not None
    assert len(line.words) == 25
    assert rig.prompts == ["ask.line", "close.saved", "microphone.lost"]


def test_one_lost_block_does_not_end_a_line(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, NAMED, ANSWER_AFTER, (SPEECH, 1.6), Gap(0.0), (SPEECH, 1.6), (SILENCE, 12.0))
    assert next(entry for entry in rig.log if entry[0] == "transcribed")[2] == 40


def test_quiet_plays_the_tone_and_nothing_else_and_keeps_the_noticing(rig: Rig) -> None:
    rig.cards.is_quiet = True
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 30.0))
    assert rig.events == ["heard", "tone", "sealed", "closed"]


def test_a_device_that_rests_says_so_once_and_then_keeps_silent(rig: Rig) -> None:
    rig.records.stands = Standing.PAUSED
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 8.0), NAMED, (SILENCE, 8.0))
    assert rig.events == ["heard", "resting", "said", "heard"]
    assert rig.prompts == ["rest.paused"]


def test_a_name_at_the_very_end_of_a_file_still_has_its_whole_exchange(rig: Rig) -> None:
    loop = rig.hear(QUIET_ROOM, NAMED)
    assert rig.events[-1] == "closed"
    assert loop.phase is Phase.LISTENING
