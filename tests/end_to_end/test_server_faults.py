"""Disk full, database locked or restarted, clocks that jump, a network that loses, repeats and delays.

Whatever happens, a device gets a receipt for what is on the disk and for nothing else.
"""

from __future__ import annotations

import os
import random
import resource
import secrets
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

import server.database
from bench.intake_practice import Practice
from server.app import create_app
from server.reader import read
from server.reader_sequence import Memory
from server.settings import Settings, database_url
from tests.clinic_rig import Clinic, noticing, serving
from tests.end_to_end.hostile import Answered, Asked, Forward, hostile
from tests.end_to_end.load import Crowd, ServerProcess, none_lost_none_doubled, server_process
from tests.end_to_end.product import until
from tests.server.postgres import Cluster, binaries
from tests.server.server_rig import Clock, Rig, record_path, refused
from voice.adapters.identity import device_keys, load_pairing, sealer
from voice.adapters.recovery import open_store
from voice.adapters.uplink import HttpUplink, http_client
from voice.outbox import Outbox
from voice.wire.requests import sign_headers

pytestmark = pytest.mark.hard


def put(server: ServerProcess, practice: Practice, frame: bytes) -> httpx.Response:
    device = practice.devices[0]
    url = server.url + record_path(frame)
    signed = sign_headers(
        device.key,
        device.key_id,
        "PUT",
        url,
        frame,
        created=int(time.time()),
        nonce=secrets.token_urlsafe(18),
    )
    return httpx.put(url, content=frame, headers=signed, timeout=60.0)


def fill_up(server: ServerProcess, practice: Practice, free: Callable[[], None]) -> Crowd:
    """Send until the disk is full, see that nothing is acknowledged, make room, and send the same again."""
    crowd = Crowd(practice, server)
    device, clinician = practice.devices[0], practice.clinicians[0]
    refusals = 0
    for _ in range(3_000):
        sequence = practice.following[device.device_id]
        frame = device.record(clinician, sequence)
        practice.following[device.device_id] = sequence + 1
        answer = put(server, practice, frame)
        if answer.status_code == 503:
            refused(answer, 503, "storage")
            assert answer.headers["retry-after"]
            refusals += 1
            assert put(server, practice, frame).status_code == 503
            free()
            answer = put(server, practice, frame)
        assert answer.status_code in (200, 201), answer.text
        crowd.acknowledged[frame] = answer.json()
        if refusals and len(crowd.acknowledged) % 10 == 0:
            break
    assert refusals == 1, "the disk was full once"
    return crowd


def test_a_server_whose_files_may_not_grow_acknowledges_nothing_new(tmp_path: Path) -> None:
    url = database_url(str(tmp_path / "server.db"))
    practice = Practice.found(url, 1)
    with server_process(url, tmp_path / "log") as server:
        pid = server.pid
        size = (tmp_path / "server.db").stat().st_size + 300_000
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        crowd = fill_up(
            server, practice, lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited) and None
        )
    none_lost_none_doubled(url, crowd)


def test_a_server_on_a_full_disk_acknowledges_nothing_new(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        (disk / "ballast").write_bytes(bytes(1_000_000))
        url = database_url(str(disk / "server.db"))
        practice = Practice.found(url, 1)
        with server_process(url, tmp_path / "log") as server:
            crowd = fill_up(server, practice, (disk / "ballast").unlink)
            # Killed while it was nearly full, it starts again on what is there.
            server.kill()
            server.start()
        none_lost_none_doubled(url, crowd)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def locked(path: str) -> Iterator[sqlite3.Connection]:
    """Another process's long write."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@pytest.fixture
def impatient_rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(server.database, "BUSY_TIMEOUT_MS", 500)
    rig = Rig(database_url(str(tmp_path / "server.db")))
    yield rig
    rig.close()


def test_a_database_that_stays_locked_is_said_and_nothing_is_kept(impatient_rig: Rig) -> None:
    rig, path = impatient_rig, impatient_rig.settings.database_url.removeprefix("sqlite:///")
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    with locked(path) as other:
        refused(rig.deliver(device, frame), 503, "storage")
        other.execute("ROLLBACK")
    assert rig.deliver(device, frame).status_code == 201


def test_a_database_that_is_locked_for_a_moment_is_waited_for(impatient_rig: Rig) -> None:
    rig, path = impatient_rig, impatient_rig.settings.database_url.removeprefix("sqlite:///")
    device = rig.paired()
    with locked(path) as other:
        later = threading.Timer(0.1, other.execute, ["ROLLBACK"])
        later.start()
        assert rig.deliver(device, device.record(rig.clinician, 1)).status_code == 201
        later.join()


def test_postgresql_is_restarted_under_load(tmp_path: Path) -> None:
    programs = binaries()
    if programs is None:
        assert not os.environ.get("CI"), "CI installs PostgreSQL"
        pytest.skip("PostgreSQL is not installed")
    cluster = Cluster.start(programs)
    try:
        url = cluster.fresh()
        practice = Practice.found(url, 8)
        with server_process(url, tmp_path / "log") as server:
            crowd = Crowd(practice, server)
            with crowd.sending():
                for _ in range(3):
                    before = len(crowd.acknowledged)
                    until(lambda n=before: True if len(crowd.acknowledged) > n + 20 else None, "traffic")  # type: ignore[misc]
                    cluster.restart()
            assert crowd.answers.get(503, 0) > 0, "the restarts were felt"
        assert none_lost_none_doubled(url, crowd) > 60
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        cluster.stop()


# --- clocks ---

YEARS_S = 10 * 366 * 86_400


@contextmanager
def serving_at(database: Path, clock: Clock) -> Iterator[str]:
    """The real server in a thread, with a clock that the test sets."""
    app = create_app(Settings(f"sqlite:///{database}"), clock=clock)
    bound = socket.create_server(("127.0.0.1", 0))
    one = uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning", date_header=False))
    thread = threading.Thread(target=one.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        one.should_exit = True
        thread.join()
        bound.close()


def test_clocks_may_jump_both_ways_on_both_sides(tmp_path: Path) -> None:
    clock, wall = Clock(int(time.time())), [0.0]
    with serving_at(tmp_path / "server.db", clock) as url:
        clinic = Clinic(tmp_path, url)
        home = clinic.device("home")
        pairing = load_pairing(home)
        assert pairing is not None
        uplink = HttpUplink(pairing.server, device_keys(home), clock=lambda: wall[0])
        now, delivered = clock.now, 0
        jumps = [
            (0, 0),
            (YEARS_S, 0),
            (-YEARS_S, 0),
            (0, YEARS_S),
            (0, -now),
            (-now + 1, YEARS_S),
            (400, -400),
        ]
        with open_store(home) as store:
            outbox = Outbox(store, sealer(home), lambda: secrets.token_bytes(16))
            for number, (server_s, device_s) in enumerate(jumps):
                clock.now, wall[0] = now + server_s, float(now + device_s)
                outbox.save(noticing(number % 7))
                delivered += outbox.flush(uplink, number * 10_000.0, ignore_hold=True).delivered
            # Steady time itself never goes back; were it to, nothing is lost and sending is only put off.
            outbox.save(noticing(0))
            delivered += outbox.flush(uplink, -5.0, ignore_hold=True).delivered
            delivered += outbox.flush(uplink, 1e6, ignore_hold=True).delivered
            assert outbox.pending() == ()
        uplink.close()
        clock.now = int(time.time())
        devices, listing = clinic.listed()
        reading = read(clinic.clinician, devices, listing, Memory())
    assert delivered == len(jumps) + 1
    assert reading.flags == ()
    assert sorted(record.sequence for record in reading.records) == list(range(1, len(jumps) + 2))


def test_a_clock_that_jumps_between_question_and_answer_costs_one_more_try(tmp_path: Path) -> None:
    clock = Clock(int(time.time()))
    with serving_at(tmp_path / "server.db", clock) as honest, hostile(honest) as between:
        clinic = Clinic(tmp_path, between.url)
        home = clinic.device("home")
        pairing = load_pairing(home)
        assert pairing is not None
        uplink = HttpUplink(pairing.server, device_keys(home), clock=lambda: 0.0)

        def late(asked: Asked, forward: Forward) -> Answered:
            answer = forward(asked)
            clock.now += 3_600  # the server's nonce is past its time before it comes back
            return answer

        with open_store(home) as store:
            outbox = Outbox(store, sealer(home), lambda: secrets.token_bytes(16))
            outbox.save(noticing(0))
            with between.playing(late):
                flushed = outbox.flush(uplink, 0.0, ignore_hold=True)
            assert (flushed.delivered, flushed.waiting) == (0, 1)
            assert outbox.flush(uplink, 10_000.0, ignore_hold=True).delivered == 1
        uplink.close()


# --- the network ---


def test_lost_repeated_delayed_and_mixed_up_answers(tmp_path: Path) -> None:
    """Forty records through a network that does one of these to each call."""
    chance = random.Random(20260302)  # noqa: S311 - a reproducible scene
    answers: list[Answered] = []
    played: dict[str, int] = {}

    def weather(asked: Asked, forward: Forward) -> Answered | None:
        what = chance.choice(["fine", "fine", "lost", "answer lost", "twice", "late", "earlier answer"])
        played[what] = played.get(what, 0) + 1
        if what == "lost":
            return None
        answer = forward(asked)
        if what == "twice":
            answer = forward(asked)
        if what == "late":
            time.sleep(0.5)
        if what == "earlier answer" and answers:
            return chance.choice(answers)
        answers.append(answer)
        return None if what == "answer lost" else answer

    with serving(tmp_path / "server.db") as url, hostile(url) as between:
        clinic = Clinic(tmp_path, between.url)
        home = clinic.device("home")
        client = http_client()
        client.timeout = httpx.Timeout(0.25)
        uplink = HttpUplink.of(home, client=client)
        saved = []
        with between.playing(weather), open_store(home) as store:
            outbox = Outbox(store, sealer(home), lambda: secrets.token_bytes(16))
            saved = [outbox.save(noticing(number % 7, "he", "yelled")) for number in range(40)]
            for turn in range(400):
                outbox.flush(uplink, turn * 10_000.0, ignore_hold=True)
                outbox.put_back()
                if not outbox.pending():
                    break
            assert outbox.pending() == ()
        client.close()
        devices, listing = clinic.listed()
        reading = read(clinic.clinician, devices, listing, Memory())
    assert set(played) == {"fine", "lost", "answer lost", "twice", "late", "earlier answer"}
    assert {flag.kind.value for flag in reading.flags} <= set(), reading.flags
    assert sorted(record.record_id for record in reading.records) == sorted(saved)
