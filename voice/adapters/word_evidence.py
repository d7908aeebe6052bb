"""Word evidence for names: which model listens, for what, and how to say it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voice.adapters.recognisers import usable_model
from voice.audio import Samples
from voice.words import ORDINARY, all_known, sayable

if TYPE_CHECKING:
    from voice.adapters.vosk import VoskWords

SPOTTERS: Final = {"en": Path(__file__).parents[1] / "data" / "spotter-en"}
"""Models of this distribution, by language, that spot names where no Vosk model is installed. They know few
words, and transcribe nobody."""

FEWEST_OTHERS: Final = 30
"""Ordinary words that a grammar without a word for the unknown needs beside the names."""


def words(
    language: str, names: Sequence[tuple[str, str | None]], model_path: Path | None = None
) -> VoskWords | None:
    """Listens for names, each with its alias or None; None without a model or a name it can say.

    The model is the installed one, or else the spotter of this distribution for the language.
    A model that has no word for the unknown hears a name in everything that is said, unless there is
    something else to hear: short ordinary words, where it knows enough of them; else it is not asked.
    """
    found = usable_model(language, model_path)
    path = SPOTTERS.get(language.split("-")[0]) if found is None else found.path
    if path is None or not names:
        return None
    from voice.adapters.vosk import VoskWords, load, spoken_name

    model = load(path)
    near = [] if model.unknown else [text for text in ORDINARY if all_known(text, model.knows)]
    if not model.unknown and len(near) < FEWEST_OTHERS:
        return None
    listening = VoskWords(model, [spoken_name(model, name, alias) for name, alias in names], near)
    return listening if listening.listening_for else None


def alias(language: str, name: str, takes: Sequence[Samples], model_path: Path | None = None) -> str | None:
    """A way of saying the name in words that the model knows, for a name that it does not know as written."""
    found = usable_model(language, model_path)
    if found is None:
        return None
    from voice.adapters.vosk import find_alias, load

    model = load(found.path)
    return None if all_known(sayable(name), model.knows) else find_alias(model, takes)
