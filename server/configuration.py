"""Settings from a TOML file, the environment and the command line; the later named wins.

Every setting has one name: `smtp_host` in the file is ONEBREATH_SMTP_HOST in the environment. Only
`database` differs from its field, `database_url`, since a path will do for it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final

from server.errors import ServerError
from server.settings import Settings, database_url, default_database

CONFIG_VARIABLE: Final = "ONEBREATH_CONFIG"
CONFIG_FILE: Final = Path("/etc/onebreath/server.toml")

_FIELDS: Final[dict[str, Field[Any]]] = {
    "database" if field.name == "database_url" else field.name: field for field in fields(Settings)
}
NAMES: Final = tuple(_FIELDS)
"""Every setting, as it is spelt in the file."""

_YES_NO: Final = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"ONEBREATH_{name.upper()}"


def default(name: str) -> str:
    """A setting's default as TOML spells it; empty when there is none."""
    if name == "database":
        return "in your data folder"
    value = _FIELDS[name].default
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)


def load(environment: Mapping[str, str], document: Mapping[str, Any], given: Mapping[str, Any]) -> Settings:
    """The settings of a file's `document`, under an environment's, under those `given` on the command line.

    A None that is given, and an empty variable, is not given. Raises ServerError.
    """
    for name in document:
        if name not in _FIELDS:
            raise ServerError(f"{name!r} is not a setting.", "See the table of settings in docs/server.md.")
    values: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        text = environment.get(variable(name))
        if given.get(name) is not None:
            values[field.name] = _checked(name, given[name], f"--{name.replace('_', '-')}")
        elif text:
            values[field.name] = _checked(name, _from_text(name, text), variable(name))
        elif name in document:
            values[field.name] = _checked(name, document[name], f"{name} in the configuration file")
    values["database_url"] = database_url(values.get("database_url") or str(default_database()))
    return Settings(**values)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Settings from ONEBREATH_… variables alone. Raises ServerError."""
    return load(environment, {}, {})


def read_document(environment: Mapping[str, str], option: Path | None) -> dict[str, Any]:
    """The file named by the option or by ONEBREATH_CONFIG, or the usual one if it is there.

    Raises ServerError.
    """
    named = option or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    if named is None and not CONFIG_FILE.exists():
        return {}
    path = named or CONFIG_FILE
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ServerError(
            f"The configuration {path} cannot be read: {error.strerror}.",
            "Check the path and who may read it.",
        ) from error
    except ValueError as error:
        raise ServerError(f"The configuration {path} is not TOML: {error}.", "Correct that line.") from error


def _from_text(name: str, text: str) -> Any:
    kind = str(_FIELDS[name].type)
    if kind == "int":
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    if kind == "bool":
        return _YES_NO.get(text.lower(), text)
    if kind.startswith("tuple"):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _checked(name: str, value: Any, where: str) -> Any:
    """A value of the setting's own type. Raises ServerError; the database's URL is not repeated in it."""
    field = _FIELDS[name]
    allowed, said = _TYPES[str(field.type)]
    made = allowed(value)
    bounds, choices = field.metadata.get("range"), field.metadata.get("choices")
    if made is not None and bounds is not None and not bounds[0] <= made <= bounds[1]:
        made = None
    if choices is not None and made not in choices:
        made = None
    if made is None:
        if bounds is not None:
            said = f"a number from {bounds[0]} to {bounds[1]}"
        if choices is not None:
            said = f"one of: {', '.join(choices)}"
        shown = "not usable" if name == "database" else repr(value)
        raise ServerError(f"{where} is {shown}.", f"Set it to {said}.")
    return made


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value and value.isprintable() else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _path(value: Any) -> Path | None:
    if isinstance(value, Path):
        return value
    return None if _text(value) is None else Path(value).expanduser()


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple) or not all(_text(one) for one in value):
        return None
    return tuple(value)


_TYPES: Final[dict[str, tuple[Callable[[Any], Any], str]]] = {
    "str": (_text, "a text"),
    "str | None": (_text, "a text"),
    "int": (_number, "a number"),
    "bool": (_truth, "true or false"),
    "Path | None": (_path, "a path"),
    "tuple[str, ...]": (_texts, "a list of texts"),
}
