"""`onebreath serve`: options and wording only."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from server.serving import Listener
from server.settings import database_url, from_environment

_FILE = click.Path(path_type=Path)


@click.command("serve")
@click.option("--host", help="The address to listen on. [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes any free one. [8750]")
@click.option("--database", help="An SQLite file, or a database URL. [in your data folder]")
@click.option("--public-url", help="The origin that devices use, behind a proxy: https://clinic.example")
@click.option("--certfile", type=_FILE, help="TLS certificate chain, PEM.")
@click.option("--keyfile", type=_FILE, help="TLS private key, PEM.")
def command(
    host: str | None,
    port: int | None,
    database: str | None,
    public_url: str | None,
    certfile: Path | None,
    keyfile: Path | None,
) -> None:
    """Run the practice's server.

    It keeps sealed records that it cannot open. The database is made, checked and brought up to date
    first. Ctrl-C, or SIGTERM, ends it after the calls under way.

    \b
    Examples:
      onebreath serve
      onebreath serve --database /var/lib/onebreath/onebreath.db --public-url https://clinic.example

    The same can be set with ONEBREATH_HOST, ONEBREATH_PORT, ONEBREATH_DATABASE and ONEBREATH_PUBLIC_URL.
    """
    settings = from_environment(os.environ)
    settings = replace(
        settings,
        host=host or settings.host,
        port=settings.port if port is None else port,
        database_url=database_url(database) if database else settings.database_url,
        public_url=public_url or settings.public_url,
        certfile=certfile,
        keyfile=keyfile,
    )
    listener = Listener.open(settings)
    click.echo(f"Onebreath is listening on {listener.url}")
    if not listener.private:
        click.echo("This address is plain http: put a TLS proxy before it, or give --certfile and --keyfile.")
    listener.serve()
    click.echo("Stopped.")
