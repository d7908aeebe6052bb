"""`onebreath listen`."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click

from voice import assemble
from voice.adapters.clock import SystemClock
from voice.adapters.identity import default_home
from voice.adapters.microphone import CardMicrophone
from voice.adapters.player import CardPlayer
from voice.commands import options
from voice.commands.printing import Printer


@click.command(short_help="Listen, through the microphone and the speaker.")
@options.home
@click.option("--device", "device_name", metavar="NAME", help="The microphone. [default: the system's]")
@click.option("--output-device", metavar="NAME", help="The speaker. [default: the system's]")
@click.option("--json", "as_json", is_flag=True, help="One event a line, without names or words.")
def command(home: Path | None, device_name: str | None, output_device: str | None, as_json: bool) -> None:
    """Listen until stopped with Ctrl-C or SIGTERM.

    What is written to the terminal says what happened and when, never which name or what line: it may end up
    in a log. NAME is a name or number from `python -m sounddevice`, such as "pulse".

    \b
        onebreath listen
        onebreath listen --device pulse --output-device pulse
    """
    player = CardPlayer(options.sound_device(output_device))
    player.check()
    microphone = CardMicrophone(options.sound_device(device_name), SystemClock(), player.released)

    def stop(number: int, frame: FrameType | None) -> None:
        player.close()
        microphone.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    printer = Printer(as_json, content=False)
    try:
        with assemble.device(
            home or default_home(), microphone=microphone, player=player, observer=printer, live=True
        ) as device:
            device.run()
    finally:
        microphone.close()
        player.stop()
    click.echo("Stopped listening.", err=True)
