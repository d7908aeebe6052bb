"""The outbox's promises, one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.outbox_rig import NOTICING, Network, Rig
from voice.noticing import Noticing
from voice.outbox import Backoff, DeviceState, Outbox, Receipt, Refused


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.store.close()


def test_a_record_is_sealed_before_anything_is_written(rig: Rig) -> None:
    order: list[str] = []

    def seal(noticing: Noticing, record_id: bytes, sequence: int) -> bytes:
        order.append(f"sealed {sequence} with {len(rig.store.rows())} rows on disk")
        return b"sealed"

    outbox = Outbox(rig.store, seal, lambda: bytes(16))
    outbox.save(NOTICING)
    assert order == ["sealed 1 with 0 rows on disk"]
    assert [row.sealed for row in rig.store.rows()] == [b"sealed"]


def test_a_seal_that_fails_writes_nothing_and_uses_no_number(rig: Rig) -> None:
    def refuse(noticing: Noticing, record_id: bytes, sequence: int) -> bytes:
        raise ValueError("too long")

    with pytest.raises(ValueError, match="too long"):
        Outbox(rig.store, refuse, lambda: bytes(16)).save(NOTICING)
    rig.outbox.save(NOTICING)
    assert [row.sequence for row in rig.outbox.pending()] == [1]


def test_records_go_out_in_order_and_leave_only_for_their_receipt(rig: Rig) -> None:
    saved = [rig.outbox.save(NOTICING) for _ in range(3)]
    result = rig.outbox.flush(rig.network(), 0.0)
    assert (result.delivered, result.waiting, result.device_state) == (3, 0, DeviceState.ACTIVE)
    assert result.next_try_at is None
    assert list(rig.server.records) == saved
    assert rig.server.sequences() == [1, 2, 3]


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "wrong hash", "500", "429", "401", "404"])
def test_the_very_same_bytes_are_sent_until_the_receipt(rig: Rig, fault: str) -> None:
    rig.outbox.save(NOTICING)
    network = rig.network(fault)
    failed = rig.outbox.flush(network, 0.0)
    assert (failed.delivered, failed.waiting) == (0, 1)
    assert failed.next_try_at is not None
    assert failed.problem
    resting = rig.outbox.flush(network, failed.next_try_at - 0.1)
    assert (resting.reachable, len(network.sent)) == (None, 1)
    done = rig.outbox.flush(network, failed.next_try_at)
    assert (done.delivered, done.waiting) == (1, 0)
    assert network.sent[0] == network.sent[1]
    assert rig.server.sequences() == [1]


def test_a_receipt_for_another_record_is_no_receipt(rig: Rig) -> None:
    rig.outbox.save(NOTICING)
    rig.outbox.save(NOTICING)
    result = rig.outbox.flush(rig.network("", "old answer"), 0.0)
    assert (result.delivered, result.waiting) == (1, 1)


def test_a_server_that_always_answers_for_other_bytes_blocks_one_record_not_the_rest(rig: Rig) -> None:
    rig.outbox.save(NOTICING)
    rig.outbox.save(NOTICING)
    network = rig.network(*["wrong hash"] * 5)
    for hour in range(6):
        result = rig.outbox.flush(network, hour * 3600.0)
    assert (result.delivered, result.waiting, result.set_aside) == (1, 0, 1)


def test_waits_double_and_are_shortened_by_the_jitter() -> None:
    backoff = Backoff(first_s=5.0, most_s=60.0)
    assert [backoff.wait_s(n, 0.0) for n in (1, 2, 3, 4, 5, 5000)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    assert backoff.wait_s(1, 0.5) == pytest.approx(3.75)


def test_waits_grow_while_the_server_is_away_and_start_over_after_a_receipt(rig: Rig) -> None:
    rig.outbox.save(NOTICING)
    network = rig.network("refused", "refused", "refused", "", "refused")
    now, waits = 0.0, []
    for _ in range(4):
        result = rig.outbox.flush(network, now)
        if result.next_try_at is not None:
            waits.append(result.next_try_at - now)
            now = result.next_try_at
    assert waits == [5.0, 10.0, 20.0]
    rig.outbox.save(NOTICING)
    again = rig.outbox.flush(network, now)
    assert again.next_try_at == now + 5.0


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_what_the_server_will_never_take_is_kept_aside_and_blocks_nothing(rig: Rig, status: int) -> None:
    rig.outbox.save(NOTICING)
    rig.outbox.save(NOTICING)
    network = rig.network(str(status))
    result = rig.outbox.flush(network, 0.0)
    assert (result.delivered, result.waiting, result.set_aside) == (1, 0, 1)
    assert [(row.sequence, row.set_aside) for row in rig.outbox.set_aside()] == [(1, "no: said the server")]
    rig.crash()
    assert rig.outbox.flush(rig.network(), 1e6).set_aside == 1
    assert rig.server.sequences() == [2]
    assert rig.outbox.put_back() == 1
    assert rig.outbox.flush(rig.network(), 2e6).delivered == 1


@pytest.mark.parametrize("state", [DeviceState.PAUSED, DeviceState.DISCHARGED, DeviceState.REVOKED])
def test_S17_what_the_clinician_decided_is_reported_and_nothing_is_lost(rig: Rig, state: DeviceState) -> None:
    rig.outbox.save(NOTICING)
    network = rig.network()
    network.state = state
    result = rig.outbox.flush(network, 0.0)
    assert (result.device_state, result.waiting, result.set_aside) == (state, 1, 0)
    network.state = DeviceState.ACTIVE
    assert rig.outbox.flush(network, 1e6).delivered == 1


def test_a_record_is_held_a_while_before_it_is_first_offered(tmp_path: Path) -> None:
    rig = Rig(tmp_path, hold_s=30.0)
    rig.outbox.save(NOTICING)
    network = rig.network()
    held = rig.outbox.flush(network, 100.0)
    assert (held.delivered, held.waiting, held.reachable, held.next_try_at) == (0, 1, None, 130.0)
    assert rig.outbox.flush(network, 129.9).delivered == 0
    assert rig.outbox.flush(network, 130.0).delivered == 1
    rig.outbox.save(NOTICING)
    assert rig.outbox.flush(network, 131.0, ignore_hold=True).delivered == 1
    rig.store.close()


def test_deleting_takes_back_the_last_record_and_its_number(rig: Rig) -> None:
    first = rig.outbox.save(NOTICING)
    rig.outbox.save(NOTICING)
    assert rig.outbox.delete_last()
    third = rig.outbox.save(NOTICING)
    rig.outbox.flush(rig.network(), 0.0)
    assert rig.server.sequences() == [1, 2]
    assert list(rig.server.records) == [first, third]


def test_a_deleted_record_leaves_no_bytes_in_the_database(rig: Rig) -> None:
    rig.outbox.save(Noticing("a canary", NOTICING.at))
    assert rig.outbox.delete_last()
    rig.store.close()
    assert b"a canary" not in (rig.home / "outbox.sqlite").read_bytes()
    rig.start()


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "500", "409", "wrong hash", ""])
def test_nothing_is_deleted_that_the_clinician_may_have(rig: Rig, fault: str) -> None:
    rig.outbox.save(NOTICING)
    rig.outbox.flush(rig.network(fault), 0.0)
    assert not rig.outbox.delete_last()
    rig.crash()
    assert not rig.outbox.delete_last()
    rig.outbox.save(NOTICING)
    assert rig.outbox.pending()[-1].sequence == 2


def test_nothing_to_delete(rig: Rig) -> None:
    assert not rig.outbox.delete_last()


def test_a_refused_connection_leaves_the_record_the_clients_own(rig: Rig) -> None:
    rig.outbox.save(NOTICING)
    rig.outbox.flush(rig.network("refused"), 0.0)
    rig.crash()
    assert rig.outbox.delete_last()


def test_a_refused_connection_does_not_undo_an_earlier_send(rig: Rig) -> None:
    rig.outbox.save(NOTICING)
    network = rig.network("lost answer", "refused")
    rig.outbox.flush(network, 0.0)
    rig.outbox.flush(network, 1e6)
    assert not rig.outbox.delete_last()


def test_saving_and_deleting_do_not_wait_for_the_network(rig: Rig) -> None:
    seen: list[object] = []

    class Slow(Network):
        def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
            # Inside a send, as the loop's thread would: a held lock would hang here for ever.
            seen.append(rig.outbox.save(NOTICING) if len(seen) == 0 else rig.outbox.delete_last())
            return super().send(record_id, sealed)

    rig.outbox.save(NOTICING)
    result = rig.outbox.flush(Slow(rig.server), 0.0)
    assert seen == [(2).to_bytes(16, "big"), False]
    assert result.delivered == 2


def test_two_threads_share_one_outbox(rig: Rig) -> None:
    count, done, failures = 150, threading.Event(), []

    def save() -> None:
        try:
            for _ in range(count):
                rig.outbox.save(NOTICING)
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    saving = threading.Thread(target=save)
    saving.start()
    while not done.is_set() or rig.outbox.pending():
        rig.outbox.flush(rig.network(), 0.0)
    saving.join()
    assert failures == []
    assert rig.server.sequences() == list(range(1, count + 1))
