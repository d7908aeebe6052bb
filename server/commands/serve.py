"""`onebreath serve`: options and wording only."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from server import logs
from server.configuration import load, read_document
from server.serving import Listener

_FILE = click.Path(path_type=Path)


@click.command("serve")
@click.option("--config", type=_FILE, help="Settings, TOML. [/etc/onebreath/server.toml, if it is there]")
@click.option("--host", help="The address to listen on. [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes any free one. [8750]")
@click.option("--database", help="An SQLite file, or a database URL. [in your data folder]")
@click.option("--public-url", help="The origin that devices use, behind a proxy: https://clinic.example")
@click.option("--certfile", type=_FILE, help="TLS certificate chain, PEM.")
@click.option("--keyfile", type=_FILE, help="TLS private key, PEM.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes. [1]")
@click.option(
    "--log-format", type=click.Choice(["auto", "json", "plain"]), help="[auto: plain for a terminal]"
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="[info]")
def command(config: Path | None, **given: object) -> None:
    """Run the practice's server.

    It keeps sealed records that it cannot open. The database is made, checked and brought up to date
    first. Ctrl-C, or SIGTERM, ends it after the calls under way; SIGHUP makes it read a renewed
    certificate.

    \b
    Examples:
      onebreath serve
      onebreath serve --database /var/lib/onebreath/onebreath.db --public-url https://clinic.example
      onebreath serve --config /etc/onebreath/server.toml --workers 4

    Every option, and more, can be set in the configuration file, or in the environment as
    ONEBREATH_PORT, ONEBREATH_DATABASE and so on; docs/server.md lists all. Here wins over the
    environment, and the environment over the file.
    """
    settings = load(os.environ, read_document(os.environ, config), given)
    logs.configure(settings.log_format, settings.log_level)
    listener = Listener.open(settings)
    click.echo(f"Onebreath is listening on {listener.url}")
    if not listener.private:
        click.echo("This address is plain http: put a TLS proxy before it, or give --certfile and --keyfile.")
    status = listener.serve()
    click.echo("Stopped." if status == 0 else "Stopped: some workers did not end by themselves.")
    sys.exit(status)
