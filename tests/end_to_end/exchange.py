"""A device's life from pairing to a read queue, as processes, and all that can be seen of it from outside."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end import closed_net
from tests.end_to_end.packets import Packet, Request, requests, streams
from tests.end_to_end.product import LINE, Product, exchange_scene, write
from voice.audio import Clip

LONG_LINE = f"{LINE} {LINE} {LINE} {LINE}"

NO_STRACE = "needs strace, and to be allowed to use it: sudo apt-get install strace"
_OPENED = re.compile(r"^(?:open|openat|creat)\(.*\b(?:O_WRONLY|O_RDWR|O_CREAT|creat).* = \d+<(.+)>$")
_MADE = re.compile(r"^memfd_create\(.* = \d+<(.+)>$")
_CALLED = re.compile(r"^connect\(\d+<.*?>, (\{.*\}), \d+\)")


@dataclass(frozen=True)
class Step:
    """One thing that the device did, and the packets that there were meanwhile; housekeeping left out."""

    name: str
    packets: tuple[Packet, ...]
    events: tuple[dict[str, Any], ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        """The one line that this step reports."""
        (line,) = (event for event in self.events if event["event"] == "line")
        return line

    def sent_to(self, port: int) -> list[Request]:
        """Every request to the server, by connection. ValueError for anything else sent there."""
        found = (stream.sent for stream in streams(self.packets) if stream.to_port == port)
        return [one for sent in found for one in requests(sent)]


@dataclass(frozen=True)
class Exchange:
    """What is left when all is over. `steps` have packets only where the net was `closed`."""

    product: Product
    port: int
    closed: str | None
    """Why the net was not closed; None when it was."""
    steps: dict[str, Step]
    every_packet: tuple[Packet, ...]
    phrase: Clip
    lines: tuple[Clip, ...]
    queue: dict[str, Any]
    written: tuple[str, ...] | None
    """Every file that the device opened for writing while it replayed; None without strace."""
    called: tuple[str, ...] | None
    """Every address that it connected to then, as strace writes it."""


@contextmanager
def exchange(folder: Path) -> Iterator[Exchange]:
    """Pair, enrol, and go through a noticing alone, one with a line, and one with a long line."""
    closed = closed_net.missing()
    trace = folder / "trace"
    trace.mkdir()
    with ExitStack() as stack:
        net = stack.enter_context(closed_net.closed_net(folder)) if closed is None else None
        product = Product(folder, enter=net.enter if net else ())
        steps: dict[str, Step] = {}
        lines: list[Clip] = []
        seen = 0

        def step(name: str, events: list[dict[str, Any]] | None = None) -> None:
            nonlocal seen
            packets = net.packets() if net else []
            new = tuple(packet for packet in packets[seen:] if not packet.housekeeping)
            steps[name], seen = Step(name, new, tuple(events or ())), len(packets)

        product.add_clinician()
        with product.serving() as server:
            step("set up")
            product.pair(server)
            step("pair")
            phrase = product.enrol()
            step("enrol")
            watch = ["strace", *STRACE, str(trace / "of")] if traceable() else []
            for name, line in (("noticing", None), ("line", LINE), ("long line", LONG_LINE)):
                sound, spoken = exchange_scene(line)
                said = write(product.said / f"{name}.wav", sound)
                step(name, product.replay(said, before=watch))
                lines += [spoken] if spoken is not None else []
            queue = product.queue(server)
            step("read")
        written, called = _traced(trace) if watch else (None, None)
        packets = tuple(net.packets()) if net else ()
        port = int(server.rsplit(":", 1)[1])
        yield Exchange(product, port, closed, steps, packets, phrase, tuple(lines), queue, written, called)


STRACE = (
    "--follow-forks", "--output-separately", "--decode-fds=path", "--quiet=all", "--seccomp-bpf",
    "--string-limit=4096", "--trace=open,openat,creat,memfd_create,connect", "--signal=none", "--output",
)  # fmt: skip


def traceable() -> bool:
    """Whether processes can be watched here."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return done.returncode == 0


def _traced(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    calls = [
        call for path in sorted(folder.iterdir()) for call in path.read_text("utf-8", "replace").splitlines()
    ]
    assert calls

    def found(*patterns: re.Pattern[str]) -> tuple[str, ...]:
        hits = (pattern.match(call) for call in calls for pattern in patterns)
        return tuple(hit[1] for hit in hits if hit is not None)

    return found(_OPENED, _MADE), found(_CALLED)
