"""`onebreath replay IN.wav`."""

from __future__ import annotations

from pathlib import Path

import click

from voice import assemble
from voice.adapters.files import FileMicrophone
from voice.adapters.identity import default_home
from voice.adapters.player import TimelinePlayer
from voice.commands import options
from voice.commands.printing import Printer
from voice.errors import AudioError


@click.command(short_help="Run the device on a sound file instead of a microphone.")
@click.argument("file", metavar="IN.wav", type=click.Path(path_type=Path))
@click.option(
    "--speaker-out",
    metavar="OUT.wav",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what the speaker played, in time with IN.wav.",
)
@options.home
@click.option("--json", "as_json", is_flag=True, help="One event a line, as docs/replay.md describes.")
@click.option("--rehearse", is_flag=True, help="Go through whole exchanges and keep nothing of them.")
@click.option("--offline", is_flag=True, help="Send nothing, now or at the end.")
def command(
    file: Path, speaker_out: Path | None, home: Path | None, as_json: bool, rehearse: bool, offline: bool
) -> None:
    """Run the device on IN.wav as if it were the microphone, faster than real time.

    The file may have any sample rate, mono or stereo, WAV or FLAC. Everything else is as with `onebreath
    listen`: names are heard, the phrase is played, a line is asked for, sealed, kept and sent. When the file
    ends within an exchange, the room stays silent until the exchange is over.

    \b
        onebreath replay evening.wav --speaker-out speaker.wav --json
    """
    microphone = FileMicrophone(file)
    if speaker_out is not None and speaker_out.resolve() == file.resolve():
        raise AudioError("IN.wav and OUT.wav are the same file.", "Give --speaker-out another name.")
    player = TimelinePlayer(speaker_out)
    try:
        with assemble.device(
            home or default_home(),
            microphone=microphone,
            player=player,
            observer=Printer(as_json),
            rehearse=rehearse,
            offline=offline,
        ) as device:
            device.run()
            left = 0 if offline else device.records.flush()
        player.close()
    finally:
        player.discard()
    if left:
        click.echo(f"Records still on this device, to be sent later: {left}.", err=True)
