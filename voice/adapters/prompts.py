"""Reads a language's prompts from disk."""

from __future__ import annotations

import tomllib
from pathlib import Path

from voice.adapters.resources import resource
from voice.wording import Wording, WordingError, wording


def languages(folder: Path | None = None) -> tuple[str, ...]:
    """The codes of the languages there are prompts for."""
    root = folder or resource("prompts")
    return tuple(sorted(path.parent.name for path in root.glob("*/prompts.toml")))


def load_wording(language: str, folder: Path | None = None) -> Wording:
    """The checked prompts of one language. Raises WordingError when there are none or they do not hold."""
    root = folder or resource("prompts")
    known = languages(root)
    if language not in known:
        raise WordingError(
            f"There are no prompts for the language {language!r}.",
            f"There are prompts for: {', '.join(known)}.",
        )
    path = root / language / "prompts.toml"
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WordingError(f"{path} is not valid TOML: {error}.", "Edit the file.") from error
    return wording(language, tables)
