"""docs/account_calls.md says all that the calls of people at a browser are, and no more."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from fastapi.routing import APIRoute

import server
from server import account_api, practice_api, sign_in_api

DOCS = (Path(server.__file__).parent.parent / "docs" / "account_calls.md").read_text("utf-8")
MODULES = (
    "sign_in_api",
    "account_api",
    "practice_api",
    "account_recovery",
    "account_roles",
    "account_set_up",
    "accounts",
    "attempts",
    "passkeys",
    "practices",
)


def test_every_call_is_described_and_every_description_is_a_call() -> None:
    found = set()
    for router in (sign_in_api.router, account_api.router, practice_api.router):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            found |= {f"{method} {route.path}" for method in route.methods or ()}
    said = set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) [^`]+)`", DOCS, re.MULTILINE))
    assert found == said
    assert len(found) == 31


def test_every_code_is_described() -> None:
    missing = set()
    for name in MODULES:
        tree = ast.parse((Path(server.__file__).parent / f"{name}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RefusedError":
                code = node.args[1]
                assert isinstance(code, ast.Constant)
                assert isinstance(code.value, str)
                if f"`{code.value}`" not in DOCS and code.value != "practice":  # the command line's alone
                    missing.add(code.value)
    assert not missing
