"""kill -9, of the server and of the device, while records are on their way: none lost, none doubled.

The moments are drawn from a seed; what is under way at each is up to the machine. The outbox's own steps are
killed one by one in tests/device/test_outbox_kill.py, where 10,000 points can be counted. More of these:
`ONEBREATH_DEATHS=50 pytest tests/end_to_end/test_server_kill.py`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.intake_practice import Practice
from server.reader import read
from server.reader_sequence import Memory
from tests.clinic_rig import Clinic
from tests.end_to_end.load import Crowd, ServerProcess, none_lost_none_doubled, server_process
from tests.end_to_end.product import until

pytestmark = pytest.mark.hard

SEED = 20260302
SERVER_DEATHS = int(os.environ.get("ONEBREATH_DEATHS", "3"))
DEVICE_DEATHS = SERVER_DEATHS + 1


def test_the_server_is_killed_under_load(fresh_url: str, tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a reproducible scene
    practice = Practice.found(fresh_url, 8)
    with server_process(fresh_url, tmp_path / "log") as server:
        crowd = Crowd(practice, server)
        with crowd.sending():
            for _ in range(SERVER_DEATHS):
                before = len(crowd.acknowledged)
                until(lambda n=before: True if len(crowd.acknowledged) > n + 5 else None, "traffic")  # type: ignore[misc]
                time.sleep(chance.uniform(0.0, 0.15))
                server.kill()
                server.start()
    assert none_lost_none_doubled(fresh_url, crowd) > SERVER_DEATHS * 5
    assert crowd.answers.get(0, 0) >= SERVER_DEATHS, "the deaths were felt"


CHILD = """
import json, os, sys, threading
from pathlib import Path
from tests.clinic_rig import noticing
from voice.adapters.courier import Courier
from voice.adapters.identity import sealer
from voice.adapters.recovery import open_store
from voice.adapters.uplink import HttpUplink
from voice.outbox import Backoff, Outbox

home, wanted = Path(sys.argv[1]), int(sys.argv[2])

def say(**event):
    os.write(1, (json.dumps(event) + "\\n").encode())

with open_store(home) as store:
    say(open=True)
    outbox = Outbox(
        store, sealer(home), lambda: os.urandom(16), hold_s=0.0, backoff=Backoff(first_s=0.05, most_s=0.2)
    )
    courier = Courier(outbox, HttpUplink.of(home))
    courier.start()
    for number in range(wanted):
        say(saved=outbox.save(noticing(number % 7, "he", "yelled")).hex())
        courier.wake()
    while outbox.pending():
        courier.wake()
        threading.Event().wait(0.02)
    say(aside=len(outbox.set_aside()))
    courier.stop()
"""


def live(home: Path, wanted: int, die_after: int | None, grace_s: float) -> tuple[bool, list[str]]:
    """One life of a device: whether it lived to its end, and the records that it had called saved."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home), str(wanted)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    events = []
    for line in child.stdout:
        events.append(json.loads(line))
        if die_after is not None and len(events) > die_after:
            time.sleep(grace_s)
            child.kill()
            break
    rest, errors = child.communicate()
    events += [json.loads(line) for line in rest.splitlines() if line.endswith(b"}")]
    assert child.returncode in (0, -9), errors.decode()
    assert not any(event.get("aside") for event in events)
    return child.returncode == 0, [event["saved"] for event in events if "saved" in event]


def test_device_and_server_are_killed_in_turn(tmp_path: Path) -> None:
    chance = random.Random(SEED + 1)  # noqa: S311 - a reproducible scene
    server = ServerProcess(f"sqlite:///{tmp_path / 'server.db'}", tmp_path / "log")
    server.start()
    try:
        clinic = Clinic(tmp_path, server.url)
        home = clinic.device("home")
        saved: list[str] = []
        for _ in range(DEVICE_DEATHS):
            lived, told = live(home, 40, chance.randrange(0, 30), chance.uniform(0.0, 0.1))
            saved += told
            assert not lived
            if chance.random() < 0.5:
                server.kill()
                server.start()
        lived, told = live(home, 3, None, 0.0)
        assert lived
        saved += told
        with clinic.client() as client:
            reading = read(clinic.clinician, client.devices(), client.records(), Memory())
    finally:
        server.kill()
    assert reading.flags == (), "no gap, nothing twice, nothing out of order"
    arrived = [record.record_id.hex() for record in reading.records]
    assert len(set(arrived)) == len(arrived)
    assert set(saved) <= set(arrived)
    assert len(saved) > DEVICE_DEATHS
