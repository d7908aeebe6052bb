"""`onebreath pair LINK`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from voice.adapters.identity import default_home
from voice.adapters.pairing import Paired, pair


@click.command(short_help="Pair this device with a clinician.")
@click.argument("link")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="The device's folder. [default: $ONEBREATH_HOME, or the user's data folder]",
)
@click.option("--replace", is_flag=True, help="Pair anew a device that is already paired.")
def command(link: str, home: Path | None, replace: bool) -> None:
    """Pair this device with the clinician who made LINK.

    The link works once and holds a secret. Give - to read it from standard input, so that it stays out of the
    shell's history:

    \b
        onebreath pair -
        onebreath pair 'https://clinic.example/pair/Qk1x...#u9Zt...'

    Quote the link: it contains a #.
    """
    text = sys.stdin.readline() if link == "-" else link
    for sentence in _sentences(pair(home or default_home(), text, replace=replace)):
        click.echo(sentence)


def _sentences(paired: Paired) -> list[str]:
    name = paired.pairing.name
    said = [
        f"This device is now paired with {name}.",
        f"Records are sealed for {name} alone and go to {paired.pairing.server}.",
    ]
    if paired.before is not None:
        said.append(f"It was paired with {paired.before} before, and has new keys now.")
        if paired.delivered:
            said.append(
                f"Waiting records that were delivered to {paired.before} just now: {paired.delivered}."
            )
        if paired.left_behind:
            said.append(
                f"Records that could not be delivered to {paired.before}: {paired.left_behind}. They stay in "
                f"{paired.kept_in}, sealed for {paired.before}, and are sent to nobody else."
            )
    said.append(f"Device {paired.device_id.hex()}")
    return said
