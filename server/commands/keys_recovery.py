"""`onebreath keys recovery ...`: a key of the practice that reads when a clinician's own keys are lost."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import click
from rich.console import Console

from server.clinician_client import ClinicianClient
from server.colleagues import spoken_fingerprint
from server.commands.opening import DATABASE, opened
from server.commands.unlocking import client_options, new_passphrase, unlocked
from server.errors import ServerError
from server.key_export import sealed_queue
from server.keyfile import change, default_key_file
from server.keys_client import KeysClient
from server.reader_view import document, show
from server.recovery_key import (
    make_recovery_key,
    read_export,
    unlock_recovery_key,
    unlock_recovery_key_by_code,
)
from voice.wire.encoding import agreement_key, b64url, from_b64url
from voice.wire.endorsement import parse_endorsement, sign_endorsement, sign_withdrawal
from voice.wire.errors import FrameError

_FILE = click.Path(path_type=Path, dir_okay=False)
_RECOVERY_FILE = click.option("--recovery-file", type=_FILE, required=True, help="The recovery key's file.")
_PASSPHRASE_FILE = click.option(
    "--passphrase-file", type=_FILE, help="Read the passphrase from this file's first line."
)


@click.group()
def recovery() -> None:
    """A second key that your devices also seal to, held by someone in the practice.

    Only if you choose so, and never in secret: the device tells the client who else can read.

    \b
        onebreath keys recovery new --holder "Elm Street practice" --recovery-file elm.recovery.json
        onebreath keys recovery set --holder "Elm Street practice" --key PUBLIC
        onebreath keys recovery withdraw
    """


@recovery.command()
@click.option("--holder", required=True, help='Who holds it, as devices say it ("Elm Street practice").')
@_RECOVERY_FILE
@_PASSPHRASE_FILE
def new(holder: str, recovery_file: Path, passphrase_file: Path | None) -> None:
    """Make a recovery key. For its holder, on a machine that is not the server."""
    made, code = make_recovery_key(recovery_file, holder=holder, passphrase=new_passphrase(passphrase_file))
    click.echo(f"Recovery key of {holder}: {recovery_file}")
    click.echo(f"Clinicians endorse it with: --key {b64url(made.public.public_bytes_raw())}")
    click.echo("Code, shown this once. Print it and keep it where the file is not:")
    click.echo(f"\n    {code}\n")


@recovery.command("set")
@click.option("--holder", required=True, help='Who holds it, as devices say it ("Elm Street practice").')
@click.option("--key", "public", required=True, help="The public key that its holder gave you.")
@client_options
def endorse(
    holder: str, public: str, server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool
) -> None:
    """Let your devices seal new records to the recovery key too, and say so to the client.

    Take the key from its holder in person or on paper, not from the server.
    """
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    try:
        signed = sign_endorsement(
            clinician.identity,
            clinician_id=clinician.id,
            number=_next_number(clinician.endorsement),
            from_epoch=clinician.stated.epoch,
            key=agreement_key(from_b64url(public.strip(), 32)),
            holder=holder,
        )
    except (FrameError, ValueError) as error:
        raise ServerError(
            f"The recovery key cannot be endorsed: {error}.", "Copy it again, whole."
        ) from error
    # Kept first: a number that devices may have seen is then never given twice.
    clinician = change(path, clinician, endorsement=signed)
    with ClinicianClient(server, clinician) as client:
        KeysClient(client).endorse(signed)
    click.echo(f"Your devices also seal to {holder}, once they have called, and tell the client so.")
    click.echo(f"For {holder} to note, with your name: {spoken_fingerprint(clinician.public)}")


@recovery.command()
@client_options
def withdraw(server: str, key_file: Path | None, passphrase_file: Path | None, recovery: bool) -> None:
    """Let your devices seal to you alone again. What was sealed before stays readable to the holder."""
    path = key_file or default_key_file()
    clinician = unlocked(path, passphrase_file, recovery)
    if clinician.endorsement is None:
        raise ServerError("Your devices seal to you alone already.")
    signed = sign_withdrawal(
        clinician.identity,
        clinician_id=clinician.id,
        number=_next_number(clinician.endorsement),
        from_epoch=clinician.stated.epoch,
    )
    clinician = change(path, clinician, endorsement=signed)
    with ClinicianClient(server, clinician) as client:
        KeysClient(client).endorse(signed)
    click.echo("Withdrawn. Each device stops when it next calls.")


@recovery.command()
@click.argument("clinician")
@click.option("--out", type=_FILE, required=True, help="Where to write the sealed queue.")
@DATABASE
def export(clinician: str, out: Path, database: str | None) -> None:
    """Write CLINICIAN's sealed queue to a file. On the server's machine; audited, and nothing is opened."""
    with opened(database) as store:
        try:
            # First the place to write to: what is audited is then also handed over.
            with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                queue = sealed_queue(store.database, clinician, now=int(time.time()))
                json.dump(queue, file)
        except ServerError:
            out.unlink(missing_ok=True)
            raise
        except OSError as error:
            raise ServerError(
                f"{out} cannot be written ({error.strerror}).", "Give another place."
            ) from error
    click.echo(f"{len(queue['records'])} sealed records are in {out}. Take it to whoever holds the key.")


@recovery.command("open")
@click.argument("export", type=_FILE)
@click.option(
    "--fingerprint", required=True, help="The clinician's, as it was noted when they endorsed the key."
)
@click.option("--code", is_flag=True, help="Ask for the printed code instead of the passphrase.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document (docs/reader.md).")
@_RECOVERY_FILE
@_PASSPHRASE_FILE
def open_queue(
    export: Path,
    fingerprint: str,
    code: bool,
    as_json: bool,
    recovery_file: Path,
    passphrase_file: Path | None,
) -> None:
    """Open a clinician's EXPORT with the recovery key, on a machine that is not the server."""
    if code:
        key = unlock_recovery_key_by_code(recovery_file, click.prompt("Code", err=True))
    elif passphrase_file is not None:
        key = unlock_recovery_key(recovery_file, passphrase_file.read_text("utf-8").split("\n")[0])
    else:
        key = unlock_recovery_key(recovery_file, click.prompt("Passphrase", hide_input=True, err=True))
    try:
        queue = json.loads(export.read_bytes())
    except (OSError, ValueError) as error:
        raise ServerError(f"{export} cannot be read as a sealed queue.", "Export it again.") from error
    name, reading = read_export(queue, key, fingerprint)
    if as_json:
        click.echo(json.dumps(document(name, reading, reading.records), indent=1))
    else:
        show(Console(), reading, reading.records)


def _next_number(endorsement: bytes | None) -> int:
    return 1 if endorsement is None else parse_endorsement(endorsement).number + 1
