"""Word evidence for names, where a Vosk model is installed: what to listen for, and how to say it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voice.adapters.recognisers import STARTER_LANGUAGE, usable_model
from voice.audio import Samples
from voice.models import same_language
from voice.words import all_known, sayable

if TYPE_CHECKING:
    from voice.adapters.vosk import VoskWords


def words(
    language: str, names: Sequence[tuple[str, str | None]], model_path: Path | None = None
) -> VoskWords | None:
    """Listens for names, each with its alias or None; None without a model or a name it can say."""
    found = usable_model(language, model_path)
    if found is None or not names:
        return None
    from voice.adapters.pronunciations import confusables
    from voice.adapters.vosk import VoskWords, load, spoken_name

    model = load(found.path)
    spoken = [spoken_name(model, name, alias) for name, alias in names]
    aliases = [alias for name in spoken for alias in name.aliases]
    near = confusables(aliases, model.knows) if same_language(language, STARTER_LANGUAGE) else ()
    listening = VoskWords(model, spoken, near)
    return listening if listening.listening_for else None


def alias(language: str, name: str, takes: Sequence[Samples], model_path: Path | None = None) -> str | None:
    """A way of saying the name in words that the model knows, for a name that it does not know as written."""
    found = usable_model(language, model_path)
    if found is None:
        return None
    from voice.adapters.vosk import find_alias, load

    model = load(found.path)
    return None if all_known(sayable(name), model.knows) else find_alias(model, takes)
