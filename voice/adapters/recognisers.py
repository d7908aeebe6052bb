"""Chooses who turns lines into words and who hears the words that always work."""

from __future__ import annotations

from pathlib import Path

from voice.adapters.model_files import InstalledModel, Places, check, default_places, find_model, manifest
from voice.errors import ModelError
from voice.models import same_language
from voice.ports import CommandRecogniser, Transcriber

STARTER_LANGUAGE = "en"


def usable_model(
    language: str, model_path: Path | None = None, places: Places | None = None
) -> InstalledModel | None:
    """The Vosk model for a language, checked; None when none is installed.

    `model_path` names one explicitly, and is the only way to a test fixture. ModelError when the model that
    was named or found is missing, damaged or of another language.
    """
    places = places or default_places()
    found = find_model(language, model_path, places, manifest())
    if found is not None:
        check(found, language, places, manifest())
    return found


def transcriber(language: str, model_path: Path | None = None, places: Places | None = None) -> Transcriber:
    """Vosk as soon as a model is installed; else the starter, whose lines are marked rough."""
    found = usable_model(language, model_path, places)
    if found is not None:
        from voice.adapters.vosk import VoskTranscriber, load

        return VoskTranscriber(load(found.path))
    _starter_speaks(language)
    from voice.adapters.starter import StarterTranscriber

    return StarterTranscriber()


def commands(
    language: str, model_path: Path | None = None, places: Places | None = None
) -> CommandRecogniser:
    """Vosk where its model knows every command, else the starter.

    A model with a small vocabulary would leave "louder" or "delete that" unheard.
    """
    found = usable_model(language, model_path, places)
    if found is not None:
        from voice.adapters.vosk import VoskCommands, load
        from voice.ports import Command

        recogniser = VoskCommands(load(found.path))
        if len(recogniser.commands) == len(Command) or not same_language(language, STARTER_LANGUAGE):
            return recogniser
    _starter_speaks(language)
    from voice.adapters.starter import StarterCommands

    return StarterCommands()


def _starter_speaks(language: str) -> None:
    if not same_language(language, STARTER_LANGUAGE):
        raise ModelError(
            f"There is no speech model for {language!r} on this machine, and the starter knows only English.",
            f"Fetch one with `onebreath models fetch {language}`.",
        )
