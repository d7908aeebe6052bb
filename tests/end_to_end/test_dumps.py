"""A device that crashes leaves no copy of its memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

CRASH = """
import ctypes, os, sys
if sys.argv[1] == "guarded":
    from voice.adapters.dumps import forbid_dumps
    forbid_dumps()
ctypes.CDLL(None).abort()
"""


@pytest.mark.skipif(
    Path("/proc/sys/kernel/core_pattern").read_text().startswith(("|", "/")),
    reason="this system takes core files somewhere else",
)
def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    for case in ("plain", "guarded"):
        folder = tmp_path / case
        folder.mkdir()
        crash(folder, case)
    if not list((tmp_path / "plain").iterdir()):
        pytest.skip("this system makes no core files at all")
    assert not list((tmp_path / "guarded").iterdir())


def test_the_process_asks_for_no_dump() -> None:
    ask = (
        "import ctypes, resource\n"
        "from voice.adapters.dumps import forbid_dumps\n"
        "forbid_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    asked = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "0 0"


def crash(folder: Path, case: str) -> None:
    def allow_dumps() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    command = [sys.executable, "-c", CRASH, case]
    done = subprocess.run(command, cwd=folder, preexec_fn=allow_dumps, check=False, capture_output=True)
    assert done.returncode < 0
