"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

home = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="The device's folder. [default: $ONEBREATH_HOME, or the user's data folder]",
)


def sound_device(name: str | None) -> str | int | None:
    """A sound device as PortAudio takes it: by number or by name."""
    return int(name) if name is not None and name.isdigit() else name
