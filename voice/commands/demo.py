"""`onebreath demo`."""

from __future__ import annotations

import click

from voice.assemble_demo import demonstrate


@click.command(short_help="Run the whole product once.")
@click.option("--mic", is_flag=True, help="With the sound card and your own voice, led by spoken prompts.")
@click.option("--keep", is_flag=True, help="Go on with a page to sign in to, until Ctrl-C.")
def command(mic: bool, keep: bool) -> None:
    """Run the whole product once, on speech that this machine synthesises.

    Starts a server on this machine, adds a clinician, pairs a device, teaches it two names, plays a short
    scene to its listening code, and shows the clinician's queue. Needs no network and no sound card, and
    removes everything afterwards.

    With --keep the client also has a made-up week, and the clinician's page stays open: its address, a
    name, a passphrase and the way to the six digits are printed. Ctrl-C removes everything.

    \b
        onebreath demo
        onebreath demo --keep
    """
    demonstrate(click.echo, mic=mic, keep=keep)
