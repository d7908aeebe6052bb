"""The rows of the dialogue's table: what follows when something happens in a phase."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from voice import events as e
from voice.dialogue_moves import (
    Result,
    ask,
    breathe,
    close,
    enter,
    finish_line,
    keep,
    let_go,
    play,
    rest,
)
from voice.dialogue_state import Exchange, Phase, State
from voice.ports import Deletion, Standing


def started(state: State, event: e.Event, now: float) -> Result:
    return rest(state, now)


def name_heard(state: State, event: e.Event, now: float) -> Result:
    heard = cast(e.NameHeard, event)
    exchange = Exchange(
        heard.part, heard.at, heard.phrase_s, now, quiet=heard.quiet, asks_when=heard.asks_when
    )
    return play(replace(state, exchange=exchange, speaking=False), Phase.CUE, now, e.Tone.CUE)


def name_heard_resting(state: State, event: e.Event, now: float) -> Result:
    if state.rest_said:
        return state, ()
    state = replace(state, rest_said=True, notices=(f"rest.{state.standing}",))
    return rest(state, now, (e.Resting(str(state.standing)),))


def cue_ended(state: State, event: e.Event, now: float) -> Result:
    return replace(enter(state, Phase.WINDOW, now), speaking=False), ()


def window_tick(state: State, event: e.Event, now: float) -> Result:
    timing = state.timing
    if now - state.since_s < timing.cancel_window_s:
        return state, ()
    if state.speaking and now - state.turned_s < timing.command_s + timing.settle_s:
        return state, ()
    return breathe(state, now)


def phrase_ended(state: State, event: e.Event, now: float) -> Result:
    return ask(state, now)


def asked(state: State, event: e.Event, now: float) -> Result:
    if state.deaf:
        return keep(state, now)
    return replace(enter(state, Phase.WAITING, now), speaking=False), ()


def waiting_tick(state: State, event: e.Event, now: float) -> Result:
    exchange, timing = cast(Exchange, state.exchange), state.timing
    if now - state.since_s < timing.wait_s:
        return state, ()
    if exchange.reminded:
        return keep(state, now)
    state = replace(state, exchange=replace(exchange, reminded=True))
    return play(state, Phase.REMINDING, now, e.Prompt("ask.reminder"), e.Tone.LINE)


def line_begins(state: State, event: e.Event, now: float) -> Result:
    state = replace(state, speaking=True, turned_s=now, utterances=0, pending=None)
    return enter(state, Phase.CAPTURING, now), (e.BeginLine(),)


def line_goes_on(state: State, event: e.Event, now: float) -> Result:
    return replace(state, speaking=True, turned_s=now, pending=None), ()


def line_pauses(state: State, event: e.Event, now: float) -> Result:
    silent_s = cast(e.SpeechEnded, event).silent_s
    return replace(state, speaking=False, turned_s=now - silent_s, utterances=state.utterances + 1), ()


def line_ready(state: State, event: e.Event, now: float) -> Result:
    return keep(state, now, line=cast(e.LineReady, event).line)


def saved(state: State, event: e.Event, now: float) -> Result:
    exchange = cast(Exchange, state.exchange)
    if exchange.held is not None:
        return play(state, Phase.ASKING_WHEN, now, e.Prompt("ask.when"), e.Tone.LINE)
    if exchange.silent_close:
        return close(state, now, "help" if state.notices else "noticing")
    key = "close.saved" if cast(e.Saved, event).online else "close.saved_offline"
    return play(state, Phase.CLOSING, now, e.Prompt(key))


def asked_when(state: State, event: e.Event, now: float) -> Result:
    if state.deaf:
        return let_go(state, now)
    return replace(enter(state, Phase.HEARING_WHEN, now), speaking=False), ()


def when_heard(state: State, event: e.Event, now: float) -> Result:
    return let_go(state, now, cast(e.WhenHeard, event).when)


def when_passed(state: State, event: e.Event, now: float) -> Result:
    """Something was said and it was no answer: it is left at that, and nothing is asked twice."""
    return let_go(state, now)


def hearing_when_tick(state: State, event: e.Event, now: float) -> Result:
    timing = state.timing
    if now - state.since_s < timing.when_wait_s:
        return state, ()
    if state.speaking and now - state.turned_s < timing.command_s + timing.settle_s:
        return state, ()
    return let_go(state, now)


def not_saved(state: State, event: e.Event, now: float) -> Result:
    exchange = cast(Exchange, state.exchange)
    if exchange.quiet:
        return close(state, now, "not kept")
    return close(replace(state, notices=(*state.notices, "close.not_kept")), now, "not kept")


def closed(state: State, event: e.Event, now: float) -> Result:
    return close(state, now, "line" if cast(Exchange, state.exchange).line else "noticing")


def said(state: State, event: e.Event, now: float) -> Result:
    return rest(state, now)


_DELETION: Final = {
    Deletion.DELETED: "delete.done",
    Deletion.DELIVERED: "delete.delivered",
    Deletion.NOTHING: "delete.nothing",
}


def deletion_done(state: State, event: e.Event, now: float) -> Result:
    key = _DELETION[cast(e.DeletionDone, event).outcome]
    return rest(replace(state, notices=(key,)), now)


def deleted_within(state: State, event: e.Event, now: float) -> Result:
    """In answer to the question of S20, "delete that" ends the exchange with what became of it."""
    outcome = cast(e.DeletionDone, event).outcome
    state = replace(state, notices=(_DELETION[outcome],))
    return close(state, now, "deleted") if outcome is Deletion.DELETED else closed(state, event, now)


def speech_started(state: State, event: e.Event, now: float) -> Result:
    return replace(state, speaking=True, turned_s=now), ()


def speech_ended(state: State, event: e.Event, now: float) -> Result:
    return replace(state, speaking=False, turned_s=now - cast(e.SpeechEnded, event).silent_s), ()


def microphone_lost(state: State, event: e.Event, now: float) -> Result:
    state = replace(state, deaf=True, speaking=False)
    if state.phase in (Phase.LISTENING, Phase.MUTED):
        return rest(state, now)
    if state.phase in (Phase.CUE, Phase.WINDOW):
        return close(state, now, "cancelled", (e.StopPlaying(),))
    if state.phase is Phase.WAITING:
        return keep(state, now)
    if state.phase is Phase.HEARING_WHEN:
        return let_go(state, now)
    return finish_line(state, now) if state.phase is Phase.CAPTURING else (state, ())


def microphone_back(state: State, event: e.Event, now: float) -> Result:
    state = replace(state, deaf=False)
    return rest(state, now) if state.phase is Phase.DEAF else (state, ())


def readers_changed(state: State, event: e.Event, now: float) -> Result:
    return replace(state, untold=cast(e.ReadersChanged, event).untold), ()


def standing_changed(state: State, event: e.Event, now: float) -> Result:
    standing = cast(e.StandingChanged, event).standing
    state = replace(state, standing=standing, rest_said=state.rest_said and standing is state.standing)
    if state.phase in (Phase.LISTENING, Phase.MUTED, Phase.DEAF, Phase.RESTING):
        return rest(state, now)
    if state.phase in (Phase.CUE, Phase.WINDOW) and standing is not Standing.ACTIVE:
        return close(state, now, "cancelled", (e.StopPlaying(),))
    return state, ()
