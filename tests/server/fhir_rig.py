"""FHIR for tests: a server in node (fhir_server.mjs), and two validators of R4."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.documentreference import DocumentReference

from tests.page.page_peer import ROOT, node

SERVER: Final = Path(__file__).with_name("fhir_server.mjs")
TOKEN: Final = "a.token-of_the~test+/=="


class FhirRig:
    """A running FHIR server. `url` is its base address."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = str(self._answer("its start")["url"])

    def validate(self, resource: dict[str, Any]) -> list[Any]:
        """What Medplum's validator finds, by HL7's definitions of R4 (4.0.1): errors and warnings."""
        return list(self._ask("validate", resource=resource)["issues"])

    def stored(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The documents that are there, and what was asked since the last time."""
        answer = self._ask("stored")
        return answer["resources"], answer["asked"]

    def fail(self, *how: int | str) -> None:
        """What becomes of the next posts: a status, "lost" (done, no answer), "drop" (not done), or "no"."""
        self._ask("fail", how=how)

    def state(self, statement: dict[str, Any]) -> None:
        """What /metadata answers from now on."""
        self._ask("statement", statement=statement)

    def _ask(self, op: str, **fields: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self._process.stdin.flush()
        return self._answer(op)

    def _answer(self, op: str) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the FHIR server failed on {op}; its words are on stderr"
        return json.loads(line)


def medplum(name: str) -> Path:
    """The folder of one of Medplum's packages; skips where it is not installed, and fails in CI."""
    found = ROOT / "node_modules" / "@medplum" / name
    if not found.is_dir():
        reason = f"@medplum/{name} is not in node_modules (npm ci); FHIR was not tested with it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def fhir_server() -> Iterator[FhirRig]:
    """The server, until the block ends; skips where it is not installed, and fails in CI."""
    medplum("fhir-router")
    process = subprocess.Popen(
        [node(), str(SERVER), TOKEN],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        yield FhirRig(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()


def parsed(data: bytes) -> Bundle:
    """The bundle by fhir.resources' models of R4B, which take no element that R4B does not have.

    R4B (4.3.0) left Bundle and DocumentReference as R4 (4.0.1) has them.
    """
    made = Bundle.model_validate_json(data)
    for entry in made.entry or ():
        assert isinstance(entry.resource, DocumentReference)
    return made
