"""`onebreath enrol`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from voice import assemble_enrolment
from voice.adapters.identity import default_home
from voice.assemble_enrolment import Asked, Enrolled, Files
from voice.audition import Refusal
from voice.commands import options
from voice.commands.forecast import changed, describe
from voice.errors import EnrolmentError


@click.command(short_help="Teach the device a part's name, and the client's phrase.")
@click.option("--name", required=True, help="The client's exact own name for the part.")
@click.option(
    "--take", "takes", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
    help="A recording of the client saying the name; give three to five.",
)  # fmt: skip
@click.option("--phrase", metavar="FILE", type=click.Path(path_type=Path), help="The client's own phrase.")
@click.option(
    "--try", "tries", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
    help="The name said once more, for the audition; give about five.",
)  # fmt: skip
@click.option(
    "--talk", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
    help="A minute of the client's ordinary talk without the name, for the audition.",
)  # fmt: skip
@click.option("--audition/--no-audition", default=None, help="Only the audition, by voice; or all but it.")
@click.option("--keep-talk", is_flag=True, help="The client agrees that embeddings of the talk are kept.")
@click.option("--forget-talk", is_flag=True, help="The client takes that back: forget the talk.")
@click.option("--replace", is_flag=True, help="Start this part anew instead of adding takes to it.")
@click.option("--anyway", is_flag=True, help="Keep the part although its forecast speaks against it.")
@click.option("--quiet-part", is_flag=True, help="Answer this name with the tone alone, without the phrase.")
@click.option("--device", metavar="NAME", help="The microphone. [default: the system's]")
@click.option("--output-device", metavar="NAME", help="The speaker. [default: the system's]")
@options.home
def command(
    name: str, takes: tuple[Path, ...], phrase: Path | None, tries: tuple[Path, ...], talk: tuple[Path, ...],
    audition: bool | None, keep_talk: bool, forget_talk: bool, replace: bool, anyway: bool, quiet_part: bool,
    device: str | None, output_device: str | None, home: Path | None,
) -> None:  # fmt: skip
    """Teach the device a part's name by voice, or from recordings.

    By voice the device leads the way through microphone and speaker: it asks for the name three times, up to
    five when the takes differ, then for the phrase, and plays it back. Then comes the audition: the name five
    times more, and a minute of ordinary talk, from which the forecast is made. It keeps no sound of the talk,
    and embeddings of it only after a spoken yes, or with --keep-talk.

    With --take, --phrase, --try or --talk, recordings are read from files (WAV or FLAC, any sample rate) and
    nothing is asked. Takes are added to those the part already has; when the new ones would make things
    worse, the name is heard as before.

    \b
        onebreath enrol --name "the little one by the window"
        onebreath enrol --name "the foreman" --take 1.wav --take 2.wav --take 3.wav --phrase me.wav
        onebreath enrol --name "the foreman" --try 4.wav --try 5.wav --try 6.wav --talk monday.wav
        onebreath enrol --name "the foreman" --audition
    """
    where = home or default_home()
    asked = Asked(name, replace, quiet_part, audition, keep_talk, forget_talk, anyway)
    files = Files(takes, phrase, tries, talk)
    revoking = forget_talk and not audition
    if takes or phrase is not None or tries or talk or revoking:
        if audition:
            raise click.UsageError("--audition is by voice; with files, give --try FILE and --talk FILE.")
        enrolled = assemble_enrolment.from_files(where, asked, files)
    else:
        enrolled = assemble_enrolment.led_by_card(
            where, asked, options.sound_device(device), options.sound_device(output_device)
        )
    for note in enrolled.notes:
        click.echo(note, err=True)
    if enrolled.refusal is not None and not enrolled.kept:
        enrolled = _decided(where, enrolled, enrolled.refusal)
    if enrolled.before is not None:
        for line in changed(enrolled.before, enrolled.card):
            click.echo(line)
    click.echo(describe(enrolled.card, enrolled.alike))


def _decided(home: Path, enrolled: Enrolled, refusal: Refusal) -> Enrolled:
    """Ask a clinician at the terminal about a name whose forecast speaks against it."""
    if sys.stdin.isatty():
        click.echo(describe(enrolled.card, enrolled.alike))
        if click.confirm("Keep it all the same?"):
            return assemble_enrolment.keep_anyway(home, enrolled)
    raise EnrolmentError(
        f"Not kept: {refusal.cause}", f"{refusal.remedy} --anyway keeps it all the same, if you decide so."
    )
