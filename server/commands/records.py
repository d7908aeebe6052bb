"""`onebreath records ...`: options and wording only."""

from __future__ import annotations

import time
from pathlib import Path

import click

from server import records_client
from server.clinician_client import ClinicianClient, Listing
from server.commands.cards import named_device
from server.commands.opening import DATABASE, named_practice, opened, told_here
from server.commands.unlocking import client_options, judged, unlocked
from server.errors import ServerError
from server.housekeeping import housekeep
from server.keyfile import Clinician, default_key_file
from server.practices import set_policy
from server.reader import Device, Reading, Record, read
from server.reader_memory import load_memory, memory_path
from server.reader_notes import label_of, read_marks, with_marks
from server.reader_sequence import Memory, day
from server.reader_tombstones import Deleted
from server.record_export import Export, check_free, to_json, to_text, write_new


@click.group()
def command() -> None:
    """Export, delete and keep records.

    A clinician exports and deletes with their key file, from anywhere; how long records are kept is set on
    the server's machine. What deletion proves is in docs/deletion.md.

    \b
        onebreath records export 3f2a --format text --out ana.txt
        onebreath records erase 3f2a
        onebreath records retention --days 2190
        onebreath records housekeep
    """


@command.command()
@click.argument("device")
@click.option(
    "--format",
    "as_",
    type=click.Choice(["json", "text"]),
    default="json",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The new file; never written over another. [default: onebreath-DEVICE.json or .txt here]",
)
@client_options
def export(
    device: str, as_: str, out: Path | None,
    server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool,
) -> None:  # fmt: skip
    """Export everything of DEVICE's client, opened on this computer, for your eyes alone (mode 0600).

    With each record's words comes whether all is there and holds. The server's audit log tells of the export
    before the file is written; the server sees neither the file nor a word of it.

    \b
        onebreath records export 3f2a --out ana.json
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician))
        path = out or Path(f"onebreath-{one.name}.{'json' if as_ == 'json' else 'txt'}")
        check_free(path)
        reading, deleted = _of_device(client, clinician, one, key_file)
        at = records_client.export(client, one.entry.device_id, records=len(reading.records))
    made = Export(clinician.name, one.name, label_of(one, clinician), at, reading, deleted)
    write_new(path, to_json(made) if as_ == "json" else to_text(made))
    click.echo(f"Exported {_records(len(reading.records))} to {path}. It is not sealed: keep it safe.")


@command.command()
@click.argument("device")
@click.argument("record")
@click.option("--yes", is_flag=True, help="Do not ask.")
@client_options
def delete(
    device: str, record: str, yes: bool,
    server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool,
) -> None:  # fmt: skip
    """Delete one RECORD of DEVICE from the server; each is an id, or enough of its beginning.

    See the records' ids with: onebreath read --json

    \b
        onebreath records delete 3f2a 90c1
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician))
        found = _named_record(record, _of_device(client, clinician, one, key_file)[0])
        if not yes:
            click.confirm(
                f"Delete the record of {day(found.at)} {found.at:%H:%M}? It cannot be undone", abort=True
            )
        records_client.delete(client, found.device_id, found.record_id)
    click.echo("The record is deleted. Copies in backups last as long as the backups do.")


@command.command()
@click.argument("device")
@client_options
def erase(
    device: str, server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool
) -> None:
    """Erase DEVICE's client: every record, mark, card and share, and the name; the device is discharged.

    You confirm by typing the device's whole id. Export first what you must keep. A colleague to whom records
    were shared may have copies, and so have backups as long as they last.

    \b
        onebreath records erase 3f2a
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician))
        there = records_client.count(client, one.entry.device_id)
        click.echo(
            f"Device {one.name} has {_records(there)} on the server. Erasing cannot be undone.", err=True
        )
        typed = click.prompt("Type the device's whole id to erase its client", err=True)
        if typed.strip().lower() != one.name:
            raise ServerError("That is not the device's id; nothing was erased.", "Type all 32 characters.")
        gone = records_client.erase(client, one.entry.device_id)
    click.echo(f"Erased {_records(gone.deleted)}. Device {one.name} is {gone.state}.")


@command.command()
@click.option("--practice", help="The practice's id or name, or enough of the id's beginning. [the only one]")
@click.option(
    "--days", type=click.IntRange(1, 36_500), help="Delete records that were received before so long."
)
@click.option("--keep", is_flag=True, help="Keep records until someone deletes them.")
@DATABASE
def retention(practice: str | None, days: int | None, keep: bool, database: str | None) -> None:
    """Show or set how long a practice keeps records. Run it on the server's machine.

    The running server deletes what is older at its next housekeeping, within the hour unless it is set
    otherwise; each record leaves a tombstone.

    \b
        onebreath records retention
        onebreath records retention --days 2190
    """
    if days is not None and keep:
        raise click.UsageError("Give --days or --keep, not both.")
    with opened(database) as store, told_here():
        known = named_practice(store, practice)
        if days is not None or keep:
            known = set_policy(
                store.database,
                known.practice_id,
                name=known.name,
                retention_days=days,
                rotation_days=known.rotation_days,
                now=int(time.time()),
                actor="system",
            )
    kept = (
        "until someone deletes them" if known.retention_days is None else f"for {known.retention_days} days"
    )
    click.echo(f"{known.name} keeps records {kept}.")


@command.command("housekeep")
@DATABASE
def housekeep_(database: str | None) -> None:
    """Delete what is due now: records by policy, and whatever has expired. Run it on the server's machine.

    `onebreath serve` does this every hour by itself.

    \b
        onebreath records housekeep --database /var/lib/onebreath/onebreath.db
    """
    with opened(database) as store:
        done = housekeep(store.database, int(time.time()), thorough=True)
        postgresql = store.database.engine.dialect.name == "postgresql"
    click.echo(f"Deleted {_records(done.records)} by policy.")
    click.echo(
        f"Expired: {done.nonces} nonces, {done.challenges} challenges, {done.sessions} sessions, "
        f"{done.invitations} invitations, {done.audit_entries} audit entries."
    )
    if postgresql and done.records:
        click.echo("PostgreSQL reuses the space after VACUUM; see docs/deletion.md for what that leaves.")
    if not done.scrubbed:
        raise ServerError(
            "SQLite's write-ahead log could not be emptied: someone was reading.",
            "The running server tries again every hour; or run this again.",
        )


def _of_device(
    client: ClinicianClient, clinician: Clinician, device: Device, key_file: Path | None
) -> tuple[Reading, Deleted]:
    """One device's records, verified against what was read before, with marks; and its tombstones."""
    device_id = device.entry.device_id
    known = load_memory(memory_path(key_file or default_key_file())) or Memory()
    memory = Memory({one: seen for one, seen in known.seen.items() if one == device_id}, known.marks)
    listing: Listing = client.records(device=device.name)
    deleted = records_client.tombstones(client, device=device.name)
    reading = read(clinician, [device.entry], listing, memory, deleted)
    return with_marks(reading, read_marks(clinician, records_client.marks(client), known.marks)), deleted


def _named_record(start: str, reading: Reading) -> Record:
    wanted = start.lower().strip()
    found = [record for record in reading.records if record.record_id.hex().startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    if not found:
        raise ServerError(f"There is no record {start}.", "See them with: onebreath read --json")
    raise ServerError(f"{start} is the beginning of {len(found)} records' ids.", "Give more of it.")


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"
