"""Several worker processes: one port, one database, one set of counts; they come and go together."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from server.workers import hopeless
from tests.server.server_rig import Rig, record_path
from tests.server.test_server_process import COMMAND, serving, stopped_half_way


def children(parent: int) -> set[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return {int(child) for child in text.split()}


def wait_for(process: subprocess.Popen[str], event: str) -> dict[str, object]:
    """The next log line of this event; ends with the process."""
    assert process.stderr is not None
    for line in process.stderr:
        said: dict[str, object] = json.loads(line)
        if said["event"] == event:
            return said
    raise AssertionError(f"it never said: {event}")


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_workers_share_the_work_and_the_counts(rig: Rig) -> None:
    """Each record is acknowledged once, whichever workers take its copies; any worker tells all counts."""
    device = rig.paired()
    frames = [device.record(rig.clinician, sequence) for sequence in range(1, 25)]
    port = free_port()
    environment = {"ONEBREATH_METRICS_PORT": str(port)}
    with serving(rig.settings.database_url, "--workers", "3", environment=environment) as (url, process):
        rig.clock.now = int(datetime.now(UTC).timestamp())

        def put(frame: bytes) -> int:
            path = record_path(frame)
            headers = rig.headers(device, "PUT", path, frame, origin=url)
            return httpx.put(url + path, content=frame, headers=headers, timeout=60).status_code

        with ThreadPoolExecutor(6) as pool:
            statuses = list(pool.map(put, [frame for frame in frames for _ in range(2)]))
        assert sorted(statuses) == [200] * 24 + [201] * 24
        scraped = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        assert re.search(r'onebreath_records_total\{result="taken"\} 24\.0', scraped)
        assert re.search(r'onebreath_records_total\{result="duplicate"\} 24\.0', scraped)
        assert 'onebreath_build_info{version="' in scraped
        environ = Path(f"/proc/{min(children(process.pid))}/environ").read_bytes()
        assert b"PROMETHEUS" not in environ, "made at run time, for this run alone"
        before = set(Path(tempfile.gettempdir()).glob("onebreath-metrics-*"))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.endswith("Stopped.\n")
    assert all(json.loads(line)["level"] == "info" for line in err.splitlines()), err
    assert any(not folder.exists() for folder in before), "the counts' folder is gone"
    rows = rig.store.records(rig.clinician.clinician_id, after=0, limit=100)
    assert [row.cursor for row in rows] == list(range(1, 25))


def test_a_dead_worker_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path / "server.db", "--workers", "2") as (url, process):
        first = {wait_for(process, "worker started")["worker"] for _ in range(2)}
        victim = min(children(process.pid))
        os.kill(victim, signal.SIGKILL)
        ended = wait_for(process, "worker ended")
        assert ended.items() >= {"worker": victim, "exit": -9}.items()
        assert wait_for(process, "worker started")["worker"] not in first
        assert httpx.get(url + "/health", timeout=60).status_code == 200
        assert len(children(process.pid)) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    with serving(tmp_path / "server.db", "--workers", "2") as (url, process):
        for _ in range(2):
            wait_for(process, "worker started")
        assert httpx.get(url + "/health", timeout=60).status_code == 200
        pids = [os.pidfd_open(child) for child in children(process.pid)]
        process.kill()
        for pid in pids:
            # Readable when the process has ended.
            assert select.select([pid], [], [], 60)[0]
            os.close(pid)


def test_calls_under_way_end_before_their_worker_does(rig: Rig) -> None:
    device = rig.paired()
    with serving(rig.settings.database_url, "--workers", "2") as (url, process):
        assert stopped_half_way(rig, device, url, process) == 201
        assert process.wait(60) == 0


def test_what_hangs_is_killed_and_said(tmp_path: Path) -> None:
    environment = {"ONEBREATH_DRAIN_S": "0"}
    with serving(tmp_path / "server.db", "--workers", "2", environment=environment) as (url, process):
        for _ in range(2):
            wait_for(process, "worker started")
        assert httpx.get(url + "/health", timeout=60).status_code == 200
        os.kill(min(children(process.pid)), signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "did not end by themselves" in out


def test_workers_that_cannot_live_end_the_server() -> None:
    """In a process of its own, since it forks."""
    source = (
        "import os, sys, logging\n"
        "from server.workers import Supervisor\n"
        "logging.basicConfig()\n"
        "sys.exit(Supervisor(2, lambda: os._exit(3), 1).run())\n"
    )
    ended = subprocess.run(
        [COMMAND[0], "-c", source], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "giving up" in ended.stderr
    assert ended.stderr.count("worker ended") in (10, 11), "two may end at once"


def test_when_it_is_hopeless() -> None:
    assert not hopeless([1.0] * 9, 2, 2.0)
    assert hopeless([1.0] * 10, 2, 2.0)
    assert not hopeless([1.0] * 10, 2, 100.0)


@pytest.mark.parametrize("workers", ["1", "3"])
def test_migrations_run_once_before_the_workers(tmp_path: Path, workers: str) -> None:
    with serving(tmp_path / "server.db", "--workers", workers) as (url, process):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: httpx.get(url + "/ready", timeout=60).status_code, range(16)))
        assert answers == [200] * 16
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_a_keep_alive_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with serving(tmp_path / "server.db", "--workers", "2") as (url, process):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        connection.close()
