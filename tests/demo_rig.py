"""`onebreath demo --keep` as a person has it: a process on a terminal, until it is told to end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from voice.adapters.resources import checkout

LAST = "Ctrl-C ends it"
DEADLINE_S = 300


@dataclass(frozen=True)
class Stayed:
    """A demo that has shown everything and waits. `text` is what it printed, `folder` where it works."""

    process: subprocess.Popen[str]
    text: str
    folder: Path

    def shown(self, what: str) -> str:
        """What stands beside this word where it says how to sign in."""
        found = re.search(rf"^   {what} +(.+)$", self.text, re.MULTILINE)
        assert found is not None, self.text
        return found[1]

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C; the exit code, and what was printed after it."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        return self.process.wait(60), said


@contextmanager
def staying(folder: Path) -> Iterator[Stayed]:
    """The demo with --keep, below `folder`, once it waits; it is ended with the block.

    A shell lets what it starts in the background ignore Ctrl-C, tests among it; the demo must not.
    """
    with subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-u", "-m", "voice", "demo", "--keep"],
        env={**os.environ, "TMPDIR": str(folder)}, cwd=checkout(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        late = threading.Timer(DEADLINE_S, process.kill)
        late.start()
        try:
            assert process.stdout is not None
            text = ""
            while LAST not in text:
                line = process.stdout.readline()
                assert line, text
                text += line
            (made,) = folder.glob("onebreath-demo-*")
            yield Stayed(process, text, made)
        finally:
            late.cancel()
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(60)
                process.kill()
