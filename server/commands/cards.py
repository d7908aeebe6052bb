"""`onebreath clinician send` and `onebreath clinician cards`: sealed cards to a client's device."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.card_maker import card_id_of, make_card, next_version
from server.clinician_client import ClinicianClient
from server.commands.unlocking import client_options, judged, unlocked
from server.errors import ServerError
from server.reader import Device
from voice.wire.card_content import PartCard, Value, encode_card, spelled
from voice.wire.errors import ContentError

OWN: Final = "default"
"""What is typed to put a setting back to what the device does by itself."""


@click.command()
@click.argument("device")
@click.option("--name", required=True, help="The client's exact own name for the part.")
@click.option("--tell", default="", help="What usually comes just before, as the client says it.")
@click.option("--alias", help="A sayable spelling, when the name is no ordinary word. [the device finds one]")
@click.option(
    "--quiet/--spoken", default=None, help="Answer this name with the tone alone, or with the phrase."
)
@click.option("--pace", help="brisk, usual, slow or slowest.")
@click.option("--quiet-hours", metavar="FROM-UNTIL", help="The tone alone between these times: 22:30-07:00.")
@click.option("--hears", help="Whose voice may say names: anyone or client.")
@click.option("--language", help="What the device speaks, such as en.")
@click.option("--danger-number", help='Spoken on "help": the number to call in danger.')
@click.option("--talk-number", help='Spoken on "help": the line to call to talk now.')
@click.option("--remove", is_flag=True, help="Let the part rest instead. Nothing recorded is deleted.")
@client_options
def send(
    device: str, name: str, tell: str, alias: str | None, remove: bool, server: str, key_file: Path | None,
    passphrase_file: Path | None, recovery: bool, **given: str | bool | None,
) -> None:  # fmt: skip
    """Send a part's card to DEVICE, sealed so that the server cannot read it.

    DEVICE is its id, or enough of its beginning. The device fetches the card within a quarter of an hour, or
    at once when `onebreath enrol` is run there, which then leads the client through name and phrase.

    Tell and alias are as given here; settings that are not given stay as they are, and "default" puts one
    back. All but --quiet are of the whole device, and count from its next start.

    \b
        onebreath clinician send 3f2a --name "the foreman" --tell "jaw set, shoulders up"
        onebreath clinician send 3f2a --name "the foreman" --pace slow --quiet-hours 22:30-07:00
        onebreath clinician send 3f2a --name "the foreman" --remove
    """
    part = _part(name, tell, alias, remove, given)
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = _trusted(named_device(device, judged(client, clinician))).entry
        version = next_version((card.version for card in client.cards(one.device_id)), int(time.time()))
        card_id, sealed = make_card(clinician.identity, one.device_id, one.encryption, part, version)
        client.send_card(one.device_id, card_id, sealed)
    click.echo(f"Card {card_id.hex()[:8]} is waiting for device {one.device_id.hex()}.")
    if not remove:
        click.echo("To record name and phrase with the client, run there: onebreath enrol")


@click.command()
@click.argument("device")
@click.option("--name", help="Show this part's card only.")
@client_options
def cards(
    device: str,
    name: str | None,
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
) -> None:
    """List the cards sent to DEVICE, and when it fetched each.

    The server does not know which card is of which part; give --name to look for one.

    \b
        onebreath clinician cards 3f2a
        onebreath clinician cards 3f2a --name "the foreman"
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician)).entry
        found = client.cards(one.device_id)
    if name is not None:
        wanted = card_id_of(clinician.identity, one.device_id, spelled(name))
        found = tuple(card for card in found if card.card_id == wanted)
    if not found:
        click.echo("No cards. Send one: onebreath clinician send DEVICE --name NAME")
        return
    table = Table(show_edge=False, pad_edge=False)
    for title in ("Card", "Sent (UTC)", "Fetched (UTC)"):
        table.add_column(title, no_wrap=True)
    for card in found:
        table.add_row(*map(Text, (card.card_id.hex()[:8], card.created_at, card.fetched_at or "not yet")))
    Console().print(table)


def named_device(start: str, devices: Sequence[Device]) -> Device:
    """The one device whose id begins so. Raises ServerError."""
    wanted = start.lower().strip()
    found = [device for device in devices if device.name.startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    if not found:
        raise ServerError(f"There is no device {start}.", "See them with: onebreath clinician devices")
    raise ServerError(f"{start} is the beginning of {len(found)} devices' ids.", "Give more of it.")


def _trusted(device: Device) -> Device:
    """What is sealed to a key that nobody vouches for could be read by whoever runs the server."""
    if device.trust is None:
        raise ServerError(
            f"Device {device.name} cannot prove that it was paired by your link, so nothing was sent.",
            "Pair it with a new link, or see: onebreath clinician approve --help",
        )
    return device


def _part(
    name: str, tell: str, alias: str | None, remove: bool, given: Mapping[str, str | bool | None]
) -> PartCard:
    """The card as typed, checked before a passphrase is asked for. Raises ServerError, UsageError."""
    settings: dict[str, Value] = {
        key: None if value == OWN else value
        for key, value in given.items()
        if value is not None and key != "quiet_hours"
    }
    hours = given["quiet_hours"]
    if hours == OWN:
        settings |= {"quiet_from": None, "quiet_until": None}
    elif hours is not None:
        begin, _, end = str(hours).partition("-")
        settings |= {"quiet_from": begin.strip(), "quiet_until": end.strip()}
    if remove:
        if tell or alias or settings:
            raise click.UsageError(
                "A part that is taken away says nothing else: give --name and --remove alone."
            )
        part = PartCard(spelled(name), removed=True)
    else:
        part = PartCard(spelled(name), None if alias is None else spelled(alias), spelled(tell), settings)
    try:
        encode_card(part)
    except ContentError as error:
        raise ServerError(f"This card cannot be sent: {error}.", "See what a card can say: --help") from error
    return part
