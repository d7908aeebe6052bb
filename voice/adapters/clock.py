"""The time of day, and time that only moves forward."""

from __future__ import annotations

import time
from datetime import datetime


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Now, with the local time zone."""
        return datetime.now().astimezone()

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
