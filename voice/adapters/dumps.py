"""No crash dump may hold what was said: it is a copy of memory, and memory is where a line's audio is."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

PR_SET_DUMPABLE: Final = 4
"""From linux/prctl.h. Also keeps dumps from systems that pipe them to a program, which ignore the limit."""


def forbid_dumps() -> None:
    """From now on this process leaves no core file, and its children none by their limit."""
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
