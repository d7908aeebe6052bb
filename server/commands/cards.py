"""`onebreath clinician send` and `onebreath clinician cards`: sealed cards to a client's device."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.card_maker import card_id_of, make_card, next_version
from server.clinician_client import CardEntry, ClinicianClient
from server.clinician_keys import Clinician
from server.commands.unlocking import client_options, judged, unlocked
from server.errors import ServerError
from server.keyfile import default_key_file
from server.part_notes import fetch_notes, known_parts, make_note, noted, put_note, sealed_elsewhere
from server.reader import Device
from server.reader_memory import keep_memory, load_memory, memory_path
from server.reader_reports import lines, read_reports
from server.reader_sequence import Memory
from server.reader_view import safe
from voice.wire.card_content import PartCard, Value, encode_card, spelled
from voice.wire.errors import ContentError
from voice.wire.part_notes import PartNote

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
@click.option(
    "--asks-when/--no-asks-when", default=None,
    help="After a noticing ask “Starting, in it, or after?”, where the client agrees on the device; or not.",
)  # fmt: skip
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
        listed = client.cards(one.device_id)
        version = next_version((card.version for card in listed), int(time.time()))
        notes = fetch_notes(client, one.device_id)
        if sealed_elsewhere(clinician, notes):
            # The part's own words may be in it, and its card would not be found by the name.
            raise ServerError(
                "A note on a part of this device is sealed to a newer key than this key file has.",
                "Run here first: onebreath keys rotate",
            )
        parts = known_parts(clinician, notes)
        known = next((card.card_id for card in listed if _names(parts, card, part.name)), None)
        card_id, sealed = make_card(
            clinician.identity, one.device_id, one.encryption, part, version, card_id=known
        )
        note = make_note(clinician, one.device_id, card_id, version, noted(parts.get(card_id), part))
        # The card goes first: a note without its card would say what the device was never told.
        client.send_card(one.device_id, card_id, sealed)
        put_note(client, note)
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
    """List the cards sent to DEVICE, each with its part, when it was fetched, and how the enrolment goes.

    The server knows neither: your note of the part is sealed for you, and so is what the device tells. What
    was seen is noted beside the key file, so that an earlier report does not pass for the newest.

    \b
        onebreath clinician cards 3f2a
        onebreath clinician cards 3f2a --name "the foreman"
    """
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician))
        found = client.cards(one.entry.device_id)
        parts = known_parts(clinician, fetch_notes(client, one.entry.device_id))
    if name is not None:
        wanted = card_id_of(clinician.identity, one.entry.device_id, spelled(name))
        found = tuple(card for card in found if card.card_id == wanted or _names(parts, card, spelled(name)))
    if not found:
        click.echo("No cards. Send one: onebreath clinician send DEVICE --name NAME")
        return
    table = Table(show_edge=False, pad_edge=False)
    for title in ("Card", "Sent (UTC)", "Fetched (UTC)"):
        table.add_column(title, no_wrap=True)
    table.add_column("Part")
    for card in found:
        part = parts.get(card.card_id)
        named = "not noted" if part is None else part.name + (" (resting)" if part.removed else "")
        row = (card.card_id.hex()[:8], card.created_at, card.fetched_at or "not yet", safe(named))
        table.add_row(*map(Text, row))
    Console().print(table)
    _enrolments(path, clinician, one, found)


def _names(parts: Mapping[bytes, PartNote], card: CardEntry, name: str) -> bool:
    return card.card_id in parts and parts[card.card_id].name == name


def _enrolments(path: Path, clinician: Clinician, device: Device, found: Sequence[CardEntry]) -> None:
    """Show how the enrolments go, and note what was seen."""
    remembered = load_memory(memory_path(path))
    known = remembered or Memory()
    told, seen = read_reports(clinician, device, found, known.reports)
    for line in (line for one in told for line in lines(one)):
        click.echo(line)
    if remembered is None:
        click.echo("The notes of what you had read are damaged: nothing could be compared.", err=True)
    elif seen != known.reports:
        keep_memory(memory_path(path), replace(known, reports=seen))


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
