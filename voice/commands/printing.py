"""How `replay` and `listen` write what happens."""

from __future__ import annotations

import json

import click

from voice.reports import Report


class Printer:
    """Writes each report to standard output as it comes."""

    def __init__(self, as_json: bool, *, content: bool = True) -> None:
        self._as_json = as_json
        self._content = content

    def saw(self, report: Report) -> None:
        """Write one report; without what the client said or named where `content` is False."""
        shown = report if self._content else report.without_content()
        text = json.dumps(shown.as_json(), ensure_ascii=False) if self._as_json else shown.as_text()
        click.echo(text)
