"""`onebreath read`: the clinician's queue on the command line."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from server import records_client
from server.clinician_client import ClinicianClient
from server.colleagues import known
from server.commands.keys import rotation_notice
from server.commands.unlocking import approve_proved, client_options, unlocked
from server.keyfile import Clinician, default_key_file
from server.keys_client import KeysClient
from server.reader import Reading, Record, read
from server.reader_memory import keep_memory, load_memory, memory_path
from server.reader_notes import Noted, marks_for, read_marks, with_marks
from server.reader_sequence import Flag, Kind, Memory
from server.reader_shared import read_shared
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
@click.option("--shared", is_flag=True, help="What colleagues shared with you, under their names.")
@click.option("--mark", is_flag=True, help="Mark what is shown as discussed. The server cannot read marks.")
def command(
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
    as_json: bool,
    since: datetime | None,
    everything: bool,
    shared: bool,
    mark: bool,
) -> None:
    """Read your queue: fetch every record, check it, open it, show it newest first.

    Words marked (?) are those the recogniser was unsure of; [rough] marks lines of the starter transcriber.
    Lines that begin with ! say what is wrong with the list: a record that is missing, forged, repeated, or
    was there when you last read and is not now. What was deleted, and why, is told as the server tells it.
    What was read is noted beside the key file, without content.

    \b
        onebreath read --server https://clinic.example --since 2026-03-02
        onebreath read --json | jq '.records[].line.text'
        onebreath read --shared
        onebreath read --since 2026-03-02 --mark
    """
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    remembered = load_memory(memory_path(path))
    notice = rotation_notice(clinician, int(time.time()))
    if notice:
        click.echo(notice, err=True)
    with ClinicianClient(server, clinician) as client:
        if shared:
            keys = KeysClient(client)
            reading = read_shared(clinician, keys.shared(), known(clinician, keys.colleagues()))
            noted = read_marks(clinician, records_client.marks(client), (remembered or Memory()).marks)
            reading = with_marks(reading, noted)
            shown = _print(clinician.name, reading, since=since, everything=True, as_json=as_json)
            if mark:
                _mark(client, clinician, shown, noted)
            return
        # Records first: a device that is paired in between is then at least in the list of devices.
        listing = client.records()
        deleted = records_client.tombstones(client)
        reading = read(clinician, client.devices(), listing, remembered or Memory(), deleted)
        if remembered is None:
            reading = _forgetful(reading, memory_path(path))
        noted = read_marks(clinician, records_client.marks(client), reading.memory.marks)
        reading = with_marks(reading, noted)
        shown = _print(clinician.name, reading, since=since, everything=everything, as_json=as_json)
        keep_memory(memory_path(path), replace(reading.memory, marks=noted.versions))
        approve_proved(client, clinician, list(reading.devices))
        if mark:
            _mark(client, clinician, shown, noted)


def _print(
    name: str, reading: Reading, *, since: datetime | None, everything: bool, as_json: bool
) -> list[Record]:
    """Show the queue; what was shown of it."""
    records = chosen(
        reading.records, since=None if since is None else since.date(), everything=everything or as_json
    )
    if as_json:
        click.echo(json.dumps(document(name, reading, records), indent=1))
    else:
        show(Console(), reading, records)
    return records


def _mark(client: ClinicianClient, clinician: Clinician, shown: list[Record], noted: Noted) -> None:
    made = marks_for(clinician, shown, noted, now=int(time.time()))
    for one in made:
        records_client.put_mark(client, one.device_id, one.record_id, version=one.version, sealed=one.sealed)
    click.echo(f"Marked as discussed: {len(made)}.", err=True)


def _forgetful(reading: Reading, path: Path) -> Reading:
    """Keep the damaged notes, and say that this time nothing could be compared with them."""
    aside = path.with_name(path.name + ".damaged")
    path.replace(aside)
    said = (
        f"The notes of what you had read were damaged; they are kept in {aside}. Nothing could be compared."
    )
    flag = Flag(Kind.LIST, said)
    return Reading(reading.records, (*reading.flags, flag), reading.devices, reading.memory)
