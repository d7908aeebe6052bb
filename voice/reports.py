"""What a run tells its observer, event by event, and how each reads as JSON and as a plain line.

The fields are documented in docs/replay.md and stable: they are added to, never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from voice.ports import Command, Hearing
from voice.transcript import Transcript

Value = str | float | bool | list[dict[str, str | bool]] | None

CONTENT: Final = frozenset({"part", "words", "text", "when"})
"""Fields that hold what the client said or named."""


@dataclass(frozen=True)
class Report:
    """`event` happened at `at` seconds of audio. `fields` in the order they are shown."""

    event: str
    at: float
    fields: Mapping[str, Value]

    def as_json(self) -> dict[str, Value]:
        """One flat object: event, at, then the fields."""
        return {"event": self.event, "at": round(self.at, 3), **self.fields}

    def without_content(self) -> Report:
        """The same without what the client said or named, for output that may end up in a log."""
        return Report(self.event, self.at, {k: v for k, v in self.fields.items() if k not in CONTENT})

    def as_text(self) -> str:
        """One readable line."""
        return f"{_clock(self.at)}  {_SENTENCES[self.event](self.fields)}"


class Observer(Protocol):
    """Is told what happens. Must not fail and must not wait."""

    def saw(self, report: Report) -> None:
        """One thing happened."""
        ...


def listening(at: float) -> Report:
    """The device is ready and listens."""
    return Report("listening", at, {})


def heard(at: float, hearing: Hearing) -> Report:
    """A name was heard; `after_name` is the time from its end to the decision, in seconds of audio."""
    after = round(hearing.decided_s - hearing.name_end_s, 3)
    return Report(
        "heard",
        at,
        {
            "part": hearing.part,
            "evidence": str(hearing.evidence),
            "after_name": after,
            "score": round(hearing.score, 4),
        },
    )


def command(at: float, spoken: Command) -> Report:
    """One of the words that always work was heard."""
    return Report("command", at, {"command": str(spoken)})


def tone(at: float, kind: str) -> Report:
    """A tone begins."""
    return Report("tone", at, {"tone": kind})


def played(at: float, part: str, seconds: float) -> Report:
    """The client's phrase begins."""
    return Report("played", at, {"part": part, "seconds": round(seconds, 3)})


def said(at: float, prompt: str) -> Report:
    """A prompt begins."""
    return Report("said", at, {"prompt": prompt})


def asked(at: float) -> Report:
    """The device has asked for a line, and its tone is over: the client may speak."""
    return Report("asked", at, {})


def line(at: float, transcript: Transcript) -> Report:
    """A line, as words with their doubt marks."""
    words: list[dict[str, str | bool]] = [
        {"text": word.text, "doubt": word.doubt} for word in transcript.words
    ]
    return Report(
        "line",
        at,
        {
            "words": words,
            "text": transcript.text,
            "transcriber": transcript.transcriber,
            "rough": transcript.rough,
        },
    )


def answered(at: float, when: str) -> Report:
    """The client answered "Starting, in it, or after?"."""
    return Report("answered", at, {"when": when})


def sealed(at: float, record: bytes, online: bool) -> Report:
    """The noticing is sealed and durable."""
    return Report("sealed", at, {"record": record.hex(), "online": online})


def not_kept(at: float, cause: str) -> Report:
    """The noticing could not be kept."""
    return Report("not_kept", at, {"cause": cause})


def deleted(at: float, outcome: str) -> Report:
    """What became of "delete that"."""
    return Report("deleted", at, {"outcome": outcome})


def closed(at: float, reason: str) -> Report:
    """An exchange is over."""
    return Report("closed", at, {"reason": reason})


def resting(at: float, reason: str) -> Report:
    """The device rests, and says so."""
    return Report("resting", at, {"reason": reason})


def microphone(at: float, state: str) -> Report:
    """The microphone is "lost" or "back"."""
    return Report("microphone", at, {"state": state})


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):3d}:{rest:05.2f}"


def _heard_sentence(fields: Mapping[str, Value]) -> str:
    named = f"heard “{fields['part']}”" if "part" in fields else "heard a name"
    return f"{named}  ({fields['evidence']}, {fields['after_name']} s after its end)"


def _line_sentence(fields: Mapping[str, Value]) -> str:
    rough = ", rough" if fields["rough"] else ""
    if "words" not in fields:
        return f"a line was spoken  ({fields['transcriber']}{rough})"
    words = fields["words"]
    if not isinstance(words, list) or not words:
        return f"a line was spoken; it could not be made out  ({fields['transcriber']}{rough})"
    shown = " ".join(f"{word['text']}(?)" if word["doubt"] else str(word["text"]) for word in words)
    return f"the line: {shown}  ({fields['transcriber']}{rough})"


def _answered_sentence(fields: Mapping[str, Value]) -> str:
    return f"answered “{fields['when']}”" if "when" in fields else "answered when it was"


def _played_sentence(fields: Mapping[str, Value]) -> str:
    return f"played the phrase, {fields['seconds']} s"


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Value]], str]]] = {
    "listening": lambda f: "listening",
    "heard": _heard_sentence,
    "command": lambda f: f"heard the word “{f['command']}”",
    "tone": lambda f: f"a soft tone ({f['tone']})",
    "played": _played_sentence,
    "said": lambda f: f"said the prompt {f['prompt']}",
    "asked": lambda f: "the client may speak",
    "line": _line_sentence,
    "answered": _answered_sentence,
    "sealed": lambda f: f"sealed record {f['record']}",
    "not_kept": lambda f: f"could not be kept: {f['cause']}",
    "deleted": lambda f: f"asked to delete: {f['outcome']}",
    "closed": lambda f: f"closed ({f['reason']})",
    "resting": lambda f: f"resting ({f['reason']})",
    "microphone": lambda f: f"the microphone is {f['state']}",
}
