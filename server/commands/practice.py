"""`onebreath practice ...`: options and wording only."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.accounts import accounts_of
from server.commands.opening import DATABASE, named_practice, opened, told_here
from server.practices import add_practice, practices, set_policy


@click.group()
def command() -> None:
    """The practices of this server, and their policies. Run these on the server's machine.

    \b
        onebreath practice add --name "North Street"
        onebreath practice list
        onebreath practice policy --retention-days 2190
    """


@command.command()
@click.option("--name", required=True, help='What the practice is called ("North Street").')
@DATABASE
def add(name: str, database: str | None) -> None:
    """Add a practice. Then invite its administrator: onebreath account invite

    \b
        onebreath practice add --name "North Street"
    """
    with opened(database, made=True) as store, told_here():
        made = add_practice(store.database, name, now=int(time.time()))
    click.echo(f"{made.name} is added: {made.practice_id.hex()}")


@command.command("list")
@DATABASE
def list_(database: str | None) -> None:
    """List the practices: id, name, accounts, policies."""
    with opened(database) as store, store.database.read() as connection:
        found = [(row, len(accounts_of(connection, row.practice_id))) for row in practices(connection)]
    if not found:
        click.echo('No practices. Add one: onebreath practice add --name "North Street"')
        return
    table = Table(show_edge=False, pad_edge=False)
    for title in ("Practice", "Name", "Accounts", "Records kept", "Keys serve"):
        table.add_column(title, no_wrap=title == "Practice")
    for row, count in found:
        kept = "without end" if row.retention_days is None else f"{row.retention_days} days"
        cells = (row.practice_id.hex(), row.name, str(count), kept, f"{row.rotation_days} days")
        table.add_row(*map(Text, cells))
    Console().print(table)


@command.command()
@click.option("--practice", help="The practice's id, or enough of its beginning. [the only one]")
@click.option("--name", help="A new name.")
@click.option("--retention-days", type=int, help="Delete records older than this; 0: never.")
@click.option("--rotation-days", type=int, help="After how many days clinicians make a new reading key.")
@DATABASE
def policy(
    practice: str | None,
    name: str | None,
    retention_days: int | None,
    rotation_days: int | None,
    database: str | None,
) -> None:
    """Change a practice's name or policies; what is not given stays.

    \b
        onebreath practice policy --retention-days 2190 --rotation-days 30
    """
    with opened(database) as store, told_here():
        known = named_practice(store, practice)
        kept = known.retention_days if retention_days is None else retention_days or None
        changed = set_policy(
            store.database,
            known.practice_id,
            name=known.name if name is None else name,
            retention_days=kept,
            rotation_days=known.rotation_days if rotation_days is None else rotation_days,
            now=int(time.time()),
            actor="system",
        )
    lasting = "without end" if changed.retention_days is None else f"{changed.retention_days} days"
    click.echo(f"{changed.name}: records are kept {lasting}; keys serve {changed.rotation_days} days.")
