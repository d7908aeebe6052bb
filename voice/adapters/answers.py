"""Hears one of a few fixed answers: a closed grammar of them, in the installed model or the spotter's.

Measured on eight synthetic voices with the spotter of this distribution: see docs/words.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voice.adapters.recognisers import usable_model
from voice.adapters.word_evidence import SPOTTERS
from voice.audio import Samples
from voice.noticing import When
from voice.words import all_known

if TYPE_CHECKING:
    from voice.adapters.vosk import Model

NEAR: Final = {
    "en": (
        *("start", "started", "star", "sorting", "parting", "stating", "staring", "darting", "charting"),
        *("in", "it", "is it", "in a", "and it"),
        *("minute", "in the", "after all", "often", "laughter", "actor", "half", "afternoon", "have to"),
        *("before", "yes", "no", "i"),
    )
}
"""Words that sound like an answer, by language: a grammar of answers alone hears "starting" in "start"."""


class VoskAnswers:
    """The answers, each spelled as the model writes it. An utterance must be one as a whole."""

    def __init__(self, model: Model, answers: Mapping[str, When], near: tuple[str, ...]) -> None:
        self._model = model
        self._answers = answers
        self._phrases = (*answers, *near)

    def recognise(self, samples: Samples) -> When | None:
        """The answer that one short utterance is, int16 mono at 16 kHz; None for anything else."""
        if not len(samples):
            return None
        words = self._model.decode(samples, self._phrases)
        return self._answers.get(" ".join(word["word"] for word in words))


def answers(language: str, spoken: Mapping[str, When], model_path: Path | None = None) -> VoskAnswers | None:
    """Hears `spoken`; None without a model that knows every one of them and a word for anything else.

    To hear two answers of three would count what the client did not say. Raises ModelError.
    """
    found = usable_model(language, model_path)
    plain = language.split("-")[0]
    for path in (None if found is None else found.path, SPOTTERS.get(plain)):
        if path is None:
            continue
        from voice.adapters.vosk import load

        model = load(path)
        if model.unknown is not None and all(all_known(text, model.knows) for text in spoken):
            return VoskAnswers(model, spoken, NEAR.get(plain, ()))
    return None
