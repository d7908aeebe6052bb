"""What a worker does unasked, again and again, each chore in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_log = logging.getLogger("onebreath.chores")


@dataclass(frozen=True)
class Chore:
    """`run` is called every `every_s` seconds, and may fail: the next time is another try."""

    name: str
    every_s: float
    run: Callable[[], object]


class Chores:
    """Runs chores until they are stopped. One that hangs ends with the process."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(chore,), name=chore.name, daemon=True)
            for chore in chores
        ]

    def start(self) -> None:
        """Begin; the first run is after the first interval."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace_s: float) -> None:
        """Begin nothing new, and give what is under way some seconds to end."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(grace_s)

    def _repeat(self, chore: Chore) -> None:
        while not self._stopped.wait(chore.every_s):
            try:
                chore.run()
            except Exception:
                _log.exception("a chore failed: %s", chore.name)
