"""`onebreath clinician ...`: make the keys, invite a device, look after devices."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.clinician_client import ClinicianClient
from server.commands.cards import cards, named_device, send
from server.commands.opening import DATABASE, opened
from server.commands.unlocking import (
    approve_proved,
    client_options,
    judged,
    key_options,
    new_passphrase,
    unlocked,
)
from server.errors import ServerError
from server.keyfile import default_key_file, make_key_file, read_statement
from server.reader import Trust, approval_for
from server.reader_notes import label_for, label_of
from server.reader_view import safe
from voice.wire.keys import fingerprint
from voice.wire.pairing import Link, make_invitation

STATES = {"pause": "paused", "resume": "active", "discharge": "discharged", "revoke": "revoked"}


@click.group()
def command() -> None:
    """A clinician's keys, pairing links and devices.

    \b
        onebreath clinician add --name "Dr Okafor"
        onebreath clinician link --server https://clinic.example
        onebreath clinician devices
        onebreath clinician send 3f2a --name "the foreman" --tell "jaw set"
        onebreath clinician pause 3f2a
    """


@command.command()
@click.option("--name", help='Your name as devices speak it ("Dr Okafor").')
@click.option("--existing", is_flag=True, help="Add the clinician of a key file that is already there.")
@DATABASE
@key_options
def add(
    name: str | None,
    existing: bool,
    database: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Make a clinician's key file and add the clinician to the server's database.

    Run it on the server's machine. The recovery code is shown once: print it, and keep it where you keep
    nothing else. Without passphrase and code nobody can read the records, and nobody can help.

    \b
        onebreath clinician add --name "Dr Okafor" --key-file okafor.key.json
    """
    path = key_file or default_key_file()
    if not existing and not name:
        raise click.UsageError('Give the name that devices speak: --name "Dr Okafor"')
    # Opened first: a key file for a database that cannot be used would only be in the way.
    with opened(database, made=True) as store:
        code = None
        if not existing:
            if path.exists():
                raise ServerError(
                    f"There is a key file at {path} already; it was left as it is.",
                    "Give another place with --key-file, or add its clinician with --existing.",
                )
            _, code = make_key_file(
                path,
                name=name or "",
                passphrase=new_passphrase(passphrase_file),
                issued_at=int(time.time()),
            )
        statement, stated = read_statement(path)
        store.add_clinician(stated.clinician_id, statement, now=int(time.time()))
    click.echo(f"{stated.name} is added. Key file: {path}")
    if code is not None:
        click.echo("Recovery code, shown this once. Print it and keep it safe:")
        click.echo(f"\n    {code}\n")


@command.command()
@client_options
@click.option(
    "--valid-minutes", type=click.IntRange(1, 7 * 24 * 60), default=60, show_default=True,
    help="How long the link can be used.",
)  # fmt: skip
def link(
    server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool, valid_minutes: int
) -> None:
    """Make a one-time pairing link and print it.

    The part after the # is a secret between you and the device; the server never sees it.

    \b
        onebreath clinician link --server https://clinic.example --valid-minutes 60
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    pairing_id, secret = secrets.token_bytes(16), secrets.token_bytes(16)
    invitation = make_invitation(
        clinician.identity,
        clinician.reading.public_key(),
        pairing_id=pairing_id,
        secret=secret,
        expires_at=int(time.time()) + valid_minutes * 60,
    )
    with ClinicianClient(server, clinician) as client:
        client.invite(invitation)
        made = Link(client.server, pairing_id, secret, fingerprint(clinician.identity.public_key()))
    click.echo(f"Good for one device and {valid_minutes} minutes. On the device: onebreath pair -", err=True)
    click.echo(str(made))


@command.command()
@client_options
def devices(server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool) -> None:
    """List your clients' devices; approve those that prove your link."""
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        found = judged(client, clinician)
        approve_proved(client, clinician, found)
    if not found:
        click.echo("No devices. Make a pairing link: onebreath clinician link")
        return
    table = Table(show_edge=False, pad_edge=False)
    for title in ("Device", "State", "Trusted", "Last seen (UTC)"):
        table.add_column(title, no_wrap=True)
    for device in found:
        trusted = "no: neither approved nor proved" if device.trust is None else "yes"
        entry = device.entry
        client_name = label_of(device, clinician)
        known_as = device.name if client_name is None else f"{device.name}\n{safe(client_name)}"
        cells = (known_as, entry.state, trusted, entry.last_seen_at or "never")
        table.add_row(*map(Text, cells))
    Console().print(table)
    for device in found:
        if device.entry.outbox_depth:
            click.echo(f"Device {device.name} still holds records to deliver: {device.entry.outbox_depth}.")


@command.command()
@click.argument("device")
@click.option(
    "--without-proof", is_flag=True, help="Approve keys that you compared with the device yourself."
)
@client_options
def approve(
    device: str,
    without_proof: bool,
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
) -> None:
    """Approve DEVICE: its id, or enough of its beginning.

    A device that was paired by your link proves that, and is approved by `devices` and `read` on their own.
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician))
        if one.trust is None and not without_proof:
            raise ServerError(
                f"Device {one.name} cannot prove that it was paired by your link.",
                "Pair it with a new link. Only if you compared its id with the one that `onebreath pair` "
                "printed on the device: --without-proof",
            )
        if one.trust is not Trust.APPROVAL:
            client.approve(one.entry.device_id, approval_for(one, clinician, approved_at=int(time.time())))
    click.echo(f"Device {one.name} is approved.")


@command.command()
@click.argument("device")
@click.argument("name")
@client_options
def label(
    device: str,
    name: str,
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
) -> None:
    """Name DEVICE's client for yourself: sealed, so that the server cannot read it.

    \b
        onebreath clinician label 3f2a "A. L., Tuesdays"
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician))
        try:
            client.label(one.entry.device_id, label_for(one, clinician, name))
        except ValueError as error:
            raise ServerError(f"The name cannot be kept: {error}.", "Give another.") from error
    click.echo(f"Device {one.name} is labelled.")


def _state_command(verb: str, state: str, said: str) -> click.Command:
    @click.argument("device")
    @client_options
    def change(
        device: str, server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool
    ) -> None:
        clinician = unlocked(key_file, passphrase_file, recovery)
        with ClinicianClient(server, clinician) as client:
            one = named_device(device, judged(client, clinician))
            client.set_state(one.entry.device_id, state)
        click.echo(f"Device {one.name} is {state}.")

    return click.command(verb, help=f"{said}\n\nDEVICE is its id, or enough of its beginning.")(change)


for _verb, _said in {
    "pause": "Pause DEVICE: it rests, and says so kindly, until you resume it.",
    "resume": "Let a paused or discharged DEVICE listen again.",
    "discharge": "Discharge DEVICE: the work with this client has ended.",
    "revoke": "Revoke DEVICE for ever, as when it was lost. It must be paired anew.",
}.items():
    command.add_command(_state_command(_verb, STATES[_verb], _said))

command.add_command(send)
command.add_command(cards)
