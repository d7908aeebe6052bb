"""Debian's Chromium, driven by Playwright in node, and what a person does in it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from server.second_factor import STEP_S, code_at
from tests.page.page_peer import ROOT, node

PEER: Final = Path(__file__).with_name("browser_peer.mjs")
_PACKAGES: Final = ("playwright-core", "axe-core")


def chromium() -> str:
    """The path of the browser; skips without it or what drives it, and fails in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        _lacking("chromium is not installed; the clinician's page was not run in a browser")
    for name in _PACKAGES:
        if not (ROOT / "node_modules" / name).is_dir():
            _lacking(f"{name} is not in node_modules (npm ci); the page was not run in a browser")
    return str(found)


def _lacking(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Browser:
    """A running browser with one tab. Every wait ends in a minute."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, op: str, **fields: Any) -> Any:
        """What browser_peer.mjs answers. AssertionError, with what was on the page, where it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the browser ended at {op}; its words are on stderr"
        answer = json.loads(line)
        assert "error" not in answer, f"{op} {fields}: {answer['error']}\n--- shown ---\n{answer['shown']}"
        return answer["ok"]

    def fresh(self, **how: Any) -> None:
        """A new tab of somebody who was never here."""
        self.ask("fresh", **how)

    def open(self, url: str) -> None:
        """Go there."""
        self.ask("open", url=url)

    def fill(self, label: str, text: str) -> None:
        """Type into the field of this label."""
        self.ask("fill", label=label, text=text)

    def click(self, name: str, role: str = "button") -> None:
        """Press what is called this."""
        self.ask("click", name=name, role=role)

    def unfold(self, summary: str) -> None:
        """Open what is folded away under this."""
        self.ask("unfold", text=summary)

    def at(self, heading: str) -> None:
        """Wait for this heading; then hold the page to what holds for every state."""
        self.ask("wait", heading=heading)
        self.check()

    def sees(self, text: str) -> None:
        """Wait for this text."""
        self.ask("waitText", text=text)

    def text(self, selector: str) -> str:
        """The words of an element."""
        return str(self.ask("text", selector=selector))

    def hold(self, method: str, path: str) -> None:
        """The page's next calls of this kind wait until `release`; `reached` is kept when one waits."""
        self.ask(
            "evaluate",
            code=f"""(() => {{
              const real = globalThis.fetch;
              globalThis.held = new Promise((go) => (globalThis.release = go));
              globalThis.reached = new Promise((reach) => {{
                globalThis.fetch = async (path, how) => {{
                  if (how?.method === {method!r} && path === {path!r}) {{
                    reach(0);
                    await globalThis.held;
                  }}
                  return real(path, how);
                }};
              }});
            }})()""",
        )

    def check(self) -> None:
        """Nothing that axe finds, in light and dark; nothing on the console."""
        for dark in (False, True):
            self.ask("media", dark=dark)
            assert self.ask("axe") == [], "dark" if dark else "light"
        self.ask("media", dark=False)
        assert self.ask("errors") == []


@contextmanager
def running() -> Iterator[Browser]:
    """The browser, until the block ends."""
    process = subprocess.Popen(
        [node(), str(PEER), chromium()],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield Browser(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Authenticator:
    """An authenticator app. No step is taken twice by the server, so each code waits for a new one."""

    def __init__(self, key: str) -> None:
        letters = key.replace(" ", "")
        self._secret = base64.b32decode(letters + "=" * (-len(letters) % 8))
        self._last = 0

    def code(self) -> str:
        """A code that was not used: of the next step where this one's was, which the server takes too."""
        step = max(int(time.time()) // STEP_S, self._last + 1)
        while step > int(time.time()) // STEP_S + 1:
            time.sleep(0.5)
        self._last = step
        return code_at(self._secret, step)
