"""`onebreath backup`: options and wording only."""

from __future__ import annotations

import time
from pathlib import Path

import click

from server import backup
from server.answers import iso
from server.backup_file import Manifest
from server.commands.opening import url_of

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_CONFIG = click.option("--config", type=_PATH, help="The server's settings, TOML.")
_DATABASE = click.option("--database", help="The server's database: an SQLite file, or a URL.")


@click.group("backup")
def command() -> None:
    """Back up the server's database, check a backup, bring one back.

    A backup is taken while the server runs. It holds sealed records, which it cannot open either.

    \b
    Examples:
      onebreath backup create /var/backups/onebreath
      onebreath backup verify /var/backups/onebreath/onebreath-20261122T030000Z.onebreath-backup
      onebreath backup restore FILE --database /var/lib/onebreath/onebreath.db
    """


@command.command("create")
@click.argument("target", type=_PATH)
@_DATABASE
@_CONFIG
def create(target: Path, database: str | None, config: Path | None) -> None:
    """Write a backup to TARGET: a new file, or a folder in which it gets a name of its own.

    The backup is checked as `verify` does before this says that it is there.
    """
    path, manifest = backup.create(url_of(database, config), target, now=int(time.time()))
    click.echo(f"Backed up to {path}")
    _describe(manifest)


@command.command("verify")
@click.argument("file", type=_FILE)
def verify(file: Path) -> None:
    """Check FILE: its digest, its database, every record, and the audit log's chain."""
    manifest = backup.verify(file)
    click.echo(f"{file} is whole.")
    _describe(manifest)


@command.command("restore")
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace a database that is not empty.")
@_DATABASE
@_CONFIG
def restore(file: Path, database: str | None, config: Path | None, force: bool) -> None:
    """Make the database what it was when FILE was made. Stop the server first.

    What happened since then is not in it. A device deletes a record once the server has acknowledged it,
    so records that arrived after the backup are gone. A device that was revoked since then is not revoked
    any more, and keys that were shredded since then are back: do these again.
    """
    restored = backup.restore(file, url_of(database, config), now=int(time.time()), force=force)
    click.echo("Restored.")
    _describe(restored.manifest)
    if restored.set_aside is not None:
        click.echo(f"The database that was there is kept as {restored.set_aside}")
    click.echo(
        "Everyone has been signed out. Whatever happened since the backup is not in it: "
        "revoke, pause and shred again what was revoked, paused or shredded after it."
    )


def _describe(manifest: Manifest) -> None:
    counts = manifest.counts
    click.echo(
        f"  made {iso(manifest.made_at)} from {manifest.kind}, schema {manifest.revision}, "
        f"{manifest.size} bytes, SHA-256 {manifest.sha256}"
    )
    click.echo(
        f"  {counts.get('records', 0)} records, {counts.get('devices', 0)} devices, "
        f"{counts.get('clinicians', 0)} clinicians; audit log to entry {manifest.audit_sequence}, "
        f"head {manifest.audit_digest}"
    )
