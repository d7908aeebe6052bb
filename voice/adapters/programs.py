"""Other runs of `onebreath` as processes of their own, as a person would type them: for the demo."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from voice.errors import OnebreathError

ONEBREATH: Final = (sys.executable, "-m", "voice")

START_S: Final = 20.0
"""What a server may take to answer."""

STOP_S: Final = 10.0

INTERRUPTED_S: Final = 2.0


class ProgramError(OnebreathError):
    """A command that was run did not do its work."""


def run(arguments: tuple[str, ...], environment: Mapping[str, str], stdin: str = "") -> str:
    """Run `onebreath` with these arguments; what it printed. Raises ProgramError with what it said."""
    done = subprocess.run(
        [*ONEBREATH, *arguments],
        input=stdin, text=True, capture_output=True, env=dict(environment), check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ProgramError(f"{_ended(arguments, done.returncode)} {done.stderr.strip()}".strip())
    return done.stdout


def show(arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """Run `onebreath` on this terminal to its end. Raises ProgramError, KeyboardInterrupt after Ctrl-C."""
    process = subprocess.Popen([*ONEBREATH, *arguments], env=dict(environment))
    try:
        status = process.wait()
    except KeyboardInterrupt:
        # A terminal has sent the process the same signal; without one nobody has.
        try:
            process.wait(INTERRUPTED_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait(STOP_S)
        raise
    if status != 0:
        raise ProgramError(_ended(arguments, status))


def _ended(arguments: tuple[str, ...], status: int) -> str:
    return f"`onebreath {arguments[0]}` ended with exit code {status}."


@dataclass(frozen=True)
class Server:
    """A server that answers at `address`, such as http://127.0.0.1:40123."""

    address: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(database: Path, log: Path, environment: Mapping[str, str]) -> Server:
    """Start a server on a free port, in a session of its own: only `stop` ends it. Raises ProgramError."""
    command = [*ONEBREATH, "serve", "--port", "0", "--database", str(database)]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env=dict(environment), start_new_session=True,
        )  # fmt: skip
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        address = next(
            (word for word in log.read_text().split() if word.startswith("http://127.0.0.1:")), None
        )
        if address is not None and _answers(address):
            return Server(address, process)
        time.sleep(0.1)
    Server("", process).stop()
    raise ProgramError(f"The server did not start: {log.read_text().strip() or 'it said nothing'}")


def wait(server: Server) -> None:
    """Until Ctrl-C, raised as KeyboardInterrupt. Raises ProgramError when the server ends by itself."""
    status = server.process.wait()
    raise ProgramError(_ended(("serve",), status))


@contextmanager
def ends_alike() -> Iterator[None]:
    """Within it, being told to end and a terminal that is closed are KeyboardInterrupt, as Ctrl-C is."""
    alike = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(one, signal.default_int_handler) for one in alike]
    try:
        yield
    finally:
        for one, handler in zip(alike, before, strict=True):
            signal.signal(one, handler)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
