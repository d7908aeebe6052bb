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
@click.option(
    "--name", help="The client's exact own name for the part. [default: the one the clinician asked for]"
)
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
@click.option("--delete", is_flag=True, help="Delete the part's takes and phrase; the client has agreed.")
@click.option("--device", metavar="NAME", help="The microphone. [default: the system's]")
@click.option("--output-device", metavar="NAME", help="The speaker. [default: the system's]")
@options.home
def command(
    name: str | None, takes: tuple[Path, ...], phrase: Path | None, tries: tuple[Path, ...],
    talk: tuple[Path, ...], audition: bool | None, keep_talk: bool, forget_talk: bool, replace: bool,
    anyway: bool, quiet_part: bool, delete: bool, device: str | None, output_device: str | None,
    home: Path | None,
) -> None:  # fmt: skip
    """Teach the device a part's name by voice, or from recordings.

    By voice the device leads the way through microphone and speaker: it asks for the name three times, up to
    five when the takes differ, then for the phrase, and plays it back. Then comes the audition: the name five
    times more, and a minute of ordinary talk, from which the forecast is made. It keeps no sound of the talk,
    and embeddings of it only after a spoken yes, or with --keep-talk.

    With --take, --phrase, --try or --talk, recordings are read from files (WAV or FLAC, any sample rate) and
    nothing is asked. Takes are added to those the part already has; when the new ones would make things
    worse, the name is heard as before.

    Without --name it is the part that the clinician asked for (`onebreath clinician send`); cards are fetched
    first. A part that the clinician took away rests, with everything that was recorded, until --delete.

    \b
        onebreath enrol
        onebreath enrol --name "the little one by the window"
        onebreath enrol --name "the foreman" --take 1.wav --take 2.wav --take 3.wav --phrase me.wav
        onebreath enrol --name "the foreman" --try 4.wav --try 5.wav --try 6.wav --talk monday.wav
        onebreath enrol --name "the foreman" --audition
    """
    where = home or default_home()
    by_file = bool(takes or phrase is not None or tries or talk or forget_talk or audition or delete)
    if name is None and by_file:
        raise click.UsageError("Which part? Give its name with --name.")
    if delete and name is not None:
        _delete(where, name)
        return
    name = name or _asked_for(where)
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


def _asked_for(home: Path) -> str:
    """The part that was asked for first and is not enrolled."""
    waiting = assemble_enrolment.waiting(home)
    if waiting is None:
        raise click.UsageError(
            "Which part? Give its name with --name: no clinician is paired who asked for one."
        )
    if not waiting.reached:
        click.echo("The clinician's server could not be reached; newer cards may be waiting there.", err=True)
    if not waiting.names:
        raise EnrolmentError(
            f"{waiting.clinician} has not asked for a part that is not enrolled yet.",
            'Give its name, as in --name "the foreman", or ask them to send it: onebreath clinician send',
        )
    click.echo(f"{waiting.clinician} asked for “{waiting.names[0]}”.", err=True)
    others = len(waiting.names) - 1
    if others:
        click.echo(f"{others} more after it: run `onebreath enrol` again.", err=True)
    return waiting.names[0]


def _delete(home: Path, name: str) -> None:
    question = f"Delete the takes and the phrase of “{name}”? This cannot be undone."
    if not click.confirm(question, err=True):
        click.echo("Nothing was deleted.")
    elif assemble_enrolment.delete(home, name):
        click.echo(f"The takes and the phrase of “{name}” are deleted.")
    else:
        raise EnrolmentError(f"There is no part “{name}”.", "See them with `onebreath check`.")


def _decided(home: Path, enrolled: Enrolled, refusal: Refusal) -> Enrolled:
    """Ask a clinician at the terminal about a name whose forecast speaks against it."""
    if sys.stdin.isatty():
        click.echo(describe(enrolled.card, enrolled.alike))
        if click.confirm("Keep it all the same?"):
            return assemble_enrolment.keep_anyway(home, enrolled)
    raise EnrolmentError(
        f"Not kept: {refusal.cause}", f"{refusal.remedy} --anyway keeps it all the same, if you decide so."
    )
