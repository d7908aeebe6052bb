"""A real server process that can be killed, devices that will not take no for an answer, and the count."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import select

from bench.intake_practice import Practice
from server import audit
from server.answers import iso
from server.schema import Record
from server.store import Store
from tests.end_to_end.product import until
from tests.server.server_rig import DeviceParty, record_path
from voice.wire.requests import sign_headers

PATIENCE_S = 120.0


class ServerProcess:
    """`onebreath serve` on one port, whatever happens to its process. What it writes is in `log`."""

    def __init__(self, database: str, log: Path) -> None:
        self.database, self.log = database, log
        with socket.create_server(("127.0.0.1", 0)) as bound:
            self.port = int(bound.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        command = [sys.executable, "-m", "voice", "serve", "--port", str(self.port)]
        with self.log.open("ab") as kept:
            self.process = subprocess.Popen(
                [*command, "--database", self.database],
                stdout=kept,
                stderr=kept,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        until(self._answers, "server")

    def _answers(self) -> bool | None:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return True if httpx.get(f"{self.url}/health", timeout=5.0).status_code == 200 else None
        except httpx.HTTPError:
            return None

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self.process is not None
        return self.process.pid


@contextmanager
def server_process(database: str, log: Path) -> Iterator[ServerProcess]:
    """Started, and gone at the end."""
    server = ServerProcess(database, log)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@dataclass
class Crowd:
    """Devices that send record after record, each one again and again until it is acknowledged.

    `acknowledged` holds every frame that got a receipt, with that receipt; `answers` counts statuses, 0 for
    no answer.
    """

    practice: Practice
    server: ServerProcess
    acknowledged: dict[bytes, dict[str, str]] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    _enough: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failed: list[BaseException] = field(default_factory=list)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """All devices at once, until the block ends and each has its last receipt."""
        threads = [
            threading.Thread(target=self._live, args=(number, device), daemon=True)
            for number, device in enumerate(self.practice.devices)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in threads:
                thread.join(PATIENCE_S)
        assert not self._failed, self._failed
        assert not any(thread.is_alive() for thread in threads)

    def _live(self, number: int, device: DeviceParty) -> None:
        try:
            with httpx.Client(timeout=10.0) as client:
                while not self._enough.is_set():
                    sequence = self.practice.following[device.device_id]
                    frame = device.record(self.practice.clinician_of(number), sequence)
                    receipt = self._insist(client, device, frame)
                    self.practice.following[device.device_id] = sequence + 1
                    with self._lock:
                        self.acknowledged[frame] = receipt
        except BaseException as error:
            self._failed.append(error)

    def _insist(self, client: httpx.Client, device: DeviceParty, frame: bytes) -> dict[str, str]:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            url = self.server.url + record_path(frame)
            headers = sign_headers(
                device.key,
                device.key_id,
                "PUT",
                url,
                frame,
                created=int(time.time()),
                nonce=secrets.token_urlsafe(18),
            )
            try:
                answer = client.put(url, content=frame, headers=headers)
                status = answer.status_code
            except httpx.HTTPError:
                status = 0
            with self._lock:
                self.answers[status] = self.answers.get(status, 0) + 1
            if status in (200, 201):
                receipt: dict[str, str] = answer.json()
                return receipt
            assert status in (0, 500, 503), answer.text
            time.sleep(0.02)
        raise AssertionError("never acknowledged")


def none_lost_none_doubled(url: str, crowd: Crowd) -> int:
    """Every acknowledged record is kept, once, byte for byte, as its receipt says; how many there are."""
    store = Store.open(url)
    try:
        with store.database.read() as connection:
            rows = connection.execute(select(Record.__table__)).all()
            assert audit.verify(connection).broken_at is None
    finally:
        store.close()
    kept = {bytes(row.frame): row for row in rows}
    assert len(kept) == len(rows), "doubled"
    for frame, receipt in crowd.acknowledged.items():
        row = kept[frame]
        assert receipt["record"] == bytes(row.record_id).hex()
        assert receipt["sha256"] == bytes(row.sha256).hex()
        assert receipt["received_at"] == iso(row.received_at), "a receipt given again is the first one"
    for device in crowd.practice.devices:
        mine = sorted(row.sequence for row in rows if bytes(row.device_id) == device.device_id)
        assert mine == list(range(1, len(mine) + 1))
    for clinician in crowd.practice.clinicians:
        cursors = sorted(row.cursor for row in rows if bytes(row.clinician_id) == clinician.clinician_id)
        assert cursors == list(range(1, len(cursors) + 1)), "no page can miss one"
    assert len(rows) == len(crowd.acknowledged), "each device ended with a receipt"
    return len(rows)
