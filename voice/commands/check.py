"""`onebreath check`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from voice import assemble_check
from voice.adapters.identity import default_home
from voice.commands import options
from voice.commands.forecast import describe, document


@click.command(short_help="Is everything ready for tonight?")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.home
def command(home: Path | None, as_json: bool) -> int:
    """Say what this device has and what it lacks: parts and their forecasts, pairing, models, sound, storage.

    Exit code 0 when nothing it needs is missing, 1 otherwise. Sound is looked at and not needed: the device
    may be set up before its microphone is plugged in.

    \b
        onebreath check
    """
    found, cards = assemble_check.look(home or default_home())
    alike = assemble_check.alike(cards)
    if as_json:
        parts = [document(card, alike[card.name]) for card in cards]
        click.echo(json.dumps({"ready": assemble_check.ready(found), "checks": [asdict(f) for f in found],
                               "parts": parts}, ensure_ascii=False, indent=1))  # fmt: skip
    else:
        for finding in found:
            mark = "ok  " if finding.ok else ("!   " if finding.needed else "-   ")
            click.echo(f"{mark}{finding.subject}: {finding.state}")
            if finding.remedy and not finding.ok:
                click.echo(f"      {finding.remedy}")
        for card in cards:
            click.echo(describe(card, alike[card.name]))
    sys.stdout.flush()
    return 0 if assemble_check.ready(found) else 1
