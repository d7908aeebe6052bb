"""The outbox is killed at every step; nothing that was "saved" is lost or doubled.

`ONEBREATH_KILL_POINTS=10000 pytest tests/device/test_outbox_kill.py -k random` is the full count of design
section 14; the default is a sample of it.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.device.outbox_rig import NOTICING, Died, Fuse, Rig, fast_folder, mortal
from voice.adapters.recovery import open_store
from voice.outbox import Row

FAULTS = ("", "refused", "lost request", "lost answer", "old answer", "sent twice", "wrong hash", "500")
KILL_POINTS = int(os.environ.get("ONEBREATH_KILL_POINTS", "400"))
MOST_STEPS = 400


class Client:
    """Uses the outbox as the dialogue does, and remembers what the client was told."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.saved: list[bytes] = []
        self.deleted: set[bytes] = set()
        self._deleting: bytes | None = None

    def save(self) -> None:
        self.saved.append(self.rig.outbox.save(NOTICING))

    def delete(self) -> None:
        rows = self.rig.outbox.pending()
        self._deleting = rows[-1].record_id if rows else None
        if self.rig.outbox.delete_last():
            assert self._deleting is not None
            self.deleted.add(self._deleting)
        self._deleting = None

    def flush(self, *faults: str, now: float = 0.0) -> None:
        self.rig.outbox.flush(self.rig.network(*faults), now)

    def survive(self, what: Callable[[], None]) -> bool:
        """Do it; if that kills the process, start the next one. Whether it lived."""
        try:
            what()
        except Died:
            self.rig.crash()
            assert self.rig.store.recovery is None
            # Killed while deleting, before the client was told: either is right, and now it is known which.
            if self._deleting is not None:
                kept = {row.record_id for row in self.rig.outbox.pending()}
                if self._deleting not in kept:
                    self.deleted.add(self._deleting)
                self._deleting = None
            return False
        return True

    def settle(self) -> None:
        """With a whole network and no more deaths everything arrives."""
        self.rig.fuse.kill_at = None
        for day in range(1, 40):
            self.rig.outbox.flush(self.rig.network(), day * 86_400.0)
        assert self.rig.outbox.pending() == ()

    def check(self) -> None:
        """What the clinician has: everything the client was told is saved, once, in order, without a gap."""
        arrived = list(self.rig.server.records)
        told = [record_id for record_id in self.saved if record_id not in self.deleted]
        assert [record_id for record_id in arrived if record_id in set(told)] == told
        assert not self.deleted & set(arrived)
        assert self.rig.server.sequences() == list(range(1, len(arrived) + 1))
        assert not [entry for entry in self.rig.server.log if entry.startswith("conflict")]


def scene(client: Client) -> Iterator[Callable[[], None]]:
    yield client.save
    yield client.save
    yield client.delete
    yield client.save
    yield lambda: client.flush("refused")
    yield lambda: client.flush("lost answer", now=100.0)
    yield client.delete
    yield client.save
    yield lambda: client.flush("", "500", now=1_000.0)
    yield lambda: client.flush(now=10_000.0)
    yield client.save


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(dir=fast_folder(tmp_path)))
    yield made
    shutil.rmtree(made)


def test_every_step_of_the_scene_can_be_the_last(folder: Path) -> None:
    kill_at, killed = 1, True
    while killed:
        killed = False
        rig = Rig(folder / str(kill_at))
        client = Client(rig)
        rig.fuse.kill_at = kill_at
        for action in scene(client):
            killed = not client.survive(action) or killed
        client.settle()
        client.check()
        rig.store.close()
        shutil.rmtree(folder / str(kill_at))
        kill_at += 1
    assert kill_at > 100


def test_random_scenes_killed_again_and_again(folder: Path) -> None:
    chance = random.Random(20260302)  # noqa: S311 - a reproducible scene
    deaths = scenes = 0
    while deaths < KILL_POINTS:
        rig = Rig(folder / str(scenes))
        client = Client(rig)
        now = 0.0
        for _ in range(40):
            now += 3_600.0
            if rig.fuse.kill_at is None:
                rig.fuse.kill_at = rig.fuse.steps + chance.randrange(1, 30)
            faults = chance.choices(FAULTS, k=3)
            flush = functools.partial(client.flush, *faults, now=now)
            actions: list[Callable[[], None]] = [client.save, client.save, client.delete, flush]
            deaths += not client.survive(chance.choice(actions))
        client.settle()
        client.check()
        rig.store.close()
        shutil.rmtree(folder / str(scenes))
        scenes += 1


class OutboxMachine(RuleBasedStateMachine):
    """Hypothesis looks for the order of events that loses something."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=fast_folder(Path(tempfile.gettempdir()))))
        self.rig = Rig(self.folder)
        self.client = Client(self.rig)
        self.now = 0.0

    @rule()
    def save(self) -> None:
        self.client.survive(self.client.save)

    @rule()
    def delete(self) -> None:
        self.client.survive(self.client.delete)

    @rule(faults=st.lists(st.sampled_from(FAULTS), max_size=4), later_s=st.sampled_from([0.0, 7.0, 3_600.0]))
    def flush(self, faults: list[str], later_s: float) -> None:
        self.now += later_s
        self.client.survive(lambda: self.client.flush(*faults, now=self.now))

    @rule(steps=st.integers(1, 40))
    def light_the_fuse(self, steps: int) -> None:
        self.rig.fuse.kill_at = self.rig.fuse.steps + steps

    @rule()
    def power_cut(self) -> None:
        self.rig.crash()

    @invariant()
    def nothing_is_both_here_and_forgotten(self) -> None:
        kill_at, self.rig.fuse.kill_at = self.rig.fuse.kill_at, None
        here = {row.record_id for row in self.rig.outbox.pending()} | set(self.rig.server.records)
        here |= {row.record_id for row in self.rig.outbox.set_aside()}
        assert set(self.client.saved) - self.client.deleted <= here
        if kill_at is not None:
            self.rig.fuse.kill_at = max(kill_at, self.rig.fuse.steps + 1)

    def teardown(self) -> None:
        self.rig.fuse.kill_at = None
        self.rig.outbox.put_back()
        self.client.settle()
        arrived = list(self.rig.server.records)
        assert set(self.client.saved) - self.client.deleted <= set(arrived)
        assert not self.client.deleted & set(arrived)
        assert sorted(self.rig.server.sequences()) == list(range(1, len(arrived) + 1))
        self.rig.store.close()
        shutil.rmtree(self.folder)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)

CHILD = '''
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import tests.device.outbox_rig as rig_module
from tests.device.outbox_rig import Fuse, MortalHighWater, NOTICING, Network, mortal, seal
from voice.adapters.recovery import open_store
from voice.outbox import Outbox, Receipt
import hashlib

folder, kill_at = Path(sys.argv[2]), int(sys.argv[3])

class Files:
    """An exact server whose rows are files, so that it outlives the device."""
    def put(self, record_id, sealed):
        path = folder / "server" / record_id.hex()
        if path.exists():
            assert path.read_bytes() == sealed, "conflict"
        else:
            fresh = path.with_suffix(".new")
            fresh.write_bytes(sealed)
            fresh.rename(path)
        return Receipt(record_id, hashlib.sha256(sealed).digest(), "2026-03-02T23:06:00Z")

fuse = Fuse(die=lambda: os.kill(os.getpid(), signal.SIGKILL))
store = open_store(folder / "home", factory=mortal(fuse))
MortalHighWater.fuse = fuse
store._last.__class__ = MortalHighWater
outbox = Outbox(store, seal, lambda: os.urandom(16), hold_s=0.0)
if kill_at:
    fuse.steps, fuse.kill_at = 0, kill_at

def say(**event):
    os.write(1, (json.dumps(event) + "\\n").encode())

if kill_at:
    for _ in range(2):
        say(saved=outbox.save(NOTICING).hex())
    last = outbox.pending()[-1].record_id.hex()
    say(deleting=last)
    if outbox.delete_last():
        say(deleted=last)
    say(saved=outbox.save(NOTICING).hex())
outbox.flush(Network(Files(), ["", "lost answer"] if kill_at else [], fuse), 0.0)
say(waiting=len(outbox.pending()))
'''


@pytest.mark.parametrize("kill_at", [1, 3, 6, 9, 14, 20, 27, 33, 40, 45, 50, 56, 62, 70, 80])
def test_a_real_process_killed_by_the_system(tmp_path: Path, kill_at: int) -> None:
    (tmp_path / "server").mkdir()
    root = str(Path(__file__).parents[2])

    def run(kill: int) -> tuple[int, list[dict[str, Any]]]:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, root, str(tmp_path), str(kill)], capture_output=True, check=False
        )
        if done.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(done.stderr.decode())
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    _, events = run(kill_at)
    status, after = run(0)
    assert status == 0
    assert after[-1]["waiting"] == 0
    saved = {event["saved"] for event in events if "saved" in event}
    deleted = {event["deleted"] for event in events if "deleted" in event}
    perhaps = {event["deleting"] for event in events if "deleting" in event}
    arrived = {path.name: path.read_bytes() for path in (tmp_path / "server").iterdir()}
    assert saved - deleted - perhaps <= set(arrived)
    assert not deleted & set(arrived)
    sequences = sorted(int(sealed.split(b"|")[0]) for sealed in arrived.values())
    assert sequences == list(range(1, len(arrived) + 1))


def test_a_first_start_that_is_cut_short_is_finished_by_the_next(folder: Path) -> None:
    kill_at = 1
    while True:
        home = folder / str(kill_at)
        try:
            open_store(home, factory=mortal(Fuse(kill_at))).close()
            break
        except Died:
            pass
        with open_store(home) as store:
            assert store.recovery is None
            store.add(Row(1, bytes(16), b"sealed"))
        kill_at += 1
    assert kill_at > 20
