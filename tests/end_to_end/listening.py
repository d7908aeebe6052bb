"""`onebreath listen` under way, and what it reports."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.end_to_end.product import DEADLINE_S, Product

ENDED = ""
"""In place of a line: there are no more."""

PROMPT_END_S = 5.0
"""A process that is told to stop has ended within this time."""


class Listening:
    """A device that listens. What it wrote is in `product.device`, as listen.out and listen.err."""

    def __init__(self, process: subprocess.Popen[str], keep: Callable[[str], object]) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []
        self._keep = keep
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def until(self, event: str) -> dict[str, Any]:
        """The next report of this kind."""
        found = self.soon(event, DEADLINE_S)
        assert found is not None, f"no {event!r} after {self.seen}; exit code {self.process.poll()}"
        return found

    def soon(self, event: str, seconds: float) -> dict[str, Any] | None:
        """The next report of this kind, if it comes within this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                return None
            if line == ENDED:
                return None
            self.seen.append(json.loads(line))
            if self.seen[-1]["event"] == event:
                return self.seen[-1]
        return None

    def stop(self) -> int:
        """Ask it to end, with SIGTERM; its exit code. Raises subprocess.TimeoutExpired when it dawdles."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PROMPT_END_S)
        self._reader.join(PROMPT_END_S)
        while (line := self._lines.get(timeout=PROMPT_END_S)) != ENDED:
            self.seen.append(json.loads(line))
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._keep(line)
            self._lines.put(line)
        self._lines.put(ENDED)


@contextmanager
def listening(product: Product) -> Iterator[Listening]:
    """The device at the virtual sound card, ready, and ended at the end whatever happened."""
    with (
        (product.device / "listen.out").open("w") as out,
        (product.device / "listen.err").open("w") as errors,
        product.start(
            product.device,
            *("listen", "--home", str(product.home), "--json"),
            *("--device", "pulse", "--output-device", "pulse"),
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        running = Listening(process, out.write)
        try:
            running.until("listening")
            yield running
        finally:
            process.kill()
            running._reader.join(PROMPT_END_S)
