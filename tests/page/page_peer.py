"""The page's own code as a process to talk to (peer.mjs), and what running it needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from voice.wire.encoding import b64url, from_b64url

ROOT: Final = Path(__file__).resolve().parents[2]
LEAST_NODE: Final = 20
"""Before 20, node has no global `crypto`; Debian 12's is 18."""

_TSC: Final = ROOT / "node_modules" / "typescript" / "bin" / "tsc"


class RefusedError(Exception):
    """The page's code refused what it was given; `kind` is the class of its error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


def node() -> str:
    """The path of a node that can run the page's code; skips without one, and fails in CI."""
    found = shutil.which("node")
    if found is None:
        _lacking("node is not installed; the page's code was not tested")
    said = subprocess.run([str(found), "--version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"v(\d+)", said)
    if version is None or int(version[1]) < LEAST_NODE:
        _lacking(f"node {said.strip()} is too old: the page's code needs {LEAST_NODE} for its tests")
    return str(found)


def compiler() -> str:
    """The path of the pinned TypeScript; skips without it, and fails in CI."""
    if not _TSC.is_file():
        _lacking("TypeScript is not in node_modules (npm ci): the page's types were not checked")
    return str(_TSC)


def _lacking(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Peer:
    """A running peer.mjs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, op: str, **fields: Any) -> Any:
        """What the page's code answers; bytes go and come as base64url. Raises RefusedError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, **{k: _sent(v) for k, v in fields.items()}}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the page's code failed on {op}; its words are on stderr"
        answer = json.loads(line)
        if "error" in answer:
            raise RefusedError(answer["error"], answer["message"])
        return answer["ok"]

    def bytes(self, op: str, **fields: Any) -> bytes:
        """As `ask`, for an answer that is bytes."""
        return from_b64url(self.ask(op, **fields))


@contextmanager
def running() -> Iterator[Peer]:
    """The page's code, until the block ends."""
    process = subprocess.Popen(
        [node(), str(ROOT / "tests" / "page" / "peer.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield Peer(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()


def seeded(number: int) -> Random:
    """The same choices on every run."""
    return Random(number)  # noqa: S311 - choices of a test


def signing(random: Random) -> tuple[bytes, Ed25519PrivateKey]:
    raw = random.randbytes(32)
    return raw, Ed25519PrivateKey.from_private_bytes(raw)


def agreement(random: Random) -> tuple[bytes, X25519PrivateKey]:
    raw = random.randbytes(32)
    return raw, X25519PrivateKey.from_private_bytes(raw)


def public(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _sent(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64url(value)
    if isinstance(value, (list, tuple)):
        return [_sent(one) for one in value]
    return value
