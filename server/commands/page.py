"""`onebreath page ...`: options and wording only."""

from __future__ import annotations

import click

from server.errors import ServerError
from server.page_files import hashes
from server.page_verify import compare


@click.group()
def command() -> None:
    """The clinician's page: compare what a server gives.

    \b
    Examples:
      onebreath page verify https://clinic.example
      onebreath page hashes
    """


@command.command("hashes")
def list_hashes() -> None:
    """Print SHA-256 of every file of this release's page, as `sha256sum` does.

    \b
        onebreath page hashes > page.sha256
    """
    for address, digest in hashes().items():
        click.echo(f"{digest}  {address}")


@command.command()
@click.argument("url")
def verify(url: str) -> None:
    """Compare the page that a running server gives with this release's, file by file.

    Install the release that the server says it runs, on a machine that is not the server, and run this there.
    It shows what the server gives to you, now: a server could give something else to somebody else.

    \b
        onebreath page verify https://clinic.example
    """
    found = compare(url)
    if found.holds:
        click.echo(f"All {found.same} files are those of release {found.release}.")
        return
    told = (
        ("differs from this release", found.other),
        ("is not given", found.missing),
        ("is not of this release", found.more),
        ("comes without this release's policy", found.policy),
    )
    for said, addresses in told:
        for address in addresses:
            shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in address[:200])
            click.echo(f"{shown}: {said}")
    raise ServerError(
        f"The server's page is not this release's; the server says that it runs release {found.release}.",
        "Install that release here and compare again. If it still differs, do not sign in there.",
    )
