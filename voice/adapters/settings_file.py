"""The device's settings: `<home>/settings.toml`, where there is one."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from voice.settings import Settings, SettingsError, from_mapping

NAME: Final = "settings.toml"


def load_settings(home: Path) -> Settings:
    """What the file says, defaults otherwise. Raises SettingsError."""
    path = home / NAME
    try:
        with path.open("rb") as file:
            return from_mapping(tomllib.load(file))
    except FileNotFoundError:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.", "Edit the file.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.", "Check who may read it.") from error
