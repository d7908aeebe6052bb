"""The dialogue's table, and what holds for every sequence of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voice import events as e
from voice.dialogue import ANYWHERE, COMMANDS, HEARS_COMMANDS, TABLE, Phase, State, step
from voice.noticing import When
from voice.ports import Command, Deletion, Standing
from voice.settings import PROFILES
from voice.transcript import Transcript, Word

AT = datetime(2026, 3, 5, 23, 0, tzinfo=UTC)
TICK = 0.08
AT_REST = {Phase.LISTENING, Phase.RESTING, Phase.MUTED, Phase.DEAF}

EVENTS = st.one_of(
    st.builds(
        e.NameHeard,
        part=st.just("the foreman"),
        at=st.just(AT),
        phrase_s=st.one_of(st.none(), st.floats(0.5, 60)),
        quiet=st.booleans(),
        asks_when=st.booleans(),
    ),
    st.builds(e.WhenHeard, st.sampled_from(When)),
    st.builds(e.CommandHeard, st.sampled_from(Command)),
    st.just(e.SpeechStarted()),
    st.builds(e.SpeechEnded, st.floats(0, 0.4)),
    st.just(e.PlaybackEnded()),
    st.just(e.LineReady(Transcript((Word("work"),), "fake"))),
    st.just(e.LineReady(None)),
    st.builds(e.Saved, st.booleans()),
    st.just(e.NotSaved()),
    st.builds(e.DeletionDone, st.sampled_from(Deletion)),
    st.just(e.MicrophoneLost()),
    st.just(e.MicrophoneBack()),
    st.builds(e.StandingChanged, st.sampled_from(Standing)),
)
HEARD_QUIETLY = e.NameHeard(part="the foreman", at=AT, phrase_s=None, quiet=True)
SCRIPTS = st.lists(st.tuples(st.floats(0, 30), EVENTS), max_size=30)


class Run:
    """Steps through events with a tick every 80 ms, and watches."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self.now = 0.0
        self.trail: list[tuple[float, Phase, e.Event, e.Action]] = []
        self.tell(e.Started())

    def tell(self, event: e.Event) -> None:
        before = self.state.phase
        self.state, actions = step(self.state, event, self.now)
        self.trail += [(self.now, before, event, action) for action in actions]

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            self.tell(e.Tick())

    def play(self, script: Sequence[tuple[float, e.Event]]) -> Run:
        for pause, event in script:
            self.wait(pause)
            self.tell(event)
        return self

    def at(self, phase: Phase) -> bool:
        return self.state.phase is phase

    def sounds(self) -> list[e.Sound]:
        return [s for *_, action in self.trail if isinstance(action, e.Play) for s in action.sounds]


def named(*, quiet: bool = False, phrase_s: float | None = 3.0) -> e.NameHeard:
    return e.NameHeard("the foreman", AT, phrase_s, quiet)


def waiting() -> Run:
    """A run that has asked for a line."""
    run = Run()
    run.tell(named())
    run.tell(e.PlaybackEnded())
    run.wait(1.6)
    run.tell(e.PlaybackEnded())
    run.tell(e.PlaybackEnded())
    assert run.at(Phase.WAITING)
    return run


@settings(max_examples=150, deadline=None)
@given(SCRIPTS)
def test_an_exchange_is_over_within_90_s_whatever_happens_or_does_not(
    script: list[tuple[float, e.Event]],
) -> None:
    run = Run()
    for pause, event in script:
        for _ in range(round(pause / TICK)):
            run.wait(TICK)
            if run.state.exchange is not None:
                assert run.now - run.state.exchange.started_s < 90.0 + TICK
        run.tell(event)
    run.wait(90 + 46 + 46)
    assert run.state.exchange is None
    assert run.state.phase in AT_REST


@settings(max_examples=150, deadline=None)
@given(SCRIPTS)
def test_the_phrase_never_comes_before_the_cue_tone_and_its_window(
    script: list[tuple[float, e.Event]],
) -> None:
    run = Run().play(script)
    cue_s = None
    for now, _, _, action in run.trail:
        if isinstance(action, e.Play) and e.Tone.CUE in action.sounds:
            cue_s = now
        if isinstance(action, e.Play) and any(isinstance(sound, e.Phrase) for sound in action.sounds):
            assert cue_s is not None
            assert now - cue_s >= run.state.timing.cancel_window_s - TICK
        if isinstance(action, e.Closed):
            cue_s = None


@settings(max_examples=150, deadline=None)
@given(SCRIPTS)
def test_saved_is_only_ever_said_in_answer_to_saved(script: list[tuple[float, e.Event]]) -> None:
    run = Run().play(script)
    for _, _, event, action in run.trail:
        if isinstance(action, e.Play) and any("close.saved" in str(sound) for sound in action.sounds):
            assert isinstance(event, e.Saved)


@settings(max_examples=150, deadline=None)
@given(SCRIPTS)
@example([(0.0, HEARD_QUIETLY), (0.0, e.PlaybackEnded()), (2.0, e.LineReady(None))])
def test_one_exchange_asks_once_reminds_once_and_saves_once(script: list[tuple[float, e.Event]]) -> None:
    run = Run().play(script)
    asked = reminded = saved = 0
    for *_, action in run.trail:
        if isinstance(action, e.Play):
            asked += action.sounds.count(e.Prompt("ask.line"))
            reminded += action.sounds.count(e.Prompt("ask.reminder"))
        saved += isinstance(action, e.Save)
        assert asked <= 1
        assert reminded <= 1
        assert saved <= 1
        if isinstance(action, e.Closed):
            asked = reminded = saved = 0


@settings(max_examples=100, deadline=None)
@given(SCRIPTS, st.sampled_from([Standing.PAUSED, Standing.UNPAIRED, Standing.DISCHARGED]))
def test_a_resting_device_plays_no_phrase_asks_nothing_and_saves_nothing(
    script: list[tuple[float, e.Event]], standing: Standing
) -> None:
    still = [(pause, event) for pause, event in script if not isinstance(event, e.StandingChanged)]
    run = Run(State(standing=standing)).play(still)
    assert not any(isinstance(action, e.Save) for *_, action in run.trail)
    allowed = {f"rest.{standing}", "help.nobody", "help.danger", "help.talk"}
    assert all(isinstance(sound, e.Prompt) and sound.key in allowed for sound in run.sounds())
    assert run.sounds().count(e.Prompt(f"rest.{standing}")) <= 1


def test_every_command_is_decided_everywhere_it_can_be_heard_or_named_as_left_alone() -> None:
    left_alone = {
        Phase.RESTING: set(Command) - {Command.HELP},
        Phase.LISTENING: {Command.STOP, Command.NOT_NOW, Command.START_LISTENING},
        Phase.MUTED: set(Command) - {Command.START_LISTENING, Command.DELETE_THAT, Command.HELP},
        Phase.WINDOW: {Command.AGAIN, Command.START_LISTENING},
        Phase.WAITING: {Command.START_LISTENING},
        Phase.CAPTURING: {Command.START_LISTENING},
        # Any other word is no answer, and the exchange closes.
        Phase.HEARING_WHEN: {Command.AGAIN, Command.START_LISTENING},
    }
    assert left_alone.keys() == HEARS_COMMANDS
    for phase, alone in left_alone.items():
        assert {command for command in Command if (phase, command) not in COMMANDS} == alone


def test_every_kind_of_event_has_a_row() -> None:
    rows = {kind for _, kind in TABLE} | set(ANYWHERE) | {e.CommandHeard}
    assert rows == set(e.Event.__args__)


@pytest.mark.parametrize("command", [Command.STOP, Command.NOT_NOW, Command.DELETE_THAT])
def test_a_word_in_the_window_cancels_and_saves_nothing(command: Command) -> None:
    run = Run().play([(1, named()), (0.15, e.PlaybackEnded()), (0.5, e.CommandHeard(command))])
    assert run.at(Phase.LISTENING)
    assert run.trail[-1][3] == e.Closed("cancelled")
    assert not any(isinstance(action, e.Save) for *_, action in run.trail)


def test_stop_after_the_phrase_keeps_the_noticing_without_a_line() -> None:
    run = waiting()
    run.tell(e.CommandHeard(Command.STOP))
    save = run.trail[-1][3]
    assert isinstance(save, e.Save)
    assert save.noticing.line is None


def test_delete_that_before_the_close_keeps_nothing() -> None:
    run = waiting()
    run.tell(e.CommandHeard(Command.DELETE_THAT))
    assert run.trail[-2][3] == e.Closed("deleted")
    assert run.sounds()[-1] == e.Prompt("delete.done")


def test_silence_brings_one_reminder_and_then_a_kind_close() -> None:
    run = waiting()
    run.wait(10.08)
    assert run.at(Phase.REMINDING)
    run.tell(e.PlaybackEnded())
    run.wait(10.08)
    assert run.at(Phase.SAVING)


@pytest.mark.parametrize("pace", PROFILES)
def test_the_silence_that_ends_a_line_is_the_profiles(pace: str) -> None:
    run = waiting()
    run.state = replace(run.state, timing=PROFILES[pace])
    run.tell(e.SpeechStarted())
    run.wait(2)
    run.tell(e.SpeechEnded(0.32))
    run.wait(PROFILES[pace].end_silence_s - 0.32 - 2 * TICK)
    assert run.at(Phase.CAPTURING)
    run.wait(3 * TICK)
    assert run.at(Phase.TRANSCRIBING)


def test_a_pause_within_a_line_does_not_end_it() -> None:
    run = waiting()
    run.tell(e.SpeechStarted())
    for _ in range(3):
        run.wait(2)
        run.tell(e.SpeechEnded(0.32))
        run.wait(2.4)
        run.tell(e.SpeechStarted())
    assert run.at(Phase.CAPTURING)


def test_again_between_exchanges_asks_and_saves_nothing() -> None:
    run = waiting()
    run.tell(e.CommandHeard(Command.NOT_NOW))
    run.tell(e.Saved(online=True))
    run.tell(e.PlaybackEnded())
    seen = len(run.trail)
    run.play([(5, e.CommandHeard(Command.AGAIN)), (0.15, e.PlaybackEnded()), (1.6, e.PlaybackEnded())])
    after = [action for *_, action in run.trail[seen:]]
    assert after == [e.Play((e.Tone.CUE,)), e.Play((e.Phrase("the foreman"),)), e.Closed("again")]


def test_again_long_after_an_exchange_is_only_a_word() -> None:
    run = waiting()
    run.tell(e.CommandHeard(Command.NOT_NOW))
    run.tell(e.Saved(online=True))
    run.tell(e.PlaybackEnded())
    run.wait(121)
    seen = len(run.trail)
    run.tell(e.CommandHeard(Command.AGAIN))
    assert len(run.trail) == seen


def test_a_loose_cable_is_spoken_of_once_in_ten_minutes() -> None:
    run = Run()
    for _ in range(5):
        run.play(
            [(1, e.MicrophoneLost()), (1, e.PlaybackEnded()), (1, e.MicrophoneBack()), (1, e.PlaybackEnded())]
        )
    assert run.sounds() == [e.Prompt("microphone.lost"), e.Prompt("microphone.back")]
    assert run.at(Phase.LISTENING)


def test_a_microphone_lost_in_the_window_leaves_the_phrase_unplayed() -> None:
    run = Run().play([(1, named()), (0.15, e.PlaybackEnded()), (0.5, e.MicrophoneLost())])
    assert e.Phrase("the foreman") not in run.sounds()
    assert run.state.exchange is None


def test_a_pause_by_the_clinician_lets_an_exchange_after_its_phrase_finish() -> None:
    run = waiting()
    run.tell(e.StandingChanged(Standing.PAUSED))
    run.wait(30)
    run.tell(e.PlaybackEnded())
    run.wait(30)
    run.tell(e.Saved(online=True))
    run.tell(e.PlaybackEnded())
    assert run.at(Phase.RESTING)


def test_stop_listening_in_an_exchange_keeps_the_noticing_and_then_stops_hearing_names() -> None:
    run = waiting()
    run.tell(e.CommandHeard(Command.STOP_LISTENING))
    run.tell(e.Saved(online=True))
    run.tell(e.PlaybackEnded())
    assert run.sounds()[-1] == e.Prompt("mute.on")
    run.tell(e.PlaybackEnded())
    assert run.at(Phase.MUTED)


@pytest.mark.parametrize("command", [Command.DELETE_THAT, Command.LOUDER, Command.SLOWER, Command.AGAIN])
def test_a_command_out_of_the_blue_is_ordinary_talk(command: Command) -> None:
    run = Run()
    run.tell(e.CommandHeard(command))
    assert run.trail == []
    run = Run(State(spoke_s=0.0))
    run.wait(121)
    run.tell(e.CommandHeard(command))
    assert run.trail == []


@pytest.mark.parametrize("command", [Command.HELP, Command.STOP_LISTENING])
def test_help_and_stop_listening_count_at_any_time(command: Command) -> None:
    run = Run()
    run.wait(500)
    run.tell(e.CommandHeard(command))
    assert run.at(Phase.SAYING)


def test_slower_goes_down_step_by_step_and_says_when_it_is_slowest() -> None:
    run = Run(State(spoke_s=0.0))
    for _ in range(3):
        run.tell(e.CommandHeard(Command.SLOWER))
        run.tell(e.PlaybackEnded())
    assert run.sounds() == [e.Prompt("set.slower"), e.Prompt("set.slower"), e.Prompt("set.slowest")]
    assert run.state.words_per_minute == 115
