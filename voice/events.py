"""What the dialogue is told, and what it asks for in return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from voice.noticing import Noticing, When
from voice.ports import Command, Deletion, Standing
from voice.transcript import Transcript

# What happens.


@dataclass(frozen=True)
class Started:
    """The device has begun to listen."""


@dataclass(frozen=True)
class Tick:
    """One more block of audio has passed."""


@dataclass(frozen=True)
class NameHeard:
    """A part was named at `at`. `phrase_s` is the length of its phrase, None when it has none.

    `quiet` asks for the tone alone: quiet hours, or a part set to quiet. `asks_when`: clinician and client
    both want the one question of S20.
    """

    part: str
    at: datetime
    phrase_s: float | None
    quiet: bool = False
    asks_when: bool = False


@dataclass(frozen=True)
class CommandHeard:
    """One of the words that always work, alone between silences. Comes before its SpeechEnded."""

    command: Command


@dataclass(frozen=True)
class SpeechStarted:
    """The client began to speak."""


@dataclass(frozen=True)
class SpeechEnded:
    """The client fell silent; `silent_s` seconds of that silence have passed already."""

    silent_s: float


@dataclass(frozen=True)
class PlaybackEnded:
    """The last sound that was asked for is over."""


@dataclass(frozen=True)
class LineReady:
    """The captured line as text; None when next to nothing had been spoken."""

    line: Transcript | None


@dataclass(frozen=True)
class WhenHeard:
    """The answer to "Starting, in it, or after?". Comes before its SpeechEnded."""

    when: When


@dataclass(frozen=True)
class Saved:
    """The noticing is sealed and durable. `online`: the network was there when last looked at."""

    online: bool


@dataclass(frozen=True)
class NotSaved:
    """The noticing could not be kept on the device."""


@dataclass(frozen=True)
class DeletionDone:
    """What became of "delete that"."""

    outcome: Deletion


@dataclass(frozen=True)
class MicrophoneLost:
    """No sound comes from the microphone any more."""


@dataclass(frozen=True)
class MicrophoneBack:
    """The microphone works again."""


@dataclass(frozen=True)
class StandingChanged:
    """The device's standing with its clinician changed."""

    standing: Standing


@dataclass(frozen=True)
class ReadersChanged:
    """Someone else can read now, or no longer. `untold`: the client has not heard of it yet."""

    untold: bool


Event = (
    Started
    | Tick
    | NameHeard
    | CommandHeard
    | SpeechStarted
    | SpeechEnded
    | PlaybackEnded
    | LineReady
    | WhenHeard
    | Saved
    | NotSaved
    | DeletionDone
    | MicrophoneLost
    | MicrophoneBack
    | StandingChanged
    | ReadersChanged
)

# What can be played.


class Tone(StrEnum):
    """The two tones. Neither has to be learnt: words say what they are for."""

    CUE = "cue"
    LINE = "line"


@dataclass(frozen=True)
class Prompt:
    """One allow-listed prompt, by its key."""

    key: str


@dataclass(frozen=True)
class Phrase:
    """The client's own phrase for a part."""

    part: str


@dataclass(frozen=True)
class Pause:
    """Silence."""

    seconds: float


Sound = Tone | Prompt | Phrase | Pause

# What the dialogue asks for.


@dataclass(frozen=True)
class Play:
    """Play these, in order. Answered by PlaybackEnded."""

    sounds: tuple[Sound, ...]


@dataclass(frozen=True)
class StopPlaying:
    """Fall silent now. Not answered."""


@dataclass(frozen=True)
class BeginLine:
    """Start taking down a line, from a little before now."""


@dataclass(frozen=True)
class FinishLine:
    """Turn the line into text. Answered by LineReady."""


@dataclass(frozen=True)
class DropLine:
    """Forget the line."""


@dataclass(frozen=True)
class Save:
    """Seal and keep. Answered by Saved or NotSaved.

    `hold`: durable at once like every other, and not to be sent before LetGo; one word may still join it.
    """

    noticing: Noticing
    hold: bool = False


@dataclass(frozen=True)
class LetGo:
    """What was saved to be held may be sent now; with a noticing, that takes its place first.

    Answered by Saved.
    """

    noticing: Noticing | None = None


@dataclass(frozen=True)
class DeleteLast:
    """Delete the last record while it is still here. Answered by DeletionDone."""


@dataclass(frozen=True)
class Remember:
    """Keep how the client likes to be spoken to. `volume` indexes settings.GAINS."""

    volume: int
    words_per_minute: int


@dataclass(frozen=True)
class Closed:
    """The exchange is over. `reason` is "line", "noticing", "cancelled", "deleted", "not kept", "again",
    "help" or "time"."""

    reason: str


@dataclass(frozen=True)
class Resting:
    """The device rests, and says so this once."""

    reason: str


Action = (
    Play
    | StopPlaying
    | BeginLine
    | FinishLine
    | DropLine
    | Save
    | LetGo
    | DeleteLast
    | Remember
    | Closed
    | Resting
)
