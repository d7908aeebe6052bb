"""`onebreath read`: the clinician's queue on the command line."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from server.clinician_client import ClinicianClient
from server.commands.unlocking import approve_proved, client_options, unlocked
from server.keyfile import default_key_file
from server.reader import Reading, read
from server.reader_memory import keep_memory, load_memory, memory_path
from server.reader_sequence import Flag, Kind, Memory
from server.reader_view import chosen, document, show


@click.command(short_help="Read your queue.")
@client_options
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document (docs/reader.md), with every record."
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only records from this day on, by the client's calendar (2026-03-02).",
)
@click.option(
    "--all", "everything", is_flag=True, help="Every record. [default: unread ones and the newest 50]"
)
def command(
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
    as_json: bool,
    since: datetime | None,
    everything: bool,
) -> None:
    """Read your queue: fetch every record, check it, open it, show it newest first.

    Words marked (?) are those the recogniser was unsure of; [rough] marks lines of the starter transcriber.
    Lines that begin with ! say what is wrong with the list: a record that is missing, forged, repeated, or
    was there when you last read and is not now. What was read is noted beside the key file, without content.

    \b
        onebreath read --server https://clinic.example --since 2026-03-02
        onebreath read --json | jq '.records[].line.text'
    """
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    remembered = load_memory(memory_path(path))
    with ClinicianClient(server, clinician) as client:
        # Records first: a device that is paired in between is then at least in the list of devices.
        listing = client.records()
        reading = read(clinician, client.devices(), listing, remembered or Memory())
        if remembered is None:
            reading = _forgetful(reading, memory_path(path))
        records = chosen(
            reading.records, since=None if since is None else since.date(), everything=everything or as_json
        )
        if as_json:
            click.echo(json.dumps(document(clinician.name, reading, records), indent=1))
        else:
            show(Console(), reading, records)
        keep_memory(memory_path(path), reading.memory)
        approve_proved(client, clinician, list(reading.devices))


def _forgetful(reading: Reading, path: Path) -> Reading:
    """Keep the damaged notes, and say that this time nothing could be compared with them."""
    aside = path.with_name(path.name + ".damaged")
    path.replace(aside)
    said = (
        f"The notes of what you had read were damaged; they are kept in {aside}. Nothing could be compared."
    )
    flag = Flag(Kind.LIST, said)
    return Reading(reading.records, (*reading.flags, flag), reading.devices, reading.memory)
