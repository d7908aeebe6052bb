"""`onebreath consent`."""

from __future__ import annotations

from pathlib import Path

import click

from voice.adapters.consents import FileConsents
from voice.adapters.identity import default_home
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.settings_file import load_settings
from voice.assemble_asking import turned_on
from voice.commands import options


@click.command(short_help="What the client agreed to be asked.")
@click.option(
    "--asks-when/--no-asks-when", default=None,
    help="The client agrees to be asked “Starting, in it, or after?”; or takes that back.",
)  # fmt: skip
@options.home
def command(asks_when: bool | None, home: Path | None) -> None:
    """Show what the client agreed to be asked, or keep that they agree to it or take it back.

    After a noticing the device can ask one thing more: “Starting, in it, or after?”. It does so only where
    the clinician turned it on for this device and the client agreed: by a spoken yes at `onebreath enrol`,
    or here. Either can end it at any time, and it holds from the next name on. Not answering, or “not now”,
    passes it over.

    \b
        onebreath consent
        onebreath consent --asks-when
        onebreath consent --no-asks-when
    """
    where = home or default_home()
    consents = FileConsents(where)
    if asks_when is not None:
        consents.keep_asks_when(asks_when)
    agreed = consents.asks_when()
    wanted = turned_on(DeviceMailbox(where), load_settings(where).asks_when)
    click.echo(f"Asked “Starting, in it, or after?”: {'yes' if agreed and wanted else 'no'}")
    click.echo(f"  the client {'agreed' if agreed else 'has not agreed'}")
    click.echo(f"  the clinician {'turned it on' if wanted else 'has not turned it on'}")
