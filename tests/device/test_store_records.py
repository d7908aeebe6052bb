"""The records port as the loop uses it, against the real server."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clinic_rig import Clinic, noticing, serving
from voice.adapters.identity import device_keys
from voice.adapters.pairing import pair
from voice.adapters.records import DeviceRecords
from voice.adapters.uplink import HttpUplink
from voice.errors import PairingError, StorageError
from voice.noticing import Noticing
from voice.outbox import DeviceState, Receipt, Refused, UnreachableError, Uplink
from voice.ports import Deletion, Records, Standing
from voice.transcript import Transcript, Word


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


@pytest.fixture
def home(clinic: Clinic, tmp_path: Path) -> Path:
    pair(tmp_path / "home", clinic.link())
    return tmp_path / "home"


class Away:
    """No network."""

    def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
        raise UnreachableError("no route", before_any_byte=True)

    def device_state(self) -> DeviceState:
        raise UnreachableError("no route", before_any_byte=True)


def without_network(home: Path) -> Uplink:
    return Away()


def test_saving_flushing_and_deleting_as_the_loop_does(home: Path) -> None:
    with DeviceRecords(home, courier=False) as records:
        port: Records = records
        assert port.standing() is Standing.ACTIVE
        assert port.delete_last() is Deletion.NOTHING
        port.save(noticing(0))
        assert port.delete_last() is Deletion.DELETED
        assert port.delete_last() is Deletion.NOTHING
        port.save(noticing(1))
        assert not port.online()
        assert port.flush() == 0
        assert port.online()
        assert port.delete_last() is Deletion.DELIVERED


def test_a_held_record_is_delivered_by_the_courier(home: Path) -> None:
    sent: queue.Queue[Receipt | Refused] = queue.Queue()

    class Told(HttpUplink):
        def send(self, record_id: bytes, sealed: bytes) -> Receipt | Refused:
            answer = super().send(record_id, sealed)
            sent.put(answer)
            return answer

    with DeviceRecords(home, hold_s=0.0, connect=Told.of) as records:
        record_id = records.save(noticing(0, "he", "yelled"))
        answer = sent.get(timeout=30)
        assert isinstance(answer, Receipt)
        assert answer.record_id == record_id


def test_S18_no_network_is_needed_to_save(home: Path) -> None:
    with DeviceRecords(home, courier=False, connect=without_network) as records:
        records.save(noticing(0))
        assert records.flush() == 1
        assert not records.online()
    with DeviceRecords(home, courier=False) as records:
        assert records.flush() == 0


def test_S17_a_paused_device_stays_paused_without_a_network(clinic: Clinic, home: Path) -> None:
    with clinic.client() as client:
        client.set_state(device_keys(home).id, "paused")
    with DeviceRecords(home, courier=False) as records:
        records.save(noticing(0))
        assert records.flush() == 1
        assert records.standing() is Standing.PAUSED
    with DeviceRecords(home, courier=False, connect=without_network) as records:
        assert records.standing() is Standing.PAUSED
    with clinic.client() as client:
        client.set_state(device_keys(home).id, "active")
    with DeviceRecords(home, courier=False) as records:
        assert records.flush() == 0
        assert records.standing() is Standing.ACTIVE


def test_S17_an_unpaired_device_keeps_silent_until_it_is_paired(clinic: Clinic, tmp_path: Path) -> None:
    with DeviceRecords(tmp_path, courier=False) as records:
        assert records.standing() is Standing.UNPAIRED
        assert records.flush() == 0
        with pytest.raises(PairingError):
            records.save(noticing(0))
        pair(tmp_path, clinic.link())
        assert records.standing() is Standing.ACTIVE
        records.save(noticing(0))
        assert records.flush() == 0


def test_pairing_anew_forgets_the_old_standing(clinic: Clinic, home: Path) -> None:
    with clinic.client() as client:
        client.set_state(device_keys(home).id, "revoked")
    with DeviceRecords(home, courier=False) as records:
        records.save(noticing(0))
        records.flush()
        assert records.standing() is Standing.UNPAIRED
    pair(home, clinic.link(), replace=True)
    with DeviceRecords(home, courier=False) as records:
        assert records.standing() is Standing.ACTIVE


def test_S19_the_line_is_nowhere_on_the_device(home: Path) -> None:
    canary = "kestrel-harbour-anvil"
    with DeviceRecords(home, courier=False, connect=without_network) as records:
        records.save(Noticing(canary, noticing(0).at, Transcript((Word(canary),), "vosk")))
        during = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    after = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert len(during) > 2_000
    assert canary.encode() not in during + after


def test_a_text_that_no_record_can_hold_is_an_error_and_uses_no_number(home: Path) -> None:
    with DeviceRecords(home, courier=False) as records:
        with pytest.raises(StorageError, match="could not be sealed"):
            records.save(noticing(0, "x" * 40_000))
        with pytest.raises(StorageError, match="could not be sealed"):
            records.save(noticing(0, part="\ud800"))
        records.save(noticing(0))
        assert [row.sequence for row in records.outbox.pending()] == [1]


def test_a_damaged_outbox_is_said_and_listening_goes_on(home: Path) -> None:
    with DeviceRecords(home, courier=False, connect=without_network) as records:
        records.save(noticing(0))
        assert records.recovery is None
    (home / "outbox.sqlite").write_bytes(b"x" * 5_000)
    with DeviceRecords(home, courier=False) as records:
        assert records.recovery is not None
        assert records.recovery.last_sequence == 1
        records.save(noticing(1))
        assert records.flush() == 0
