"""docs/security.md names a test for every claim: each is there, and nothing in the tables is without one."""

from __future__ import annotations

import ast
import re

import pytest

from voice.adapters.resources import checkout

_CHECKOUT = checkout()
assert _CHECKOUT is not None, "these tests read the source"
ROOT = _CHECKOUT
TEXT = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+(?:::\w+)?)`", TEXT)))


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_is_named_is_there(named: str) -> None:
    file, _, test = named.partition("::")
    path = ROOT / file
    assert path.exists()
    if test:
        functions = [
            node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
        ]
        assert test in functions


def test_every_claim_of_a_safeguard_names_a_test() -> None:
    tables = TEXT.split("## HIPAA technical safeguards")[1].split("Not met:")[0]
    rows = [
        line
        for line in tables.splitlines()
        if line.startswith("| ") and not line.startswith(("| item", "| proposed item"))
    ]
    assert len(rows) > 30
    for row in rows:
        shown = row.strip().rstrip("|").rsplit("|", 1)[1]
        assert "`tests/" in shown or "shown by inspection" in shown, row
