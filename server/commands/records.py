"""`onebreath records ...`: options and wording only."""

from __future__ import annotations

import time
from pathlib import Path

import click

from server import records_client
from server.clinician_client import ClinicianClient
from server.commands.cards import named_device
from server.commands.opening import DATABASE, named_practice, opened, told_here
from server.commands.records_export import counted, export, of_device, post_fhir
from server.commands.unlocking import client_options, judged, unlocked
from server.errors import ServerError
from server.housekeeping import housekeep
from server.practices import set_policy
from server.reader_sequence import day
from server.record_export import named_record


@click.group()
def command() -> None:
    """Export, delete and keep records.

    A clinician exports and deletes with their key file, from anywhere; how long records are kept is set on
    the server's machine. What deletion proves is in docs/deletion.md.

    \b
        onebreath records export 3f2a --format text --out ana.txt
        onebreath records post-fhir 3f2a https://fhir.example/r4 --patient Patient/123
        onebreath records erase 3f2a
        onebreath records retention --days 2190
        onebreath records housekeep
    """


command.add_command(export)
command.add_command(post_fhir)


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
        found = named_record(record, of_device(client, clinician, one, key_file)[0].records)
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
            f"Device {one.name} has {counted(there)} on the server. Erasing cannot be undone.", err=True
        )
        typed = click.prompt("Type the device's whole id to erase its client", err=True)
        if typed.strip().lower() != one.name:
            raise ServerError("That is not the device's id; nothing was erased.", "Type all 32 characters.")
        gone = records_client.erase(client, one.entry.device_id)
    click.echo(f"Erased {counted(gone.deleted)}. Device {one.name} is {gone.state}.")


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
    click.echo(f"Deleted {counted(done.records)} by policy.")
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
