"""The courier: what a round does, and that the thread wakes, works and stops."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.outbox_rig import NOTICING, Network, Rig
from voice.adapters.courier import Courier, CourierState
from voice.errors import StorageError
from voice.outbox import DeviceState, Receipt, Refused, UnreachableError


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, hold_s=30.0)
    yield made
    made.store.close()


def test_a_round_holds_then_delivers_and_says_when_to_come_again(box: Rig) -> None:
    courier = Courier(box.outbox, box.network())
    assert courier.round(0.0) == 900.0
    assert courier.state == CourierState(reachable=True, device=DeviceState.ACTIVE)
    box.outbox.save(NOTICING)
    assert courier.round(10.0) == 30.0
    assert courier.state.waiting == 1
    assert courier.round(40.0) == 860.0
    assert courier.state.waiting == 0
    assert box.server.sequences() == [1]


def test_a_server_out_of_reach_is_known_and_tried_again(box: Rig) -> None:
    class Away(Network):
        away = True

        def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
            if self.away:
                raise UnreachableError("no route", before_any_byte=True)
            return super().send(record_id, sealed)

        def device_state(self) -> DeviceState:
            if self.away:
                raise UnreachableError("no route", before_any_byte=True)
            return super().device_state()

    network = Away(box.server)
    courier = Courier(box.outbox, network)
    box.outbox.save(NOTICING)
    courier.round(0.0)
    assert courier.state == CourierState(reachable=False, waiting=1, problem="no route")
    assert courier.round(30.0) == 5.0
    network.away = False
    courier.round(35.0)
    assert (courier.state.reachable, courier.state.waiting, courier.state.problem) == (True, 0, None)


def test_S17_a_pause_is_seen_with_nothing_to_send(box: Rig) -> None:
    network = box.network()
    courier = Courier(box.outbox, network)
    courier.round(0.0)
    network.state = DeviceState.PAUSED
    courier.round(100.0)
    before = courier.state
    courier.round(900.0)
    assert (before.device, courier.state.device) == (DeviceState.ACTIVE, DeviceState.PAUSED)


def test_a_damaged_store_is_a_problem_and_not_the_end(box: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise StorageError("The outbox is damaged.", "Start again.")

    courier = Courier(box.outbox, box.network())
    monkeypatch.setattr(box.store, "waiting", refuse)
    assert courier.round(0.0) == 60.0
    assert courier.state.problem == "The outbox is damaged."


def test_the_thread_wakes_works_and_stops(tmp_path: Path) -> None:
    box = Rig(tmp_path, hold_s=0.0)
    seen: queue.Queue[CourierState] = queue.Queue()

    class Told(Network):
        def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
            answer = super().send(record_id, sealed)
            sent.put(sealed)
            return answer

    sent: queue.Queue[bytes] = queue.Queue()
    courier = Courier(box.outbox, Told(box.server), on_state=seen.put)
    courier.start()
    assert seen.get(timeout=30).device is DeviceState.ACTIVE
    box.outbox.save(NOTICING)
    courier.wake()
    assert sent.get(timeout=30).startswith(b"1|")
    courier.stop()
    assert box.server.sequences() == [1]
    box.store.close()


def test_a_mistake_of_ours_does_not_end_the_thread(tmp_path: Path) -> None:
    box = Rig(tmp_path)
    seen: queue.Queue[CourierState] = queue.Queue()

    class Broken(Network):
        broken = True

        def device_state(self) -> DeviceState:
            if self.broken:
                raise ZeroDivisionError
            return DeviceState.ACTIVE

    network = Broken(box.server)
    courier = Courier(box.outbox, network, on_state=seen.put)
    courier.start()
    assert seen.get(timeout=30).problem == "the courier failed (ZeroDivisionError)"
    network.broken = False
    courier.wake()
    assert seen.get(timeout=30).device is DeviceState.ACTIVE
    courier.stop()
    box.store.close()
