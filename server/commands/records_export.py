"""`onebreath records export` and `onebreath records post-fhir`: options and wording only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from server import records_client
from server.clinician_client import ClinicianClient, Listing
from server.commands.cards import named_device
from server.commands.unlocking import client_options, judged, unlocked
from server.errors import ServerError
from server.fhir import PATIENT, DoubledError, bundle, if_none_exist, spell
from server.fhir_client import FhirServer, Outcome
from server.keyfile import Clinician, default_key_file
from server.reader import Device, Reading, Record, read
from server.reader_memory import load_memory, memory_path
from server.reader_notes import label_of, read_marks, with_marks
from server.reader_sequence import Memory
from server.reader_tombstones import Deleted
from server.reader_view import safe
from server.record_export import Choice, Export, check_free, choose, to_json, to_text, write_new

F = TypeVar("F", bound=Callable[..., Any])

ENDINGS: Final = {"json": "json", "text": "txt", "fhir": "fhir.json"}
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)

_CHOOSING: Final = (
    click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only records of this day and later."),
    click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Only records of this day and earlier."),
    click.option(
        "--record",
        "ids",
        multiple=True,
        help="Only this record: its id, or enough of its beginning. May be given several times.",
    ),
    click.option(
        "--discussed/--not-discussed",
        default=None,
        help="Only records that are marked as discussed, or that are not.",
    ),
)
_PATIENT = click.option(
    "--patient",
    help="The client on the FHIR server, such as Patient/123. A file without it names the device as author.",
)


def choosing_options(command: F) -> F:
    """--since, --until, --record, --discussed."""
    for option in reversed(_CHOOSING):
        command = option(command)
    return command


@click.command()
@click.argument("device")
@click.option(
    "--format",
    "as_",
    type=click.Choice(["json", "text", "fhir"]),
    default="json",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The new file; never written over another. [default: onebreath-DEVICE, .json, .txt or .fhir.json]",
)
@_PATIENT
@choosing_options
@client_options
def export(
    device: str, as_: str, out: Path | None, patient: str | None,
    since: datetime | None, until: datetime | None, ids: tuple[str, ...], discussed: bool | None,
    server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool,
) -> None:  # fmt: skip
    """Export DEVICE's client, or chosen records, opened on this computer, for your eyes alone (mode 0600).

    With each record's words comes whether all is there and holds. The server's audit log tells of the export
    before the file is written; the server sees neither the file nor a word of it. Days are the client's own.

    As fhir it is a FHIR R4 transaction with one DocumentReference a record (docs/fhir.md).

    \b
        onebreath records export 3f2a --out ana.json
        onebreath records export 3f2a --format text --since 2026-03-02 --not-discussed
        onebreath records export 3f2a --format fhir --patient Patient/123 --record 90c1
    """
    if patient is not None and as_ != "fhir":
        raise click.UsageError("--patient goes with --format fhir.")
    checked_patient(patient)
    clinician = unlocked(key_file, passphrase_file, recovery)
    with ClinicianClient(server, clinician) as client:
        one = named_device(device, judged(client, clinician))
        path = out or Path(f"onebreath-{one.name}.{ENDINGS[as_]}")
        check_free(path)
        reading, deleted = of_device(client, clinician, one, key_file)
        records = choose(reading.records, _choice(since, until, ids, discussed))
        if not records and (as_ == "fhir" or len(reading.records) > 0):
            raise _nothing()
        at = records_client.export(client, one.entry.device_id, records=len(records))
    if as_ == "fhir":
        data = spell(_documents(records, reading, at, patient)).decode("utf-8")
        _tell_of_flags(reading)
    else:
        made = Export(clinician.name, one.name, label_of(one, clinician), at, reading, deleted, records)
        data = to_json(made) if as_ == "json" else to_text(made)
    write_new(path, data)
    click.echo(f"Exported {counted(len(records))} to {path}. It is not sealed: keep it safe.")


@click.command("post-fhir")
@click.argument("device")
@click.argument("url")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Send the bearer token in this file's first line.",
)
@_PATIENT
@click.option("--yes", is_flag=True, help="Do not ask.")
@choosing_options
@client_options
def post_fhir(
    device: str, url: str, token_file: Path | None, patient: str | None, yes: bool,
    since: datetime | None, until: datetime | None, ids: tuple[str, ...], discussed: bool | None,
    server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool,
) -> None:  # fmt: skip
    """Post chosen records of DEVICE to the FHIR R4 server at URL, each as one DocumentReference.

    The records are opened on this computer and go to that server from here. What is there already is known by
    its identifier and left as it is, so this can be run again at any time. URL is the server's base address,
    and https unless it is on this machine.

    \b
        onebreath records post-fhir 3f2a https://fhir.example/r4 --patient Patient/123 \\
            --token-file token.txt --since 2026-03-02
    """
    if patient is None:
        raise click.UsageError("Say whose record it is there: --patient Patient/ID.")
    checked_patient(patient)
    with FhirServer(url, _token(token_file), sleep=time.sleep) as there:
        clinician = unlocked(key_file, passphrase_file, recovery)
        with ClinicianClient(server, clinician) as client:
            one = named_device(device, judged(client, clinician))
            reading, _ = of_device(client, clinician, one, key_file)
            records = choose(reading.records, _choice(since, until, ids, discussed))
            if not records:
                raise _nothing()
            there.check()
            if not yes:
                client_name = safe(label_of(one, clinician) or f"device {one.name[:8]}")
                click.confirm(
                    f"Post {counted(len(records))} of {client_name} as {patient} to {there.base}?", abort=True
                )
            at = records_client.export(client, one.entry.device_id, records=len(records))
        _tell_of_flags(reading)
        _post(there, records[::-1], _documents(records, reading, at, patient))


def of_device(
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


def counted(records: int) -> str:
    """`1 record`, `3 records`."""
    return "1 record" if records == 1 else f"{records} records"


def checked_patient(patient: str | None) -> None:
    """Raise ServerError for a reference of another form."""
    if patient is not None and not PATIENT.fullmatch(patient):
        raise ServerError(
            "--patient is not a reference to a patient.", "Give it as the FHIR server has it: Patient/123"
        )


def _documents(
    records: tuple[Record, ...], reading: Reading, exported_at: str, patient: str | None
) -> dict[str, Any]:
    """The chosen records, newest first, as a bundle, oldest first. Raises ServerError."""
    try:
        return bundle(records[::-1], reading.flags, exported_at=exported_at, patient=patient)
    except DoubledError as error:
        raise ServerError(
            "Two of the chosen records claim one id and number; as documents they could not be told apart.",
            "Leave them out, or export them as text or JSON.",
        ) from error
    except ValueError as error:
        raise ServerError(
            "The server's answer is not of this version.", "Update Onebreath, or check --server."
        ) from error


def _post(there: FhirServer, records: tuple[Record, ...], documents: dict[str, Any]) -> None:
    """Create each document; say how many, also when one of them fails."""
    done: list[Outcome] = []
    try:
        for record, entry in zip(records, documents["entry"], strict=True):
            done.append(there.create(entry["resource"], if_none_exist(record)))
    finally:
        made, known = done.count(Outcome.CREATED), done.count(Outcome.THERE)
        left = len(records) - len(done)
        rest = f" Not posted: {left}; run this again, nothing is created twice." if left else ""
        click.echo(f"Created: {made}. There already: {known}.{rest}")


def _tell_of_flags(reading: Reading) -> None:
    """A document says what is wrong with its own record; whatever else is wrong has none to stand in."""
    for flag in reading.flags:
        click.echo(f"! {safe(flag.message)}", err=True)


def _choice(
    since: datetime | None, until: datetime | None, ids: tuple[str, ...], discussed: bool | None
) -> Choice:
    return Choice(
        None if since is None else since.date(), None if until is None else until.date(), ids, discussed
    )


def _nothing() -> ServerError:
    return ServerError(
        "No record was chosen, so nothing was exported.", "See them with: onebreath read --json"
    )


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ServerError(f"{path} cannot be read as text.", "Check the file.") from error
    if not lines or not _TOKEN.fullmatch(lines[0]):
        raise ServerError(f"{path} holds no bearer token.", "Put the token alone into its first line.")
    return lines[0]
