"""The dialogue: a table of states and events, and a pure step.

What must not live elsewhere: what the device says or does in answer to anything. What must not live here:
sound, clocks, threads, files. Time is an argument, in seconds of audio.

    resting -> listening -> (name) -> cue tone, a window for "not now" -> phrase -> asking -> waiting
            -> capturing -> transcribing -> saving -> closing -> listening

    and, where clinician and client want it (S20): saving -> asking when -> hearing when -> saving -> closing

Decisions:
- A hearing cancelled before the phrase ("not now", "stop", "delete that") is not saved: it may have been a
  false hearing, and a record the client never meant would reach the clinician under their name.
- After the phrase "stop" and "not now" close the exchange and keep the noticing, without a line.
- "Delete that" before the close keeps nothing of this exchange; the record before it stays.
- "Starting, in it, or after?" is asked once, after everything is safe on disk, and never in an exchange in
  which the client said "stop" or "not now". An answer, any other words, "not now" and silence lead to the
  same close; nothing is said of which it was.
- "Help" ends an exchange, keeps its noticing, and says the fixed words, which also say who will read it.
- "Again" between exchanges goes through the cue tone and its window like a hearing; asks and saves nothing.
- Between exchanges "again", "louder", "quieter", "slower" and "delete that" count for two minutes after the
  device last made a sound: out of the blue they are ordinary talk, and each would speak aloud or delete.
  "Help", "stop listening" and "start listening" count at any time.
- Quiet (hours, or a part set so): the cue tone and its window, then the noticing is kept without a sound.
- A resting device answers the first name with one sentence and then nothing but "help", whose words about
  danger never depend on a clinician.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from voice import events as e
from voice.dialogue_commands import COMMANDS, capturing_tick
from voice.dialogue_moves import Handler, Result, past_its_time
from voice.dialogue_rows import (
    asked,
    asked_when,
    closed,
    cue_ended,
    deleted_within,
    deletion_done,
    hearing_when_tick,
    line_begins,
    line_goes_on,
    line_pauses,
    line_ready,
    microphone_back,
    microphone_lost,
    name_heard,
    name_heard_resting,
    not_saved,
    phrase_ended,
    readers_changed,
    said,
    saved,
    speech_ended,
    speech_started,
    standing_changed,
    started,
    waiting_tick,
    when_heard,
    when_passed,
    window_tick,
)
from voice.dialogue_state import HEARS_COMMANDS, HEARS_NAMES, Exchange, Phase, State

__all__ = [
    "ANYWHERE",
    "COMMANDS",
    "HEARS_COMMANDS",
    "HEARS_NAMES",
    "TABLE",
    "Exchange",
    "Phase",
    "State",
    "step",
]


def step(state: State, event: e.Event, now: float) -> Result:
    """What follows from `event` at `now` seconds of audio: the next state, and actions in order."""
    handler: Handler | None
    if isinstance(event, e.Tick) and (late := past_its_time(state, now)) is not None:
        return late
    if isinstance(event, e.CommandHeard):
        handler = COMMANDS.get((state.phase, event.command))
    else:
        handler = TABLE.get((state.phase, type(event))) or ANYWHERE.get(type(event))
    return (state, ()) if handler is None else handler(state, event, now)


TABLE: Final[Mapping[tuple[Phase, type[e.Event]], Handler]] = {
    (Phase.RESTING, e.Started): started,
    (Phase.RESTING, e.NameHeard): name_heard_resting,
    (Phase.LISTENING, e.NameHeard): name_heard,
    (Phase.LISTENING, e.DeletionDone): deletion_done,
    (Phase.MUTED, e.DeletionDone): deletion_done,
    (Phase.SAYING, e.PlaybackEnded): said,
    (Phase.CUE, e.PlaybackEnded): cue_ended,
    (Phase.WINDOW, e.Tick): window_tick,
    (Phase.PHRASE, e.PlaybackEnded): phrase_ended,
    (Phase.ASKING, e.PlaybackEnded): asked,
    (Phase.WAITING, e.SpeechStarted): line_begins,
    (Phase.WAITING, e.Tick): waiting_tick,
    (Phase.REMINDING, e.PlaybackEnded): asked,
    (Phase.CAPTURING, e.SpeechStarted): line_goes_on,
    (Phase.CAPTURING, e.SpeechEnded): line_pauses,
    (Phase.CAPTURING, e.Tick): capturing_tick,
    (Phase.TRANSCRIBING, e.LineReady): line_ready,
    (Phase.SAVING, e.Saved): saved,
    (Phase.SAVING, e.NotSaved): not_saved,
    (Phase.SAVING, e.DeletionDone): deleted_within,
    (Phase.ASKING_WHEN, e.PlaybackEnded): asked_when,
    (Phase.HEARING_WHEN, e.WhenHeard): when_heard,
    (Phase.HEARING_WHEN, e.SpeechEnded): when_passed,
    (Phase.HEARING_WHEN, e.Tick): hearing_when_tick,
    (Phase.CLOSING, e.PlaybackEnded): closed,
}
"""What follows when something happens in a phase. What is absent changes nothing."""

ANYWHERE: Final[Mapping[type[e.Event], Handler]] = {
    e.SpeechStarted: speech_started,
    e.SpeechEnded: speech_ended,
    e.MicrophoneLost: microphone_lost,
    e.MicrophoneBack: microphone_back,
    e.StandingChanged: standing_changed,
    e.ReadersChanged: readers_changed,
}
"""What follows in any phase that has no row of its own for it."""
