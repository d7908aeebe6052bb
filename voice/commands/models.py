"""`onebreath models`: the speech models on this machine, and how to get one."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from voice.adapters import model_download, model_files
from voice.adapters.model_files import InstalledModel, default_places, find_model, installed, manifest
from voice.errors import ModelError
from voice.models import KnownModel


@click.group(
    name="models",
    short_help="List, fetch and check speech models.",
    epilog="Example: onebreath models fetch en",
)
def command() -> None:
    """List, fetch and check the speech models that turn a line into words.

    Without any model a line is written by a starter recogniser (English only) and marked "rough".
    """


@command.command(name="list", epilog="Example: onebreath models list")
def list_models() -> None:
    """Show the models that can be fetched, and those that are on this machine."""
    places, known = default_places(), manifest()
    here = {model.name: model for model in reversed(installed(places, known))}
    table = Table(box=None, pad_edge=False)
    for heading in ("language", "model", "MB", "licence", "SHA-256", "here"):
        table.add_column(heading, no_wrap=True)
    for model in known.models:
        size = f"{model.size_bytes / 1e6:.0f}" if model.size_bytes else f"~{model.about_mb}"
        hashed = "known" if model.sha256 else _pin_state(model, places.user / "pins.json")
        mark = "yes" if model.name in here else ""
        table.add_row(model.language, model.name, size, model.licence, hashed, mark)
    Console(width=100).print(table)
    click.echo(
        "\n`onebreath models fetch LANG` gets one; those without a SHA-256 need --trust-first-download."
    )
    click.echo("\nOn this machine:" if here else "\nNone is on this machine.")
    for found in here.values():
        click.echo(f"  {found.language or '?'}  {found.path}")


@command.command(epilog="Example: onebreath models fetch en")
@click.argument("language", metavar="LANG")
@click.option(
    "--trust-first-download",
    is_flag=True,
    help="Fetch a model whose SHA-256 is not known yet, and pin the one that comes.",
)
def fetch(language: str, trust_first_download: bool) -> None:
    """Fetch the model for a language (en, es, vi, ...) or by its name.

    Goes on where a broken download stopped, checks size and SHA-256, and puts the model in its place only
    when all of it is right.
    """
    places, known = default_places(), manifest()
    model = known.choose(language)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, transient=True, console=Console(stderr=True))
    with bar:
        task = bar.add_task(model.name, total=None)
        fetched = model_download.fetch(
            model,
            places,
            known,
            lambda have, total: bar.update(task, completed=have, total=total),
            trust_first_download,
        )
    if fetched.already:
        click.echo(f"{model.name} is already here: {fetched.path}")
        return
    click.echo(f"{model.name} is ready: {fetched.path}")
    click.echo(f"Licence: {model.licence}")
    if fetched.pinned:
        click.echo(f"Its SHA-256 is now pinned in {places.user / 'pins.json'}.")


@command.command(epilog="Example: onebreath models verify vosk-model-small-en-us-0.15")
@click.argument("model", metavar="[PATH or NAME]", required=False)
def verify(model: str | None) -> None:
    """Check one model, or every model found, by letting libvosk read it in a process of its own.

    Exits 1 when a model is missing, damaged or speaks another language than its name says.
    """
    places, known = default_places(), manifest()
    chosen = [_named(model)] if model is not None else installed(places, known)
    if not chosen:
        raise ModelError("No model is on this machine.", "Fetch one with `onebreath models fetch en`.")
    failures = []
    for one in chosen:
        try:
            click.echo(f"{one.name}: good; {model_files.verify(one, places, known)}.")
        except ModelError as error:
            failures.append(error)
            if len(chosen) > 1:
                click.echo(f"{one.name}: {error.cause}", err=True)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ModelError(f"{len(failures)} of {len(chosen)} models cannot be used.", failures[0].remedy)


@command.command(epilog='Example: ls "$(onebreath models path en)"')
@click.argument("language", metavar="LANG")
def path(language: str) -> None:
    """Print the folder of the model that is used for a language.

    Looked for, in this order: $ONEBREATH_MODELS, models/ of a checkout, the user's data folder,
    ~/.cache/vosk, /usr/share/vosk.
    """
    found = find_model(language, None, default_places(), manifest())
    if found is None:
        raise ModelError(
            f"No model for {language!r} is on this machine.",
            f"Fetch one with `onebreath models fetch {language}`.",
        )
    click.echo(found.path)


def _named(wanted: str) -> InstalledModel:
    """The model in the folder `wanted`, or the one found under that name or language."""
    places, known = default_places(), manifest()
    folder = Path(wanted)
    if folder.is_dir():
        return model_files.describe(folder.resolve(), known)
    for model in installed(places, known):
        if wanted in (model.name, model.language):
            return model
    raise ModelError(
        f"No model {wanted!r} is on this machine.",
        "`onebreath models list` shows which are; or give the path of a model's folder.",
    )


def _pin_state(model: KnownModel, pins: Path) -> str:
    return "pinned" if model_download.pinned(model, pins).sha256 else ""
