"""`onebreath keys ...`: reading keys by epoch, colleagues, and the practice's recovery key."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server import records_client, rotating
from server.clinician_client import ClinicianClient
from server.clinician_keys import Clinician
from server.colleagues import confirm, named, spoken_fingerprint
from server.commands.keys_recovery import recovery
from server.commands.unlocking import approve_proved, client_options, judged, unlocked
from server.errors import ServerError
from server.keyfile import default_key_file
from server.keys_client import KeysClient, ServedKeys
from server.part_notes import fetch_notes, note_leaving, put_note
from server.reader import Device, Record, read
from server.reader_consents import consents_leaving, fetch_consents, give_consent
from server.reader_memory import load_memory, memory_path
from server.reader_notes import label_leaving, label_of, marks_leaving
from server.reader_sequence import Memory
from server.reader_shared import shares_for
from server.reader_view import safe
from voice.wire.endorsement import parse_endorsement
from voice.wire.keys import IDENTITY_EPOCH

_FINGERPRINT = click.option(
    "--fingerprint", help="The colleague's fingerprint, as they told you. [asked for when it is first needed]"
)


@click.group(short_help="Your reading keys, colleagues, and the recovery key.")
def command() -> None:
    """Your reading keys, the colleagues you share with, and the practice's recovery key.

    \b
        onebreath keys list
        onebreath keys rotate
        onebreath keys share --to "Dr Lee" --since 2026-03-02
    """


command.add_command(recovery)


@command.command("list")
@client_options
def show(server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool) -> None:
    """Show every reading key, where it is kept, and your fingerprint."""
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        served = KeysClient(client).keys()
    Console().print(_table(clinician, served))
    click.echo(f"Ways to unlock the server's copies: {', '.join(served.slots) or 'none'}")
    click.echo(f"Your fingerprint, for colleagues:   {spoken_fingerprint(clinician.public)}")
    if clinician.endorsement is not None:
        said = parse_endorsement(clinician.endorsement)
        who = f"{said.holder}, from epoch {said.from_epoch}" if said.key is not None else "nobody"
        click.echo(f"Your devices also seal to:          {who}")
    problem = rotation_notice(clinician, int(time.time()))
    if problem:
        click.echo(problem)


@command.command()
@click.option(
    "--copy",
    is_flag=True,
    help="Let the server keep wrapped copies, which the printed code opens, for reading in the browser.",
)
@client_options
def rotate(
    copy: bool, server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool
) -> None:
    """Make the next reading key and use it from now on; what was sealed before stays readable.

    Devices learn of it when they next call. If this was interrupted, run it again: it goes on where it was.

    \b
        onebreath keys rotate --server https://clinic.example
    """
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        done = rotating.rotate(path, clinician, KeysClient(client), now=int(time.time()), copy=copy)
    number = done.clinician.stated.epoch
    click.echo(
        f"{'Finished an interrupted rotation: epoch' if done.resumed else 'Epoch'} {number} is in use."
    )
    if done.copied:
        click.echo("The server keeps wrapped copies, which it cannot open.")
    click.echo(f"The next rotation is due on {_day(done.clinician.rotation_due_at())}.")


@command.command()
@click.argument("epoch", type=click.IntRange(min=1))
@click.option("--yes", is_flag=True, help="Do not ask. There is no way back.")
@client_options
def shred(
    epoch: int,
    yes: bool,
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
) -> None:
    """Destroy the key of EPOCH, here and on the server: its records can never be opened again.

    Copies of the key file that you keep elsewhere still hold it; destroy or replace those too.

    \b
        onebreath keys shred 3
    """
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        devices = judged(client, clinician)
        if not yes:
            click.echo(
                f"Records that were sealed under epoch {epoch} can then be opened by nobody.", err=True
            )
            for sentence in _still_waiting(clinician, devices, epoch):
                click.echo(sentence, err=True)
            if click.prompt("Type the epoch's number to go on", err=True) != str(epoch):
                raise click.Abort
        # A device that proved a link of that time could not be believed any more without its approval.
        approve_proved(client, clinician, devices)
        _carry_notes_over(client, clinician, devices, epoch)
        rotating.shred(path, clinician, KeysClient(client), epoch, now=int(time.time()))
    click.echo(f"The key of epoch {epoch} is destroyed. Destroy your other copies of {path.name} too.")


def _still_waiting(clinician: Clinician, devices: list[Device], epoch: int) -> list[str]:
    """A sentence for each device that may hold records sealed under this epoch (page/views/rotation.js)."""
    later = [one.stated for one in clinician.epochs if one.number > epoch]
    next_at = min(later, key=lambda stated: stated.epoch).issued_at if later else None
    said = []
    for device in devices:
        entry, name = device.entry, label_of(device, clinician)
        heard = _seconds(entry.last_seen_at)
        since = heard is not None and next_at is not None and heard > next_at
        if entry.state == "revoked" or (entry.outbox_depth == 0 and since):
            continue
        who = f"Device {device.name}" + ("" if name is None else f" ({safe(name)})")
        if entry.last_seen_at is None:
            said.append(f"{who} never called; what it holds may be sealed to this key.")
        else:
            day = safe(entry.last_seen_at)[:10]
            said.append(f"{who} last called on {day}; what it still holds may be sealed to this key.")
    return said


def _seconds(text: str | None) -> int | None:
    """Unix seconds of a server's time; None for none, or one that cannot be read."""
    try:
        return None if text is None else int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp())
    except ValueError:
        return None


def _carry_notes_over(
    client: ClinicianClient, clinician: Clinician, devices: list[Device], epoch: int
) -> None:
    """What they noted for themselves and only this epoch's key opens is sealed to the one in use first."""
    leaving = next((one.key_id for one in clinician.epochs if one.number == epoch), None)
    if leaving is None or epoch == clinician.stated.epoch:
        return
    moved = 0
    for device in devices:
        sealed = label_leaving(device, clinician, leaving)
        if sealed is not None:
            client.label(device.entry.device_id, sealed)
            moved += 1
        for consent in consents_leaving(clinician, fetch_consents(client, device.entry.device_id), leaving):
            give_consent(client, consent)
            moved += 1
        for note in fetch_notes(client, device.entry.device_id):
            kept = note_leaving(clinician, note, leaving)
            if kept is not None:
                put_note(client, kept)
                moved += 1
    for mark in marks_leaving(clinician, records_client.marks(client), leaving):
        records_client.put_mark(
            client, mark.device_id, mark.record_id, version=mark.version, sealed=mark.sealed
        )
        moved += 1
    if moved:
        click.echo(f"Names, marks and notes sealed to the key in use: {moved}.", err=True)


@command.command("confirm")
@click.argument("colleague")
@_FINGERPRINT
@client_options
def confirm_colleague(
    colleague: str,
    fingerprint: str | None,
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
) -> None:
    """Confirm COLLEAGUE's fingerprint (a name, or the beginning of an id), so that you can share.

    Both of you read yours from `onebreath keys list` and tell it to the other by voice or on paper.
    """
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named(clinician, KeysClient(client).colleagues(), colleague)
    confirm(path, clinician, one, fingerprint, _ask)
    click.echo(f"{safe(one.stated.name)} is confirmed.")


@command.command()
@click.option("--to", "colleague", required=True, help="The colleague: a name, or the beginning of an id.")
@_FINGERPRINT
@click.option("--device", help="Only of this device: its id, or enough of its beginning.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), help="Only from this day on, by the client's calendar."
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="Only to this day, by the client's calendar."
)
@click.option("--record", "wanted", multiple=True, help="Only this record: its id. Can be given again.")
@click.option("--all", "everything", is_flag=True, help="All records.")
@client_options
def share(
    colleague: str,
    fingerprint: str | None,
    device: str | None,
    since: datetime | None,
    until: datetime | None,
    wanted: tuple[str, ...],
    everything: bool,
    server: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    recovery: bool,
) -> None:
    """Let a colleague of your practice read chosen records, as during a cover.

    They read them with `onebreath read --shared`, under your name. End it with `onebreath keys unshare`;
    what they have read by then, they have read.

    \b
        onebreath keys share --to "Dr Lee" --device 3f2a --since 2026-03-02
    """
    if not (everything or device or since or until or wanted):
        raise click.UsageError("Say which records: --device, --since, --until, --record, or --all")
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        keys = KeysClient(client)
        one = named(clinician, keys.colleagues(), colleague)
        clinician = confirm(path, clinician, one, fingerprint, _ask)
        listing = client.records()
        reading = read(clinician, client.devices(), listing, load_memory(memory_path(path)) or Memory())
        chosen = [record for record in reading.records if _is_chosen(record, device, since, until, wanted)]
        if not chosen:
            raise ServerError("No record is chosen.", "See them with: onebreath read --all --json")
        made = shares_for(clinician, reading, listing, chosen, one.stated.reading)
        added = keys.share(one.id, made)
    click.echo(f"{safe(one.stated.name)} can read {_count(len(made))} of yours; {added} of them are new.")


@command.command()
@click.option("--to", "colleague", required=True, help="The colleague: a name, or an id.")
@client_options
def unshare(
    colleague: str, server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool
) -> None:
    """End a colleague's cover: take back everything you shared with them.

    \b
        onebreath keys unshare --to "Dr Lee"
    """
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        keys = KeysClient(client)
        if len(colleague) == 32 and set(colleague) <= set("0123456789abcdef"):
            removed = keys.end_shares(bytes.fromhex(colleague))
        else:
            removed = keys.end_shares(named(clinician, keys.colleagues(), colleague).id)
    click.echo(f"Taken back: {_count(removed)}.")


def rotation_notice(clinician: Clinician, now: int) -> str:
    """What is to be said about the next rotation; empty when there is nothing to do."""
    if clinician.upcoming is not None:
        return "A rotation was interrupted. Finish it: onebreath keys rotate"
    due = clinician.rotation_due_at()
    return (
        "" if now < due else f"Your reading key was due to be changed on {_day(due)}: onebreath keys rotate"
    )


def _table(clinician: Clinician, served: ServedKeys) -> Table:
    copies = {one.epoch for one in served.epochs if one.wrapped is not None}
    table = Table(show_edge=False, pad_edge=False)
    for title in ("Epoch", "Since", "Key", "Copy on the server"):
        table.add_column(title, no_wrap=True)
    table.add_row("identity", "", "in this file", "wrapped" if IDENTITY_EPOCH in copies else "none")
    made = (*clinician.epochs, *((clinician.upcoming,) if clinician.upcoming else ()))
    for epoch in made:
        if epoch.shredded_at is not None:
            state = f"destroyed on {_day(epoch.shredded_at)}"
        elif epoch is clinician.upcoming:
            state = "interrupted: run `onebreath keys rotate`"
        else:
            state = "in use" if epoch.number == clinician.stated.epoch else "in this file, for older records"
        copy = "wrapped" if epoch.number in copies else "none"
        table.add_row(*map(Text, (str(epoch.number), _day(epoch.stated.issued_at), state, copy)))
    held = {epoch.number for epoch in made}
    for one in served.epochs:
        if one.epoch not in held and one.epoch != IDENTITY_EPOCH:
            table.add_row(str(one.epoch), "", "not in this file", "wrapped" if one.wrapped else "none")
    return table


def _is_chosen(
    record: Record,
    device: str | None,
    since: datetime | None,
    until: datetime | None,
    wanted: tuple[str, ...],
) -> bool:
    return (
        (device is None or record.device_id.hex().startswith(device.lower().strip()))
        and (since is None or record.at.date() >= since.date())
        and (until is None or record.at.date() <= until.date())
        and (not wanted or record.record_id.hex() in wanted)
    )


def _ask(question: str) -> str:
    return str(click.prompt(safe(question), err=True))


def _count(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
