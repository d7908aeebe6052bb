"""Two writers, and the same record many times at once: one row, one receipt, nothing lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server.store import Store
from tests.server.server_rig import NOW, DeviceParty, Rig, record_path
from voice.wire.envelope import digest, parse_frame


def test_the_same_record_at_the_same_time_makes_one_row(rig: Rig) -> None:
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    path = record_path(frame)
    answers = rig.send(*[("PUT", path, frame, rig.headers(device, "PUT", path, frame)) for _ in range(12)])
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert len(rig.store.records(rig.clinician.clinician_id, after=0, limit=10)) == 1


def test_two_records_for_one_sequence_number_at_the_same_time(rig: Rig) -> None:
    device = rig.paired()
    frames = [device.record(rig.clinician, 1) for _ in range(8)]
    answers = rig.send(
        *[("PUT", record_path(f), f, rig.headers(device, "PUT", record_path(f), f)) for f in frames]
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


def test_one_link_and_many_devices_at_the_same_time(rig: Rig) -> None:
    link = rig.invite()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: rig.claim(link, DeviceParty.new()), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5


def test_two_stores_write_to_one_database_at_the_same_time(rig: Rig, tmp_path: Path) -> None:
    """As two workers do: each has its own connections, and SQLite alone keeps them in line."""
    device = rig.paired()
    other = Store.open(rig.settings.database_url)
    frames = [device.record(rig.clinician, sequence) for sequence in range(1, 41)]

    def take(job: tuple[Store, bytes]) -> bool:
        store, frame = job
        return store.take_record(parse_frame(frame), frame, digest(frame), now=NOW).created

    jobs = [(store, frame) for frame in frames for store in (rig.store, other)]
    try:
        with ThreadPoolExecutor(8) as pool:
            created = list(pool.map(take, jobs))
    finally:
        other.close()
    assert sum(created) == 40
    rows = rig.store.records(rig.clinician.clinician_id, after=0, limit=100)
    assert [row.cursor for row in rows] == list(range(1, 41))
    assert {row.frame for row in rows} == set(frames)
