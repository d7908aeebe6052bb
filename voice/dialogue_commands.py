"""The words that always work: what each does where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from voice import events as e
from voice.dialogue_moves import Handler, Result, close, enter, finish_line, keep, let_go, play, rest
from voice.dialogue_state import Exchange, Phase, State
from voice.ports import Command
from voice.settings import GAINS, RATES

SAFETY: Final = (
    "help.nobody",
    "help.reads",
    "help.reads_on",
    "help.also_reads",
    "help.danger",
    "help.talk",
)
SAFETY_RESTING: Final = ("help.nobody", "help.danger", "help.talk")


def _cancel(state: State, event: e.Event, now: float) -> Result:
    return close(state, now, "cancelled")


def _mute(state: State, event: e.Event, now: float) -> Result:
    muted = replace(state, muted=True, notices=("mute.on",))
    if state.phase is Phase.WINDOW:
        return close(muted, now, "cancelled")
    if state.phase is Phase.HEARING_WHEN:
        return let_go(muted, now)
    return keep(muted, now) if state.phase is Phase.WAITING else rest(muted, now)


def _unmute(state: State, event: e.Event, now: float) -> Result:
    return rest(replace(state, muted=False, notices=("mute.off",)), now)


def _keep_without_line(state: State, event: e.Event, now: float) -> Result:
    """Who has said "not now" once is asked nothing more."""
    exchange = cast(Exchange, state.exchange)
    return keep(replace(state, exchange=replace(exchange, asks_when=False)), now)


def _no_answer(state: State, event: e.Event, now: float) -> Result:
    return let_go(state, now)


def _delete_held(state: State, event: e.Event, now: float) -> Result:
    """It is on disk already and no byte of it has left: it is deleted like any last record."""
    exchange = replace(cast(Exchange, state.exchange), held=None)
    return enter(replace(state, exchange=exchange), Phase.SAVING, now), (e.DeleteLast(),)


def _forget(state: State, event: e.Event, now: float) -> Result:
    return close(replace(state, notices=("delete.done",)), now, "deleted")


def _delete_last(state: State, event: e.Event, now: float) -> Result:
    return state, (e.DeleteLast(),)


def _help(state: State, event: e.Event, now: float) -> Result:
    if state.exchange is None:
        return rest(replace(state, notices=SAFETY), now)
    helped = replace(state, notices=SAFETY, exchange=replace(state.exchange, silent_close=True, quiet=False))
    return let_go(helped, now) if state.phase is Phase.HEARING_WHEN else keep(helped, now)


def _help_resting(state: State, event: e.Event, now: float) -> Result:
    return rest(replace(state, notices=SAFETY_RESTING), now)


def _again(state: State, event: e.Event, now: float) -> Result:
    """In an exchange: the phrase once more, then the tone, as long as there is time left for a line."""
    exchange, timing = cast(Exchange, state.exchange), state.timing
    if exchange.phrase_s is None:
        return enter(state, Phase.WAITING, now), ()
    left = timing.exchange_max_s - timing.close_reserve_s - (now - exchange.started_s)
    if left < exchange.phrase_s + 2 * timing.wait_s:
        return play(state, Phase.ASKING, now, e.Tone.LINE)
    return play(state, Phase.PHRASE, now, e.Phrase(exchange.part))


def _repeat(state: State, event: e.Event, now: float) -> Result:
    """Between exchanges: the last phrase, behind the same tone and window as a hearing."""
    last = state.last
    if last is None or last.phrase_s is None or last.quiet:
        return state, ()
    if now - state.last_closed_s > state.timing.conversation_s:
        return state, ()
    exchange = Exchange(last.part, last.at, last.phrase_s, now, repeat=True)
    return play(replace(state, exchange=exchange, speaking=False), Phase.CUE, now, e.Tone.CUE)


def _adjust(state: State, event: e.Event, now: float) -> Result:
    """Louder, quieter, slower: heard at once in the words that say so."""
    command = cast(e.CommandHeard, event).command
    volume, rate = state.volume, RATES.index(state.words_per_minute)
    if command is Command.SLOWER:
        key, rate = ("set.slower", rate - 1) if rate > 0 else ("set.slowest", rate)
    elif command is Command.LOUDER:
        key, volume = ("set.louder", volume + 1) if volume < len(GAINS) - 1 else ("set.loudest", volume)
    else:
        key, volume = ("set.quieter", volume - 1) if volume > 0 else ("set.quietest", volume)
    state = replace(state, volume=volume, words_per_minute=RATES[rate])
    remember = e.Remember(volume, RATES[rate])
    if state.phase is Phase.WINDOW:
        return state, (remember,)
    if state.phase is Phase.HEARING_WHEN:
        return let_go(state, now, None, (remember,))
    if state.phase is Phase.WAITING:
        state, actions = play(state, Phase.ASKING, now, e.Prompt(key), e.Tone.LINE)
        return state, (remember, *actions)
    return rest(replace(state, notices=(key,)), now, (remember,))


def _maybe_command(state: State, event: e.Event, now: float) -> Result:
    """In a line it counts only if nothing else was or is said: "stop" may be the first word of a sentence."""
    command = cast(e.CommandHeard, event).command
    return (replace(state, pending=command), ()) if state.utterances == 0 else (state, ())


def capturing_tick(state: State, event: e.Event, now: float) -> Result:
    timing = state.timing
    if now - state.since_s >= timing.line_max_s:
        return finish_line(state, now)
    if state.speaking:
        return state, ()
    silence = now - state.turned_s
    if state.pending is not None and silence >= min(timing.command_silence_s, timing.end_silence_s):
        command, state = state.pending, replace(enter(state, Phase.WAITING, now), pending=None)
        state, actions = _WHILE_WAITING[command](state, e.CommandHeard(command), now)
        return state, (e.DropLine(), *actions)
    return finish_line(state, now) if silence >= timing.end_silence_s else (state, ())


def _in_conversation(handler: Handler) -> Handler:
    """Only while the device has lately made a sound: ordinary talk sets nothing off and deletes nothing."""

    def row(state: State, event: e.Event, now: float) -> Result:
        lately = state.spoke_s is not None and now - state.spoke_s <= state.timing.conversation_s
        return handler(state, event, now) if lately else (state, ())

    return row


_IN_WINDOW: Final[Mapping[Command, Handler]] = {
    Command.STOP: _cancel,
    Command.NOT_NOW: _cancel,
    Command.DELETE_THAT: _cancel,
    Command.LOUDER: _adjust,
    Command.QUIETER: _adjust,
    Command.SLOWER: _adjust,
    Command.HELP: _help,
    Command.STOP_LISTENING: _mute,
}
_WHILE_WAITING: Final[Mapping[Command, Handler]] = {
    Command.STOP: _keep_without_line,
    Command.NOT_NOW: _keep_without_line,
    Command.AGAIN: _again,
    Command.LOUDER: _adjust,
    Command.QUIETER: _adjust,
    Command.SLOWER: _adjust,
    Command.DELETE_THAT: _forget,
    Command.HELP: _help,
    Command.STOP_LISTENING: _mute,
}
_WHILE_HEARING_WHEN: Final[Mapping[Command, Handler]] = {
    Command.STOP: _no_answer,
    Command.NOT_NOW: _no_answer,
    Command.LOUDER: _adjust,
    Command.QUIETER: _adjust,
    Command.SLOWER: _adjust,
    Command.DELETE_THAT: _delete_held,
    Command.HELP: _help,
    Command.STOP_LISTENING: _mute,
}
_WHILE_LISTENING: Final[Mapping[Command, Handler]] = {
    Command.AGAIN: _in_conversation(_repeat),
    Command.LOUDER: _in_conversation(_adjust),
    Command.QUIETER: _in_conversation(_adjust),
    Command.SLOWER: _in_conversation(_adjust),
    Command.DELETE_THAT: _in_conversation(_delete_last),
    Command.HELP: _help,
    Command.STOP_LISTENING: _mute,
}
_WHILE_MUTED: Final[Mapping[Command, Handler]] = {
    Command.START_LISTENING: _unmute,
    Command.DELETE_THAT: _in_conversation(_delete_last),
    Command.HELP: _help,
}

COMMANDS: Final[Mapping[tuple[Phase, Command], Handler]] = {
    **{(Phase.WINDOW, command): row for command, row in _IN_WINDOW.items()},
    **{(Phase.WAITING, command): row for command, row in _WHILE_WAITING.items()},
    **{(Phase.CAPTURING, command): _maybe_command for command in _WHILE_WAITING},
    **{(Phase.HEARING_WHEN, command): row for command, row in _WHILE_HEARING_WHEN.items()},
    **{(Phase.LISTENING, command): row for command, row in _WHILE_LISTENING.items()},
    **{(Phase.MUTED, command): row for command, row in _WHILE_MUTED.items()},
    (Phase.RESTING, Command.HELP): _help_resting,
}
"""What each command does where. While listening there is nothing to stop and nothing to start."""
