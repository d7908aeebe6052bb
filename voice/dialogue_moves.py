"""The moves of the dialogue that several rows of its table share, and its bounds in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

from voice import events as e
from voice.dialogue_state import Exchange, Phase, State
from voice.noticing import Noticing, When
from voice.ports import Standing
from voice.transcript import Transcript

ASKING_WHEN_S: Final = 8.0
"""What "Starting, in it, or after?" takes beside the wait for its answer: saying it, and the answer."""

Result = tuple[State, tuple[e.Action, ...]]
Handler = Callable[[State, e.Event, float], Result]


def enter(state: State, phase: Phase, now: float) -> State:
    return replace(state, phase=phase, since_s=now)


def play(state: State, phase: Phase, now: float, *sounds: e.Sound) -> Result:
    return enter(state, phase, now), (e.Play(sounds),)


def prompts(keys: tuple[str, ...]) -> tuple[e.Sound, ...]:
    return tuple(e.Prompt(key) for key in keys)


def rest(state: State, now: float, actions: tuple[e.Action, ...] = ()) -> Result:
    """Between exchanges: say what waits to be said, then be where standing, microphone and mute put us."""
    if state.exchange is not None or state.phase is Phase.SAYING:
        state = replace(state, spoke_s=now)
    state = replace(state, exchange=None, pending=None, speaking=False, utterances=0)
    notices, state = state.notices, replace(state, notices=())
    if state.standing is Standing.ACTIVE:
        said_s = state.deaf_said_s
        due = said_s is None or now - said_s >= state.timing.microphone_notice_s
        if state.deaf and not state.deaf_said and due:
            state = replace(state, deaf_said=True, deaf_said_s=now)
            notices += ("microphone.lost",)
        elif not state.deaf and state.deaf_said:
            state = replace(state, deaf_said=False)
            notices += ("microphone.back",)
    if notices:
        return enter(state, Phase.SAYING, now), (*actions, e.Play(prompts(notices)))
    if state.standing is not Standing.ACTIVE:
        phase = Phase.RESTING
    elif state.deaf:
        phase = Phase.DEAF
    else:
        phase = Phase.MUTED if state.muted else Phase.LISTENING
    return enter(state, phase, now), actions


def close(state: State, now: float, reason: str, actions: tuple[e.Action, ...] = ()) -> Result:
    """End the exchange. Only one whose phrase may be heard again is remembered."""
    exchange = state.exchange
    if exchange is not None and reason in ("line", "noticing", "again", "help"):
        state = replace(state, last=exchange, last_closed_s=now)
    return rest(state, now, (*actions, e.Closed(reason)))


def keep(
    state: State, now: float, actions: tuple[e.Action, ...] = (), line: Transcript | None = None
) -> Result:
    """Keep the noticing (S6: with a line or without)."""
    exchange = state.exchange
    if exchange is None or exchange.repeat:
        return close(state, now, "again", actions)
    noticing = Noticing(part=exchange.part, at=exchange.at, line=line)
    hold = _asks_when(state, exchange, now)
    exchange = replace(exchange, line=line is not None, asks_when=False, held=noticing if hold else None)
    state = replace(state, exchange=exchange)
    return enter(state, Phase.SAVING, now), (*actions, e.Save(noticing, hold))


def _asks_when(state: State, exchange: Exchange, now: float) -> bool:
    """Whether the question of S20 follows: never in quiet, never after "not now", never for want of time."""
    if not exchange.asks_when or exchange.silent_close or state.deaf or state.muted:
        return False
    timing = state.timing
    left = timing.exchange_max_s - timing.close_reserve_s - (now - exchange.started_s)
    return state.standing is Standing.ACTIVE and left >= timing.when_wait_s + ASKING_WHEN_S


def let_go(state: State, now: float, when: When | None = None, actions: tuple[e.Action, ...] = ()) -> Result:
    """The question of S20 is over, with an answer or without; the same close follows either (S13).

    The noticing and its line were sealed and on disk before the question was asked, so that a cut of the
    power in these seconds costs one word at most. Only its sending has waited. With an answer it is sealed
    again under a new record id and takes the place of the first in one commit, at the same sequence number:
    each record is still sealed once, no byte of the first has left, and whatever fails leaves the first.
    """
    exchange = cast(Exchange, state.exchange)
    held = exchange.held if when is not None else None
    noticing = None if held is None else replace(held, when=when)
    state = replace(state, exchange=replace(exchange, held=None))
    return enter(state, Phase.SAVING, now), (*actions, e.LetGo(noticing))


def finish_line(state: State, now: float) -> Result:
    return enter(state, Phase.TRANSCRIBING, now), (e.FinishLine(),)


def breathe(state: State, now: float) -> Result:
    """The window has passed: the phrase."""
    exchange = cast(Exchange, state.exchange)
    if exchange.quiet:
        return keep(replace(state, exchange=replace(exchange, silent_close=True)), now)
    if exchange.phrase_s is None:
        return ask(state, now)
    return play(state, Phase.PHRASE, now, e.Phrase(exchange.part))


def ask(state: State, now: float) -> Result:
    exchange = cast(Exchange, state.exchange)
    if exchange.repeat or state.deaf:
        return keep(state, now)
    if exchange.asked:
        return play(state, Phase.ASKING, now, e.Tone.LINE)
    state = replace(state, exchange=replace(exchange, asked=True))
    # Told before a line is asked for: the client may choose to leave it.
    told = (e.Prompt("help.also_reads"),) if state.untold else ()
    pause = e.Pause(state.timing.breath_s)
    return play(state, Phase.ASKING, now, pause, *told, e.Prompt("ask.line"), e.Tone.LINE)


def past_its_time(state: State, now: float) -> Result | None:
    """S8: whatever happens or fails to happen, an exchange ends in time."""
    timing, exchange = state.timing, state.exchange
    if exchange is None:
        if state.phase is Phase.SAYING and now - state.since_s >= timing.saying_max_s:
            return rest(replace(state, notices=()), now, (e.StopPlaying(),))
        return None
    age = now - exchange.started_s
    if age >= timing.exchange_max_s:
        held = () if exchange.held is None else (e.LetGo(),)
        return close(state, now, "time", (e.StopPlaying(), e.DropLine(), *held))
    if age < timing.exchange_max_s - timing.close_reserve_s:
        return None
    if state.phase in (Phase.CUE, Phase.WINDOW):
        return close(state, now, "cancelled", (e.StopPlaying(),))
    if state.phase in (Phase.PHRASE, Phase.ASKING, Phase.REMINDING, Phase.WAITING):
        return keep(state, now, (e.StopPlaying(),))
    if state.phase is Phase.CAPTURING:
        return finish_line(state, now)
    if state.phase in (Phase.ASKING_WHEN, Phase.HEARING_WHEN):
        return let_go(state, now, None, (e.StopPlaying(),))
    return None
