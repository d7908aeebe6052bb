"""What a person waiting for a benchmark wants to know, on standard error."""

from __future__ import annotations

import sys
import time
from typing import Final

EVERY_S: Final = 10.0


class Progress:
    """Counts work done against all the work, and says now and then how long the rest will take."""

    def __init__(self, work: float) -> None:
        self._work, self._done = max(1.0, work), 0.0
        self._began = self._said = time.monotonic()

    def done(self, work: float, what: str) -> None:
        """So much more is done; `what` is going on."""
        self._done += work
        now = time.monotonic()
        if now - self._said < EVERY_S:
            return
        self._said = now
        left = (now - self._began) * (self._work - self._done) / max(self._done, 1e-9)
        say(f"{what}; {min(1.0, self._done / self._work):.0%}, about {max(0.0, left) / 60:.1f} min left")


def say(text: str) -> None:
    """One line on standard error."""
    print(text, file=sys.stderr, flush=True)
