"""`onebreath account ...`: options and wording only."""

from __future__ import annotations

import os
import secrets
import time

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.account_set_up import PATH
from server.accounts import (
    INVITED_FOR_S,
    TOKEN_BYTES,
    accounts_of,
    close_account,
    invite_account,
    renew_invitation,
)
from server.accounts_schema import ROLES
from server.commands.account_terminal import set_up_account, show_code
from server.commands.opening import DATABASE, named_practice, opened, told_here
from server.errors import ServerError
from server.practices import PracticeRow
from server.sign_in import account_name
from server.store import Store
from voice.wire.encoding import b64url

_PRACTICE = click.option(
    "--practice", help="The practice's id or name, or the id's beginning. [the only one]"
)
_SERVER = click.option(
    "--server",
    envvar="ONEBREATH_PUBLIC_URL",
    show_envvar=True,
    default="http://localhost:8750",
    show_default=True,
    help="The address of the server's page, for the link.",
)


@click.group()
def command() -> None:
    """Who signs in to the clinicians' page. Run these, but set-up and code, on the server's machine.

    Everybody sets their own passphrase, code and keys up by a one-time link; nobody else ever has them.

    \b
        onebreath account invite --role administrator --name boss --server https://clinic.example
        onebreath account invite --role clinician --name dr.okafor --email okafor@clinic.example
        onebreath account set-up 'https://clinic.example/set-up#8fKq...'
        onebreath account list
        onebreath account close dr.okafor
    """


@command.command()
@click.option("--name", required=True, help="What they sign in with: dr.okafor, or their e-mail address.")
@click.option("--role", type=click.Choice(ROLES), required=True, help="An administrator reads nothing.")
@click.option("--email", help="Where notices go.")
@click.option("--again", is_flag=True, help="A new link for somebody who has not set up yet.")
@_PRACTICE
@_SERVER
@DATABASE
def invite(
    name: str,
    role: str,
    email: str | None,
    again: bool,
    practice: str | None,
    server: str,
    database: str | None,
) -> None:
    """Invite somebody, and print their link. It serves once, within 7 days.

    \b
        onebreath account invite --practice "North Street" --role clinician --name dr.okafor
    """
    token, now = secrets.token_bytes(TOKEN_BYTES), int(time.time())
    with opened(database) as store, told_here():
        where = named_practice(store, practice)
        if again:
            account_id = _account_id(store, where, name)
            renew_invitation(
                store.database, where.practice_id, account_id, token=token, now=now, actor="system"
            )
        else:
            invite_account(
                store.database,
                where.practice_id,
                name=name,
                role=role,
                email=email,
                token=token,
                now=now,
                actor="system",
            )
    days = INVITED_FOR_S // 86_400
    click.echo(f"Give this to {name} alone; it serves once, within {days} days:", err=True)
    click.echo(f"{server.rstrip('/')}{PATH}{b64url(token)}")


@command.command("list")
@_PRACTICE
@DATABASE
def list_(practice: str | None, database: str | None) -> None:
    """List a practice's accounts."""
    with opened(database) as store:
        where = named_practice(store, practice)
        with store.database.read() as connection:
            found = accounts_of(connection, where.practice_id)
    table = Table(show_edge=False, pad_edge=False)
    for title in ("Name", "Role", "State", "Clinician"):
        table.add_column(title, no_wrap=True)
    for row in found:
        clinician = "" if row.clinician_id is None else row.clinician_id.hex()
        table.add_row(*map(Text, (row.name.split(" ")[0], row.role, row.state, clinician)))
    if not found:
        click.echo("No accounts. Invite somebody: onebreath account invite")
        return
    Console(width=None if os.isatty(1) else 200).print(table)


@command.command()
@click.argument("name")
@_PRACTICE
@DATABASE
def close(name: str, practice: str | None, database: str | None) -> None:
    """Close the account NAME for good: it is signed out at once, and its identity key signs no calls.

    Whoever lost passphrase and second factor both is closed and invited anew; the new account has none of
    the old keys.
    """
    with opened(database) as store, told_here():
        where = named_practice(store, practice)
        account_id = _account_id(store, where, name)
        close_account(
            store.database, where.practice_id, account_id, now=int(time.time()), actor="system", last=True
        )
    click.echo(f"{name} is closed.")


def _account_id(store: Store, practice: PracticeRow, name: str) -> bytes:
    wanted = account_name(name)
    with store.database.read() as connection:
        found = [row for row in accounts_of(connection, practice.practice_id) if row.name == wanted]
    if not found:
        raise ServerError(f"There is no account {name} in {practice.name}.", "See: onebreath account list")
    return found[0].account_id


command.add_command(set_up_account)
command.add_command(show_code)
