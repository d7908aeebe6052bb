"""`onebreath enrol`."""

from __future__ import annotations

from pathlib import Path

import click

from voice import assemble_enrolment
from voice.adapters.identity import default_home
from voice.commands import options
from voice.commands.forecast import describe


@click.command(short_help="Teach the device a part's name, and the client's phrase.")
@click.option("--name", required=True, help="The client's exact own name for the part.")
@click.option(
    "--take", "takes", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
    help="A recording of the client saying the name; give three to five.",
)  # fmt: skip
@click.option("--phrase", metavar="FILE", type=click.Path(path_type=Path), help="The client's own phrase.")
@click.option("--replace", is_flag=True, help="Start this part anew instead of adding takes to it.")
@click.option("--quiet-part", is_flag=True, help="Answer this name with the tone alone, without the phrase.")
@click.option("--device", metavar="NAME", help="The microphone. [default: the system's]")
@click.option("--output-device", metavar="NAME", help="The speaker. [default: the system's]")
@options.home
def command(
    name: str, takes: tuple[Path, ...], phrase: Path | None, replace: bool, quiet_part: bool,
    device: str | None, output_device: str | None, home: Path | None,
) -> None:  # fmt: skip
    """Teach the device a part's name from recordings, or by voice.

    With --take or --phrase, recordings are read from files (WAV or FLAC, any sample rate). Takes are added to
    those the part already has. Without them the device leads the way through microphone and speaker: it asks
    for the name four times, then for the phrase, and plays it back.

    \b
        onebreath enrol --name "the foreman" --take 1.wav --take 2.wav --take 3.wav --phrase me.wav
        onebreath enrol --name "the little one by the window"
    """
    where = home or default_home()
    if takes or phrase is not None:
        enrolled = assemble_enrolment.from_files(
            where, name, takes, phrase, replace_card=replace, quiet=quiet_part
        )
    else:
        enrolled = assemble_enrolment.led_by_card(
            where,
            name,
            options.sound_device(device),
            options.sound_device(output_device),
            replace_card=replace,
            quiet=quiet_part,
        )
    for reason in enrolled.left_out:
        click.echo(reason, err=True)
    click.echo(describe(enrolled.card))
