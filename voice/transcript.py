"""A line as words, each with a mark where the recogniser was unsure. Nothing is corrected or censored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """One word as heard; `doubt` is true where the recogniser was unsure of it."""

    text: str
    doubt: bool = False


@dataclass(frozen=True)
class Transcript:
    """What a transcriber made of one line.

    `transcriber` names it and its model ("vosk-model-small-en-us-0.15", "pocketsphinx en-us");
    `rough` marks lines of the starter transcriber. No words means that the line could not be made out.
    """

    words: tuple[Word, ...]
    transcriber: str
    rough: bool = False

    @property
    def text(self) -> str:
        """The words, verbatim, separated by single spaces."""
        return " ".join(word.text for word in self.words)
