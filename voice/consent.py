"""A spoken consent: given by an explicit, clearly heard yes and by nothing else. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from voice.audio import Samples
from voice.ports import Transcriber

YES: Final[Mapping[str, frozenset[str]]] = {
    "en": frozenset(
        {
            "yes",
            "yes yes",
            "yes please",
            "yes please do",
            "yes do",
            "yes you may",
            "yes of course",
            "yes sure",
        }
    )
}
"""What counts as a yes, by language. Where there is none the question is not asked, and the answer is no."""


class SpokenConsent:
    """Hears whether an answer is a yes."""

    def __init__(self, transcriber: Transcriber, language: str) -> None:
        self._transcriber = transcriber
        self._yes = YES.get(language.split("-")[0], frozenset())

    @property
    def asks(self) -> bool:
        """Whether a yes could be understood at all."""
        return bool(self._yes)

    def given(self, answer: Samples) -> bool:
        """Whether the answer, int16 mono at 16 kHz, is a yes with no word in doubt; silence is none."""
        if not len(answer) or not self.asks:
            return False
        line = self._transcriber.begin()
        line.hear(answer)
        words = line.finish().words
        said = " ".join(word.text for word in words).casefold()
        return said in self._yes and not any(word.doubt for word in words)
