"""S20, "Starting, in it, or after?": when it is asked, what follows, and that nothing is lost for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.device.test_dialogue import AT, EVENTS, SCRIPTS, TICK, Run
from voice import events as e
from voice.dialogue import Phase, State
from voice.dialogue_commands import SAFETY
from voice.noticing import When
from voice.ports import Command, Deletion, Standing
from voice.settings import PROFILES
from voice.transcript import Transcript, Word

QUESTION = e.Prompt("ask.when")
LINE = Transcript((Word("work"),), "fake")


def named(*, asks_when: bool = True, quiet: bool = False) -> e.NameHeard:
    return e.NameHeard("the foreman", AT, 3.0, quiet, asks_when)


def waiting(state: State | None = None, *, asks_when: bool = True) -> Run:
    """A run that has asked for a line."""
    run = Run(state)
    run.play(
        [
            (1, named(asks_when=asks_when)),
            (0.15, e.PlaybackEnded()),
            (3.1, e.PlaybackEnded()),
            (3, e.PlaybackEnded()),
        ]
    )
    assert run.at(Phase.WAITING)
    return run


def with_line(run: Run) -> Run:
    """The line, as text."""
    run.play([(1, e.SpeechStarted()), (2, e.SpeechEnded(0.32))])
    run.wait(run.state.timing.end_silence_s)
    run.tell(e.LineReady(LINE))
    assert run.at(Phase.SAVING)
    return run


def hearing(state: State | None = None) -> Run:
    """A run that waits for the answer, after a line."""
    run = with_line(waiting(state))
    run.play([(0, e.Saved(online=True)), (2.5, e.PlaybackEnded())])
    assert run.at(Phase.HEARING_WHEN)
    return run


def actions(run: Run, kind: type[e.Action]) -> list[e.Action]:
    return [action for *_, action in run.trail if isinstance(action, kind)]


def test_S20_it_is_asked_once_after_the_line_is_safe_and_the_answer_joins_it() -> None:
    run = with_line(waiting())
    save = run.trail[-1][3]
    assert isinstance(save, e.Save)
    assert save.hold
    assert save.noticing.line == LINE
    assert QUESTION not in run.sounds(), "not before the line is on disk"
    run.tell(e.Saved(online=True))
    assert run.sounds()[-2:] == [QUESTION, e.Tone.LINE]
    run.play([(2.5, e.PlaybackEnded()), (1, e.SpeechStarted()), (1, e.WhenHeard(When.STARTING))])
    assert actions(run, e.LetGo) == [e.LetGo(replace(save.noticing, when=When.STARTING))]
    run.tell(e.Saved(online=True))
    assert run.sounds()[-1] == e.Prompt("close.saved")
    run.tell(e.PlaybackEnded())
    assert run.trail[-1][3] == e.Closed("line")
    assert run.at(Phase.LISTENING)


def test_S20_a_noticing_without_a_line_is_asked_about_too() -> None:
    run = waiting()
    run.wait(10.1)
    run.tell(e.PlaybackEnded())
    run.wait(10.1)
    run.play([(0, e.Saved(online=True)), (2.5, e.PlaybackEnded()), (1, e.WhenHeard(When.AFTER))])
    let_go = run.trail[-1][3]
    assert isinstance(let_go, e.LetGo)
    assert let_go.noticing is not None
    assert (let_go.noticing.line, let_go.noticing.when) == (None, When.AFTER)


def test_S20_it_is_off_unless_turned_on() -> None:
    run = with_line(waiting(asks_when=False))
    save = run.trail[-1][3]
    assert isinstance(save, e.Save)
    assert not save.hold
    run.tell(e.Saved(online=True))
    assert run.at(Phase.CLOSING)
    assert QUESTION not in run.sounds()


def closing(run: Run) -> list[e.Action]:
    """What follows the question, to the end of the exchange."""
    seen = len(run.trail)
    run.play([(0, e.Saved(online=True)), (3, e.PlaybackEnded())])
    assert run.at(Phase.LISTENING)
    return [action for *_, action in run.trail[seen:]]


@pytest.mark.parametrize(
    "answer",
    [
        [(1, e.WhenHeard(When.IN))],
        [(6.1, e.Tick())],
        [(1, e.SpeechStarted()), (1, e.SpeechEnded(0.32))],
        [(1, e.SpeechStarted()), (1, e.CommandHeard(Command.NOT_NOW)), (0, e.SpeechEnded(0.32))],
        [(1, e.CommandHeard(Command.STOP))],
    ],
    ids=["an answer", "silence", "anything else", "not now", "stop"],
)
def test_S13_whatever_is_answered_the_same_close_follows(answer: list[tuple[float, e.Event]]) -> None:
    run = hearing().play(answer)
    assert run.at(Phase.SAVING)
    let_go = actions(run, e.LetGo)
    assert len(let_go) == 1
    answered = any(isinstance(event, e.WhenHeard) for _, event in answer)
    assert (let_go[0].noticing is not None) is answered  # type: ignore[union-attr]
    assert closing(run) == [e.Play((e.Prompt("close.saved"),)), e.Closed("line")]
    assert run.sounds().count(QUESTION) == 1


@pytest.mark.parametrize("command", [Command.STOP, Command.NOT_NOW, Command.HELP, Command.STOP_LISTENING])
def test_who_has_said_not_now_to_the_line_is_asked_nothing_more(command: Command) -> None:
    run = waiting()
    run.tell(e.CommandHeard(command))
    run.play([(0, e.Saved(online=True)), (3, e.PlaybackEnded())])
    assert QUESTION not in run.sounds()
    assert actions(run, e.LetGo) == []


def test_not_now_within_a_line_asks_nothing_more() -> None:
    run = waiting()
    run.play([(1, e.SpeechStarted()), (0.8, e.CommandHeard(Command.NOT_NOW)), (0, e.SpeechEnded(0.32))])
    run.wait(2)
    run.tell(e.Saved(online=True))
    assert run.at(Phase.CLOSING)


def test_quiet_asks_nothing() -> None:
    run = Run().play([(1, named(quiet=True)), (0.15, e.PlaybackEnded()), (1.6, e.Tick())])
    run.tell(e.Saved(online=True))
    assert run.sounds() == [e.Tone.CUE]


def test_a_repeat_asks_nothing() -> None:
    run = hearing()
    run.play([(1, e.WhenHeard(When.IN)), (0, e.Saved(online=True)), (3, e.PlaybackEnded())])
    run.play([(5, e.CommandHeard(Command.AGAIN)), (0.15, e.PlaybackEnded()), (1.6, e.PlaybackEnded())])
    assert run.trail[-1][3] == e.Closed("again")
    assert run.sounds().count(QUESTION) == 1


@pytest.mark.parametrize("standing", [Standing.PAUSED, Standing.DISCHARGED, Standing.UNPAIRED])
def test_S17_a_device_that_was_paused_meanwhile_asks_nothing_more(standing: Standing) -> None:
    run = waiting()
    run.tell(e.StandingChanged(standing))
    with_line(run)
    run.tell(e.Saved(online=True))
    assert run.at(Phase.CLOSING)


def test_a_noticing_that_could_not_be_kept_is_not_asked_about() -> None:
    run = with_line(waiting())
    run.tell(e.NotSaved())
    assert QUESTION not in run.sounds()


@pytest.mark.parametrize(
    ("outcome", "said", "reason"),
    [
        (Deletion.DELETED, "delete.done", "deleted"),
        (Deletion.DELIVERED, "delete.delivered", "line"),
        (Deletion.NOTHING, "delete.nothing", "line"),
    ],
)
def test_delete_that_in_answer_deletes_what_was_just_saved(outcome: Deletion, said: str, reason: str) -> None:
    run = hearing()
    run.tell(e.CommandHeard(Command.DELETE_THAT))
    assert run.trail[-1][3] == e.DeleteLast()
    run.tell(e.DeletionDone(outcome))
    assert actions(run, e.LetGo) == []
    assert actions(run, e.Closed) == [e.Closed(reason)]
    assert run.sounds()[-1] == e.Prompt(said)
    assert e.Prompt("close.saved") not in run.sounds()


def test_help_in_answer_says_the_fixed_words_and_keeps_the_line() -> None:
    run = hearing()
    run.tell(e.CommandHeard(Command.HELP))
    assert run.trail[-1][3] == e.LetGo(None)
    run.tell(e.Saved(online=True))
    assert run.sounds()[-len(SAFETY) :] == [e.Prompt(key) for key in SAFETY]


def test_louder_in_answer_is_heard_in_the_close() -> None:
    run = hearing()
    run.tell(e.CommandHeard(Command.LOUDER))
    assert [action for *_, action in run.trail[-2:]] == [e.Remember(4, 150), e.LetGo(None)]


def test_stop_listening_in_answer_ends_it_and_then_stops() -> None:
    run = hearing()
    run.tell(e.CommandHeard(Command.STOP_LISTENING))
    run.play([(0, e.Saved(online=True)), (3, e.PlaybackEnded()), (3, e.PlaybackEnded())])
    assert run.at(Phase.MUTED)


def test_a_microphone_that_goes_away_leaves_the_question() -> None:
    run = hearing()
    run.tell(e.MicrophoneLost())
    assert run.trail[-1][3] == e.LetGo(None)
    early = with_line(waiting())
    early.play([(0, e.Saved(online=True)), (1, e.MicrophoneLost()), (1, e.PlaybackEnded())])
    assert early.trail[-1][3] == e.LetGo(None)


@pytest.mark.parametrize("pace", PROFILES)
def test_an_answer_that_has_begun_is_waited_for_and_long_talk_is_not(pace: str) -> None:
    timing = PROFILES[pace]
    run = hearing(State(timing=timing))
    run.wait(timing.when_wait_s - 0.3)
    run.tell(e.SpeechStarted())
    run.wait(1)
    assert run.at(Phase.HEARING_WHEN)
    run.tell(e.WhenHeard(When.IN))
    assert run.at(Phase.SAVING)
    run = hearing(State(timing=timing))
    run.tell(e.SpeechStarted())
    run.wait(timing.when_wait_s + TICK)
    assert run.at(Phase.SAVING)


def test_S08_there_is_no_question_when_there_is_no_time_for_it() -> None:
    run = waiting()
    run.play([(10.1, e.PlaybackEnded()), (9, e.SpeechStarted())])
    run.wait(41)
    run.tell(e.LineReady(LINE))
    save = run.trail[-1][3]
    assert isinstance(save, e.Save)
    late = run.now - run.state.exchange.started_s  # type: ignore[union-attr]
    assert late > 90 - 12 - 6 - 8
    assert not save.hold


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 12), EVENTS), max_size=12),
    st.sampled_from(list(PROFILES)),
    st.booleans(),
)
def test_S08_the_question_never_takes_an_exchange_beyond_its_bound(
    script: list[tuple[float, e.Event]], pace: str, silent: bool
) -> None:
    """Whatever happens after the line, at every pace, and also if the speaker never reports its end."""
    run = with_line(waiting(State(timing=PROFILES[pace])))
    began = run.state.exchange.started_s  # type: ignore[union-attr]
    run.tell(e.Saved(online=True))
    if not silent:
        run.play([(2.5, e.PlaybackEnded())])
    for pause, event in script:
        for _ in range(round(pause / TICK)):
            run.wait(TICK)
            if run.state.exchange is not None and run.state.exchange.started_s == began:
                assert run.now - began < 90.0 + TICK
        run.tell(event)
    run.wait(90 + 46 + 46)
    assert run.state.exchange is None


@settings(max_examples=150, deadline=None)
@given(SCRIPTS)
def test_what_is_held_is_let_go_once_before_the_exchange_ends_or_deleted(
    script: list[tuple[float, e.Event]],
) -> None:
    run = Run().play(script)
    run.wait(90 + 46 + 46)
    held = asked = False
    for *_, action in run.trail:
        if isinstance(action, e.Save):
            held = action.hold
        if isinstance(action, e.LetGo):
            assert held
            held = False
        if isinstance(action, e.Play) and QUESTION in action.sounds:
            assert not asked
            asked = True
        if isinstance(action, e.DeleteLast):
            held = False
        if isinstance(action, e.Closed):
            # A noticing that could not be kept has nothing to let go of.
            assert not held or action.reason in ("not kept", "time")
            held = asked = False
