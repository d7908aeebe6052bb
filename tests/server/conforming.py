"""Whether an answer is one that the OpenAPI document tells of: its status, its kind, its fields, its code.

`pytest -p tests.server.conforming tests/server` holds every answer of every test there to the document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
import pytest

from server.openapi import document


@cache
def _operations() -> tuple[tuple[str, re.Pattern[str], Mapping[str, Any]], ...]:
    return tuple(
        (method.upper(), re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    )


def conforms(method: str, path: str, answer: httpx.Response) -> None:
    """Raise AssertionError for an answer of a documented call that the document does not tell of."""
    plain = path.partition("?")[0]
    found = [one for wanted, pattern, one in _operations() if wanted == method and pattern.fullmatch(plain)]
    if not found:
        return
    operation = found[0]
    said = f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    response = operation["responses"].get(str(answer.status_code))
    assert response is not None, said
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert kind in response["content"], f"{said}: {kind}"
    if kind == "application/json":
        try:
            jsonschema_rs.validate(response["content"][kind]["schema"], json.loads(answer.content))
        except jsonschema_rs.ValidationError as error:
            raise AssertionError(f"{said}: {error.message}") from error


@pytest.fixture(autouse=True)
def every_answer_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at all that the rig gets back."""
    from tests.server.server_rig import Rig

    send = Rig.send

    def looked_at(self: Rig, *calls: tuple[str, str, bytes, Mapping[str, Any]]) -> list[httpx.Response]:
        answers = send(self, *calls)
        for (method, path, *_), answer in zip(calls, answers, strict=True):
            conforms(method, path, answer)
        return answers

    monkeypatch.setattr(Rig, "send", looked_at)
