"""One line for each event, JSON for services and plain for a terminal, without anything that a caller wrote.

Our own messages are written whole: a test holds that none of their arguments is content. Other libraries'
messages are written without their arguments, and exceptions without their texts: both can hold values.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

OWN: Final = "onebreath"
_QUIET: Final = (
    "uvicorn",
    "uvicorn.error",
    "sqlalchemy",
    "alembic",
    "asyncio",
    "httpx",
    "webauthn",
    "py.warnings",
)


def event(record: logging.LogRecord) -> dict[str, Any]:
    """A record as what may be written of it, in order."""
    ours = record.name == OWN or record.name.startswith(f"{OWN}.")
    said: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage() if ours else _outline(record),
    }
    fields = getattr(record, "fields", None)
    if ours and isinstance(fields, Mapping):
        said.update(fields)
    if record.exc_info and record.exc_info[0] is not None:
        said["error"] = record.exc_info[0].__name__
        said["at"] = _places(record)
    return said


class JsonFormatter(logging.Formatter):
    """One JSON object to a line, ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return json.dumps({**event(record), "process": record.process}, ensure_ascii=True, default=str)


class PlainFormatter(logging.Formatter):
    """Time, level, event, then the rest as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said = event(record)
        head = f"{said.pop('time')} {said.pop('level'):7} {said.pop('logger')}: {said.pop('event')}"
        return _one_line(" ".join([head, *(f"{name}={value}" for name, value in said.items())]))


def configure(style: str, level: str, stream: TextIO | None = None) -> None:
    """Send every logger of this process to one stream, standard error unless told.

    `style` is "json", "plain", or "auto": plain for a terminal. `level` is debug, info, warning or error.
    """
    stream = stream or sys.stderr
    plain = style == "plain" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainFormatter() if plain else JsonFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    wanted = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(wanted, logging.WARNING))
    logging.getLogger(OWN).setLevel(wanted)
    for name in _QUIET:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(max(wanted, logging.WARNING))
    # A failing log must not print the record it failed on, with its arguments, to standard error.
    logging.raiseExceptions = False
    logging.captureWarnings(True)


def _outline(record: logging.LogRecord) -> str:
    """What another library's message is about: its first line, before anything is filled in."""
    first = str(record.msg).split("\n", 1)[0]
    # A Python warning is "file:line: category: text", and is filled in already.
    return ": ".join(first.split(": ", 2)[:2]) if record.name == "py.warnings" else first


def _places(record: logging.LogRecord) -> list[str]:
    """Where an exception came through: files, lines and functions; never values or its text."""
    assert record.exc_info is not None  # noqa: S101
    frames = traceback.extract_tb(record.exc_info[2])[-8:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)
