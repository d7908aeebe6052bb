"""`onebreath account set-up` and `code`: an account from a key file, and its authenticator."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from server.account_client import authenticator_secret, set_up
from server.commands.unlocking import key_options, passphrase_asked
from server.errors import ServerError
from server.key_slots import RECOVERY
from server.keyfile import default_key_file, slots_of, unlock, unlock_by_code
from server.second_factor import STEP_S, code_at

MARGIN_S = 5

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("set-up")
@click.argument("link")
@click.option(
    "--authenticator",
    type=_FILE,
    help="Keep the authenticator's secret in this new file instead of asking for a code. For tests and demos "
    "only: it is then no second factor.",
)
@key_options
def set_up_account(
    link: str, authenticator: Path | None, key_file: Path | None, passphrase_file: Path | None
) -> None:
    """Set up your account by the one-time LINK with the keys of your key file, so that the page opens too.

    The key file's passphrase then signs in and unlocks the page. Asks for the printed recovery code, since
    the page takes it as well, and for a code of your authenticator. The server learns none of these.
    Give - to read the link from standard input.

    \b
        onebreath account set-up 'https://clinic.example/set-up#8fKq...' --key-file okafor.key.json
    """
    path = key_file or default_key_file()
    link = sys.stdin.readline() if link == "-" else link
    passphrase = passphrase_asked(passphrase_file)
    clinician = unlock(path, passphrase)
    code = str(click.prompt("Recovery code", err=True))
    if unlock_by_code(path, code).id != clinician.id:
        raise ServerError("The recovery code is of another key file.", "Use the one printed with this file.")
    [slot] = slots_of(path, RECOVERY)[:1]
    ask = _asked if authenticator is None else _kept(authenticator)
    name = set_up(link, clinician, passphrase, code, slot, ask)
    click.echo(f"The account {name} is set up. Sign in on the page with this name and your passphrase.")


@click.command("code")
@click.argument("file", type=_FILE)
def show_code(file: Path) -> None:
    """Print the six digits of the authenticator in FILE, as `set-up --authenticator` kept it.

    \b
        onebreath account code authenticator.txt
    """
    try:
        secret = authenticator_secret(file.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ServerError(f"{file} cannot be read.", "Name the file of --authenticator.") from error
    now = int(time.time())
    click.echo(code_at(secret, now // STEP_S))
    click.echo(f"Good for {STEP_S - now % STEP_S} seconds, and once.", err=True)


def _asked(otpauth: str) -> str:
    """Show the secret to a person, who adds it to their authenticator and types a code."""
    click.echo("In the authenticator app, add an account by typing this key, or open the address:", err=True)
    letters = otpauth.partition("secret=")[2].partition("&")[0]
    click.echo(f"\n    {' '.join(letters[at : at + 4] for at in range(0, len(letters), 4))}\n", err=True)
    click.echo(f"    {otpauth}\n", err=True)
    return str(click.prompt("Code of your authenticator", err=True)).replace(" ", "")


def _kept(file: Path) -> Callable[[str], str]:
    def keep(otpauth: str) -> str:
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as kept:
                kept.write(otpauth + "\n")
        except OSError as error:
            raise ServerError(f"{file} cannot be made ({error.strerror}).", "Name another place.") from error
        now = int(time.time())
        # A code serves once. That of the step before is taken too, and leaves this step's for signing in; not
        # so late in the step that it could be two steps old when it arrives.
        before = 1 if now % STEP_S < STEP_S - MARGIN_S else 0
        return code_at(authenticator_secret(otpauth), now // STEP_S - before)

    return keep
