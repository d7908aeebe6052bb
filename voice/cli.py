"""`onebreath`: finds the command that was typed, and says errors the way a person can use them."""

from __future__ import annotations

import importlib
import sys
from typing import Final, NoReturn

import click

from voice.errors import OnebreathError

COMMANDS: Final = {
    "listen": "voice.commands.listen",
    "replay": "voice.commands.replay",
    "enrol": "voice.commands.enrol",
    "consent": "voice.commands.consent",
    "check": "voice.commands.check",
    "models": "voice.commands.models",
    "pair": "voice.commands.pair",
    "demo": "voice.commands.demo",
    "serve": "server.commands.serve",
    "backup": "server.commands.backup",
    "practice": "server.commands.practice",
    "account": "server.commands.account",
    "clinician": "server.commands.clinician",
    "read": "server.commands.read",
    "records": "server.commands.records",
    "audit": "server.commands.audit",
    "keys": "server.commands.keys",
    "page": "server.commands.page",
}
"""Each command's module; it holds a click command named `command`. Imported only when it is needed."""

EXTRAS: Final = {"voice": "device", "server": "server"}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        try:
            command = importlib.import_module(module).command
        except ModuleNotFoundError as missing:
            if missing.name in COMMANDS.values():
                return None
            extra = EXTRAS[module.split(".")[0]]
            return _not_installed(cmd_name, missing.name or "a package", extra)
        assert isinstance(command, click.Command)  # noqa: S101
        return command


def _not_installed(name: str, package: str, extra: str) -> click.Command:
    def refuse() -> NoReturn:
        raise OnebreathError(
            f"`onebreath {name}` needs {package}, which is not installed here.",
            f"Install it with: pip install 'onebreath[{extra}]'",
        )

    return click.Command(name, callback=refuse, help=f"(needs the {extra} extra)")


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="onebreath")
def onebreath() -> None:
    """A private voice skill between therapy sessions.

    It hears the client's own name for a part, plays the client's own phrase, asks for one line, and seals
    that line for the clinician. No audio leaves the device.
    """


def main() -> NoReturn:
    """Run one command. Exit 0 when it did its work, 1 when it could not and said why, 2 for a usage error."""
    try:
        status = onebreath.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as usage:
        usage.show()
        sys.exit(usage.exit_code)
    except OnebreathError as error:
        click.echo(f"Error: {error.cause}", err=True)
        if error.remedy:
            click.echo(f"       {error.remedy}", err=True)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
