"""`onebreath audit ...`: options and wording only."""

from __future__ import annotations

import json
import time
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server import audit, audit_log
from server.answers import iso
from server.commands.opening import DATABASE, named_practice, opened
from server.errors import ServerError
from server.housekeeping import prune_audit


@click.group()
def command() -> None:
    """The server's audit log: every access, in a chain of hashes. Run these on the server's machine.

    \b
        onebreath audit show --last 20
        onebreath audit head >> /media/elsewhere/heads.txt
        onebreath audit verify --head 9f86d081…
    """


@command.command()
@click.option("--after", type=click.IntRange(0), help="Entries after this number, oldest first.")
@click.option("--last", type=click.IntRange(1), help="So many of the newest. [default: 50]")
@click.option("--practice", help="Of one practice: its id or name, or enough of the id's beginning.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@DATABASE
def show(
    after: int | None, last: int | None, practice: str | None, as_json: bool, database: str | None
) -> None:
    """Show entries, oldest first. Times are UTC; they hold ids and counts, and nothing that anyone wrote.

    \b
        onebreath audit show --after 1200 --json | jq -c 'select(.act == "records.fetched")'
    """
    if after is not None and last is not None:
        raise click.UsageError("Give --after or --last, not both.")
    with opened(database) as store:
        practice_id = None if practice is None else named_practice(store, practice).practice_id
        with store.database.read() as connection:
            found = audit_log.entries(connection, after=after, last=last or 50, practice_id=practice_id)
            if as_json:
                for entry in found:
                    click.echo(json.dumps(_fields(entry)))
                return
            table = Table(show_edge=False, pad_edge=False)
            for title in ("No.", "UTC", "Who", "Did", "What"):
                table.add_column(title, overflow="fold")
            for entry in found:
                cells = (str(entry.sequence), iso(entry.at), entry.actor, entry.act, entry.subject)
                table.add_row(*map(Text, cells))
    Console().print(table)


@command.command()
@click.option(
    "--head", "noted", help="A digest that `onebreath audit head` gave before, and you kept elsewhere."
)
@DATABASE
def verify(noted: str | None, database: str | None) -> None:
    """Follow the whole chain, and hold the tombstones of deleted records against it.

    Without --head this finds what was changed, but not a log that was made anew from its beginning: for that,
    note the head elsewhere from time to time, and give it here.

    \b
        onebreath audit verify --head 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """
    digest = None if noted is None else _digest(noted)
    with opened(database) as store, store.database.read() as connection:
        verdict = audit.verify(connection)
        if verdict.broken_at is not None:
            raise ServerError(
                f"The audit log does not hold: entry {verdict.broken_at} does not follow the one before.",
                "Keep a copy of the database, and compare with backups: onebreath backup verify",
            )
        if digest is not None and not audit_log.holds(connection, digest):
            raise ServerError(
                "The audit log holds in itself, but it is not the one whose head was noted.",
                "It was rewritten, or replaced by an older copy, or the noted entry was removed by age.",
            )
        problems = audit_log.check_deletions(connection)
    if problems:
        raise ServerError(
            "\n       ".join(problems), "Keep a copy of the database, and compare with backups."
        )
    click.echo(
        f"{verdict.entries} entries, {verdict.first} to {verdict.last}: every one follows the one before."
    )
    if digest is not None:
        click.echo("The noted head is one of them.")
    click.echo("Tombstones and entries agree on what was deleted.")
    click.echo(f"Head: {verdict.head.hex()}")


@command.command()
@DATABASE
def head(database: str | None) -> None:
    """Print the newest entry's number and digest, to be kept where this server cannot reach it.

    \b
        onebreath audit head
    """
    with opened(database) as store, store.database.read() as connection:
        found = audit_log.head(connection)
    click.echo(f"{found.sequence} {found.digest.hex()}")


@command.command()
@click.option(
    "--keep-days", type=click.IntRange(1), default=audit.KEPT_DAYS, show_default=True,
    help="Six years are the default, and what 45 CFR 164.316 asks for.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@DATABASE
def prune(keep_days: int, yes: bool, database: str | None) -> None:
    """Remove the oldest entries, by age; what is left still verifies.

    The server does this by itself after six years.

    \b
        onebreath audit prune --keep-days 3650
    """
    if not yes:
        click.confirm(
            f"Remove audit entries of more than {keep_days} days ago? It cannot be undone", abort=True
        )
    with opened(database) as store:
        removed = prune_audit(store.database, int(time.time()), kept_days=keep_days, actor=audit.SYSTEM)
    click.echo(f"Removed {removed} entries.")


def _digest(text: str) -> bytes:
    """The digest in what was noted: alone, or as `head` prints it, after the entry's number."""
    words = text.split()
    try:
        digest = bytes.fromhex(words[-1])
    except (IndexError, ValueError):
        digest = b""
    if len(digest) != 32 or len(words) > 2:
        raise ServerError("A head is 64 hex digits.", "Give it as `onebreath audit head` printed it.")
    return digest


def _fields(entry: audit.Entry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "at": iso(entry.at),
        "practice": None if entry.practice_id is None else entry.practice_id.hex(),
        "actor": entry.actor,
        "act": entry.act,
        "subject": entry.subject,
    }
