"""The devices, as one process plays them: requests that were signed beforehand, over connections kept open.

What it costs the client to send a request and read its answer is a memory copy and a search for one blank
line; the processor time that it took is reported beside the server's, so that it can be seen not to be what
is measured.
"""

from __future__ import annotations

import asyncio
import gc
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_TICKS: Final = 100
"""Linux counts a process's time in these, each second (USER_HZ)."""


@dataclass
class Load:
    """What one run did. Times are in seconds; latencies are of good answers alone."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    client_s: float = 0.0
    server_s: float = 0.0

    def took(self, status: int, latency_s: float) -> None:
        """Note one answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status in (200, 201):
            self.latencies.append(latency_s)

    @property
    def failed(self) -> dict[int, int]:
        """How many answers there were of each status that is no success."""
        return {status: count for status, count in self.statuses.items() if status not in (200, 201)}


class _Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server hung up: {error}"))

    def data_received(self, data: bytes) -> None:
        self._got += data
        head = self._got.find(b"\r\n\r\n")
        if head < 0:
            return
        found = _LENGTH.search(self._got, 0, head + 2)
        assert found, "an answer without a length"
        if len(self._got) < head + 4 + int(found[1]):
            return
        status = int(self._got[9:12])
        self._got.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    async def call(self, request: bytes) -> int:
        """Send one request whole; the status of its answer, once that is whole too."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@dataclass(frozen=True)
class Target:
    """A server under load: where it listens, and the process whose time is counted."""

    port: int
    pid: int


def closed(target: Target, requests: Sequence[Sequence[bytes]], seconds: float) -> Load:
    """Each device sends its next request as soon as the one before is answered, for so long at most."""
    return _run(target, requests, lambda load, lines: _closed(load, lines, requests, seconds))


def paced(target: Target, requests: Sequence[Sequence[bytes]], every_s: float, seed: int) -> Load:
    """Each device sends one request every so often, at a moment of its own in each turn.

    Latency counts from the moment when the request was due: a server that makes others wait is not forgiven.
    """
    return _run(target, requests, lambda load, lines: _paced(load, lines, requests, every_s, seed))


def _run(target: Target, requests: Sequence[Sequence[bytes]], send: object) -> Load:
    load = Load()

    async def go() -> None:
        loop = asyncio.get_running_loop()
        lines = [(await loop.create_connection(_Connection, "127.0.0.1", target.port))[1] for _ in requests]
        with _quiet():
            server, client, began = server_time(target.pid), time.process_time(), time.perf_counter()
            await send(load, lines)  # type: ignore[operator]
            load.seconds = time.perf_counter() - began
            load.client_s = time.process_time() - client
            load.server_s = server_time(target.pid) - server
        for line in lines:
            line.close()

    asyncio.run(go())
    return load


async def _closed(
    load: Load, lines: Sequence[_Connection], requests: Sequence[Sequence[bytes]], seconds: float
) -> None:
    end = time.perf_counter() + seconds

    async def device(line: _Connection, mine: Sequence[bytes]) -> None:
        for request in mine:
            began = time.perf_counter()
            if began >= end:
                return
            load.took(await line.call(request), time.perf_counter() - began)

    await asyncio.gather(*map(device, lines, requests))


async def _paced(
    load: Load, lines: Sequence[_Connection], requests: Sequence[Sequence[bytes]], every_s: float, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a reproducible load
    start = time.perf_counter()
    plans = [[start + (turn + chance.random()) * every_s for turn in range(len(one))] for one in requests]

    async def device(line: _Connection, mine: Sequence[bytes], plan: Sequence[float]) -> None:
        for due, request in zip(plan, mine, strict=True):
            await asyncio.sleep(due - time.perf_counter())
            load.took(await line.call(request), time.perf_counter() - due)

    await asyncio.gather(*map(device, lines, requests, plans))


def server_time(pid: int) -> float:
    """Processor seconds that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def percentile(latencies: Sequence[float], share: float) -> float | None:
    """The latency that this share of the requests did not exceed; None without any."""
    if not latencies:
        return None
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def _quiet() -> Iterator[None]:
    """No collection of garbage in this process while it measures another."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
