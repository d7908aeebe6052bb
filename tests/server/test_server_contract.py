"""FORMAT.md says all that the server says: every call and every code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

import server
import voice.wire
from server import clinician_api, device_api
from server.schema import STATES

FORMAT = (Path(voice.wire.__file__).parent / "FORMAT.md").read_text("utf-8")


def codes() -> Iterator[tuple[str, int, str]]:
    """Every refusal that is written in the server's sources with its status and code."""
    for path in sorted(Path(server.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "RefusedError":
                continue
            status, code = node.args[:2]
            if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
                yield path.name, int(str(status.value)), str(code.value)


def test_every_code_is_in_the_contract() -> None:
    found = list(codes())
    assert len(found) > 20
    for name, status, code in found:
        assert f"`{code}`" in FORMAT, (name, status, code)
        assert str(status) in FORMAT, (name, status, code)
    for state in STATES:
        assert f"`{state}`" in FORMAT


def test_every_call_is_in_the_contract() -> None:
    routes = [*device_api.router.routes, *clinician_api.router.routes]
    assert len(routes) == 11
    for route in routes:
        assert isinstance(route, APIRoute)
        assert route.methods is not None
        [method] = route.methods
        spelt = route.path.replace("{device}", "{device hex}").replace("{record}", "{record hex}")
        spelt = spelt.replace("{pairing}", "{pairing b64url}")
        assert f"`{method} {spelt}" in FORMAT, spelt
