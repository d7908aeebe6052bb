"""Durable intake: records a second and latency, beside a bare handler that commits one row, in one run.

    python bench/intake.py [--database sqlite|postgresql|both] [--devices LIST] [--stored N] [--json]

`onebreath serve` runs as a process of its own on a fresh database, and so does the bare handler
(bench/intake_bare.py). The devices' records are really sealed and their requests really signed, beforehand,
so that only the server's work is timed. They go over HTTP on loopback, one open connection for each device.
PostgreSQL is a throw-away cluster of this machine's own with fsync on.

Closed: each device sends its next record when the one before is acknowledged: the most that the server takes.
The two servers take turns, three rounds each, and the ratio is that of the medians. Paced: each device sends
one record a second at moments of its own: the latency that a device sees. Server and client share this
machine's processors; the processor time of each is given with its figures.

Examples:
    python bench/intake.py
    python bench/intake.py --database sqlite --stored 1000000
    python bench/intake.py --devices 1,10 --seconds 3 --json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.intake_load import Load, Target, closed, paced, percentile
from bench.intake_practice import FRAME_BYTES, PAGE, Practice, spelt
from bench.intake_report import report
from bench.progress import say
from tests.server.postgres import Cluster, binaries

ROUNDS: Final = 3
EVERY_S: Final = 1.0
FEW_STORED: Final = 10_000
PAGES: Final = 200
PROBE: Final = 40
"""Requests of each device, at one device, that tell how many to sign for a round."""

OURS, BARE = "onebreath", "bare"
Row = dict[str, Any]


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({_positive(part) for part in text.split(",")}))


def options_parser() -> argparse.ArgumentParser:
    """The command line."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--devices", type=_counts, default=(1, 10, 100), metavar="LIST", help="[1,10,100]")
    parser.add_argument("--seconds", type=float, default=9.0, help="of each figure, warm-up apart [9]")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument(
        "--stored",
        type=_positive,
        metavar="N",
        help=f"measure again with this many records kept, besides {FEW_STORED:,}",
    )
    parser.add_argument(
        "--folder", type=Path, help="where the databases go; a real disk [the temporary folder]"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--seed", type=int, default=1)
    return parser


@dataclass(frozen=True)
class Server:
    """A server under load. `make` gives requests for so many devices, so many of each."""

    name: str
    target: Target

    @property
    def origin(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.target.port}"


@contextmanager
def running(name: str, *command: str) -> Iterator[Server]:
    """A server's process, from when it says where it listens."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if "http://" not in said:
            raise SystemExit(f"The server called {name} did not start: {said}")
        port = int(said.rsplit(":", 1)[1])
        yield Server(name, Target(port, process.pid))
    finally:
        process.terminate()
        process.communicate()


class Bench:
    """Both servers on one kind of database."""

    def __init__(
        self, database: str, ours: Server, bare: Server, practice: Practice, asked: argparse.Namespace
    ) -> None:
        self.database, self.ours, self.bare = database, ours, bare
        self.practice, self.asked = practice, asked
        self.rows: list[Row] = []
        self._per_second: dict[str, float] = {}

    def measure(self, stored: int, last: int) -> None:
        """Everything, with so many records kept; `last` is the lowest of the clinicians' cursors."""
        for devices in self.asked.devices:
            self._closed(stored, devices)
        self._paced(stored, max(self.asked.devices))
        self._paging(stored, last)

    def _closed(self, stored: int, devices: int) -> None:
        seconds = self.asked.seconds / ROUNDS
        loads: dict[str, list[Load]] = {OURS: [], BARE: []}
        for number in range(-1, ROUNDS):
            # Who goes first takes turns too. Round -1 warms up, and tells how much to sign.
            servers = [self.ours, self.bare] if number % 2 else [self.bare, self.ours]
            for server in servers:
                each = self._enough(server, seconds, devices) if number >= 0 else max(2, PROBE // devices)
                load = closed(server.target, self._requests(server, devices, each), seconds)
                self._per_second[server.name] = max(
                    self._per_second.get(server.name, 0.0), len(load.latencies) / load.seconds
                )
                if number >= 0:
                    loads[server.name].append(load)
        for name, found in loads.items():
            self._row(name, "closed", stored, devices, found)

    def _enough(self, server: Server, seconds: float, devices: int) -> int:
        return int(1.5 * self._per_second[server.name] * seconds / devices) + 2

    def _paced(self, stored: int, devices: int) -> None:
        each = max(1, round(self.asked.seconds / EVERY_S))
        for server in (self.ours, self.bare):
            requests = self._requests(server, devices, each)
            load = paced(server.target, requests, EVERY_S, self.asked.seed)
            self._row(server.name, "paced", stored, devices, [load])

    def _paging(self, stored: int, last: int) -> None:
        pages = self.practice.pages(self.ours.origin, PAGES, self.asked.seed, last)
        load = closed(self.ours.target, [pages], 60.0)
        self._row(OURS, "page", stored, 1, [load])

    def _requests(self, server: Server, devices: int, each: int) -> list[list[bytes]]:
        if server is self.ours:
            return self.practice.deliveries(server.origin, devices, each)
        body = os.urandom(FRAME_BYTES)
        return [[spelt("PUT", server.origin, "/bare", {}, body)] * each for _ in range(devices)]

    def _row(self, name: str, kind: str, stored: int, devices: int, loads: Sequence[Load]) -> None:
        latencies = [latency for load in loads for latency in load.latencies]
        failed: dict[int, int] = {}
        for load in loads:
            for status, count in load.failed.items():
                failed[status] = failed.get(status, 0) + count
        count, seconds = len(latencies), sum(load.seconds for load in loads)
        row = {
            "database": self.database,
            "stored": stored,
            "devices": devices,
            "load": kind,
            "system": name,
            "answered": count,
            "failed": failed,
            "per_second": statistics.median(len(load.latencies) / load.seconds for load in loads),
            "p50_ms": _ms(percentile(latencies, 0.50)),
            "p99_ms": _ms(percentile(latencies, 0.99)),
            "highest_ms": _ms(max(latencies, default=None)),
            "server_ms": sum(load.server_s for load in loads) / max(1, count) * 1000,
            "client_ms": sum(load.client_s for load in loads) / max(1, count) * 1000,
            "seconds": seconds,
        }
        self.rows.append(row)
        say(
            f"{self.database}, {stored:,} stored, {devices} devices, {kind}, {name}: "
            f"{row['per_second']:.0f}/s, p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms"
        )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


def measured(database: str, asked: argparse.Namespace) -> list[Row]:
    """All rows of one kind of database."""
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="onebreath-intake-", dir=asked.folder)
        )
        if database == "sqlite":
            ours, bare = (f"sqlite:///{Path(folder) / name}.db" for name in (OURS, BARE))
        else:
            programs = binaries()
            if programs is None:
                raise SystemExit("PostgreSQL is not installed: sudo apt-get install postgresql")
            cluster = Cluster.start(programs, fsync=True)
            stack.callback(cluster.stop)
            ours, bare = cluster.fresh(), cluster.empty()
        practice = Practice.found(ours, max(asked.devices))
        stages = [FEW_STORED, *([asked.stored] if asked.stored else [])]
        rows: list[Row] = []
        for stored in stages:
            began = time.monotonic()
            last = practice.fill(ours, stored)
            say(f"{database}: {stored:,} records are kept ({time.monotonic() - began:.0f} s)")
            with (
                running(OURS, "-m", "voice", "serve", "--port", "0", "--database", ours) as one,
                running(BARE, "-m", "bench.intake_bare", bare) as other,
            ):
                bench = Bench(database, one, other, practice, asked)
                bench.measure(stored, last)
                rows += bench.rows
        return rows


def main() -> None:
    """Parse, measure, print."""
    asked = options_parser().parse_args()
    chosen = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    try:
        rows = [row for database in chosen for row in measured(database, asked)]
    except KeyboardInterrupt:
        raise SystemExit("Stopped; nothing was measured to the end.") from None
    document = {
        "schema": 1,
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "load_average": os.getloadavg(),
        "frame_bytes": FRAME_BYTES,
        "page": PAGE,
        "seconds": asked.seconds,
        "seed": asked.seed,
        "rows": rows,
    }
    print(json.dumps(document, indent=1) if asked.json else report(document))


if __name__ == "__main__":
    main()
