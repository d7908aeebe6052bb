"""What the clinician's commands share: where key file and server are, and how the file is unlocked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from server.clinician_client import ClinicianClient
from server.errors import ServerError
from server.keyfile import Clinician, default_key_file, passphrase_problem, unlock, unlock_by_code
from server.reader import Device, Trust, approval_for, judge

PASSPHRASE_VARIABLE: Final = "ONEBREATH_PASSPHRASE"  # noqa: S105 - the name of a variable
SERVER_VARIABLE: Final = "ONEBREATH_SERVER"
DEFAULT_SERVER: Final = "http://127.0.0.1:8750"

F = TypeVar("F", bound=Callable[..., Any])

_KEY_FILE = click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Your key file. [default: $ONEBREATH_KEY_FILE, or clinician.key.json in the user's data folder]",
)
_PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Read the passphrase from this file's first line instead of asking. ($ONEBREATH_PASSPHRASE works "
    "too, for tests and demos only: other programs of this account can read it.)",
)
_SERVER = click.option(
    "--server",
    envvar=SERVER_VARIABLE,
    default=DEFAULT_SERVER,
    show_default=True,
    show_envvar=True,
    help="The server's address, as devices use it.",
)
_RECOVERY = click.option("--recovery", is_flag=True, help="Ask for the printed recovery code instead.")


def key_options(command: F) -> F:
    """--key-file and --passphrase-file."""
    return _KEY_FILE(_PASSPHRASE_FILE(command))


def client_options(command: F) -> F:
    """Those, --server and --recovery."""
    return _SERVER(key_options(_RECOVERY(command)))


def unlocked(key_file: Path | None, passphrase_file: Path | None, recovery: bool) -> Clinician:
    """The clinician's unlocked keys. Raises ServerError."""
    path = key_file or default_key_file()
    if not path.exists():
        raise ServerError(
            f"There is no key file at {path}.",
            "Name yours with --key-file, or make one: onebreath clinician add --name 'Dr Okafor'",
        )
    if recovery:
        return unlock_by_code(path, click.prompt("Recovery code", err=True))
    return unlock(path, passphrase_asked(passphrase_file))


def passphrase_asked(passphrase_file: Path | None) -> str:
    """The passphrase of a key file, asked for when nobody gave one."""
    given = _given(passphrase_file)
    return str(click.prompt("Passphrase", hide_input=True, err=True)) if given is None else given


def new_passphrase(passphrase_file: Path | None) -> str:
    """A passphrase that will do, asked for twice when nobody gave one. Raises ServerError."""
    given = _given(passphrase_file)
    if given is None:
        click.echo("Choose a passphrase: four or five unrelated words are easy to remember.", err=True)
        given = str(click.prompt("Passphrase", hide_input=True, confirmation_prompt="Once more", err=True))
    problem = passphrase_problem(given)
    if problem:
        raise ServerError(problem)
    return given


def judged(client: ClinicianClient, clinician: Clinician) -> list[Device]:
    """The devices, and why each is believed."""
    return [judge(entry, clinician) for entry in client.devices()]


def approve_proved(client: ClinicianClient, clinician: Clinician, devices: list[Device]) -> None:
    """Approve what proved your link, and say so: the proof is the reason, not this program's opinion."""
    for device in devices:
        if device.trust is Trust.PROOF:
            client.approve(
                device.entry.device_id, approval_for(device, clinician, approved_at=int(time.time()))
            )
            click.echo(f"Approved device {device.name}: it proved that it was paired by your link.", err=True)


def _given(passphrase_file: Path | None) -> str | None:
    if passphrase_file is not None:
        try:
            lines = passphrase_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ServerError(f"{passphrase_file} cannot be read as text.", "Check the file.") from error
        if not lines or not lines[0]:
            raise ServerError(f"{passphrase_file} is empty.", "Put the passphrase in its first line.")
        return lines[0]
    return os.environ.get(PASSPHRASE_VARIABLE)
