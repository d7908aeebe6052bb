"""The clinician's own sealed notes as they come back: theirs alone, and by version."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.clinician_client import DeviceEntry
from server.keyfile import Clinician, make_key_file
from server.reader import Device, Reading, Record
from server.reader_memory import keep_memory, load_memory
from server.reader_notes import Noted, label_of, marks_for, read_marks, with_marks
from server.reader_sequence import Kind, Memory
from server.records_client import MarkEntry, Marks
from tests.clinic_rig import CHEAP, PASSPHRASE
from voice.wire.boxes import Mark, Purpose, Said, encode_label, encode_mark, seal_box

DEVICE = b"d" * 16
AT = 1_790_000_000


@pytest.fixture(scope="module")
def clinician(tmp_path_factory: pytest.TempPathFactory) -> Clinician:
    return key_file(tmp_path_factory.mktemp("keys") / "k")


def key_file(path: Path) -> Clinician:
    return make_key_file(path, name="Dr Okafor", passphrase=PASSPHRASE, issued_at=AT, cost=CHEAP)[0]


def record(number: int) -> Record:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return Record(DEVICE, bytes([number]) * 16, number, at, "the foreman", None, "", new=False)


def reading(*numbers: int) -> Reading:
    return Reading(tuple(record(n) for n in numbers), (), (), Memory())


NOTHING = Noted({}, {}, ())


def made(who: Clinician, number: int, said: Said = Said.DISCUSSED, version: int = 1) -> MarkEntry:
    sealed = seal_box(
        encode_mark(Mark(said, AT)),
        purpose=Purpose.MARK,
        identity=who.identity,
        reading=who.reading.public_key(),
        clinician_id=who.id,
        device_id=DEVICE,
        record_id=bytes([number]) * 16,
        version=version,
    )
    return MarkEntry(DEVICE, bytes([number]) * 16, version, sealed)


def test_marks_come_back_and_are_not_made_twice(clinician: Clinician) -> None:
    first = marks_for(clinician, reading(1, 2).records, NOTHING, now=AT)
    assert [one.version for one in first] == [1, 1]
    noted = read_marks(clinician, Marks(tuple(first)), {})
    shown = with_marks(reading(1, 2, 3), noted)
    assert [one.discussed for one in shown.records] == [True, True, False]
    assert shown.flags == ()
    again = marks_for(clinician, reading(1, 2, 3).records, noted, now=AT)
    assert [one.record_id[0] for one in again] == [3]


def test_a_mark_that_was_taken_back_may_be_made_again_with_a_greater_version(clinician: Clinician) -> None:
    noted = read_marks(clinician, Marks((made(clinician, 1, Said.NONE, 4),)), {})
    assert not with_marks(reading(1), noted).records[0].discussed
    [again] = marks_for(clinician, reading(1).records, noted, now=AT)
    assert again.version == 5


def test_marks_that_are_not_ones_own_or_were_moved_are_left_out(clinician: Clinician, tmp_path: Path) -> None:
    someone = key_file(tmp_path / "other")
    good = made(clinician, 1)
    label = seal_box(
        encode_label("Ana"),
        purpose=Purpose.LABEL,
        identity=clinician.identity,
        reading=clinician.reading.public_key(),
        clinician_id=clinician.id,
        device_id=DEVICE,
        version=1,
    )
    bad = (
        made(someone, 1),
        replace(good, record_id=bytes([2]) * 16),
        replace(good, device_id=b"x" * 16),
        replace(good, version=9),
        replace(good, sealed=good.sealed[:-1]),
        replace(good, sealed=label),
    )
    noted = read_marks(clinician, Marks(bad, broken=1, whole=False), {})
    assert noted.marks == {}
    assert [(flag.kind, flag.message) for flag in noted.flags] == [
        (Kind.MARK, "Marks that are not yours, or were altered, are left out: 7."),
        (Kind.LIST, "The server's list of marks runs in a circle; it may not be whole."),
    ]


def test_an_earlier_mark_that_comes_back_is_flagged(clinician: Clinician) -> None:
    place = (DEVICE, bytes([1]) * 16)
    noted = read_marks(clinician, Marks((made(clinician, 1, version=2),)), {place: 3})
    assert [flag.kind for flag in noted.flags] == [Kind.MARK]
    assert "brought earlier ones back: 1" in noted.flags[0].message
    assert noted.versions == {place: 3}
    [next_one] = marks_for(clinician, [record(2)], noted, now=AT)
    assert next_one.version == 1


def test_the_memory_of_versions_comes_back(tmp_path: Path) -> None:
    memory = Memory({DEVICE: {1: b"h" * 32}}, {(DEVICE, b"r" * 16): 7})
    keep_memory(tmp_path / "m", memory)
    assert load_memory(tmp_path / "m") == memory
    (tmp_path / "m").write_text('{"version": 1, "devices": {}}')
    assert load_memory(tmp_path / "m") == Memory()
    (tmp_path / "m").write_text('{"version": 1, "devices": {}, "marks": {"x": 1}}')
    assert load_memory(tmp_path / "m") is None


def device(label: bytes | None) -> Device:
    entry = DeviceEntry(DEVICE, b"", b"", b"", b"", b"", None, "active", None, None, label)
    return Device(entry, None)


def test_a_label_says_the_clients_name_to_its_clinician_alone(clinician: Clinician, tmp_path: Path) -> None:
    def label(who: Clinician, device_id: bytes = DEVICE, name: str = "Ana Ñandú") -> bytes:
        return seal_box(
            encode_label(name),
            purpose=Purpose.LABEL,
            identity=who.identity,
            reading=who.reading.public_key(),
            clinician_id=who.id,
            device_id=device_id,
            version=1,
        )

    assert label_of(device(label(clinician)), clinician) == "Ana Ñandú"
    for bad in (None, b"", label(key_file(tmp_path / "other")), label(clinician, secrets.token_bytes(16))):
        assert label_of(device(bad), clinician) is None
    assert label_of(device(made(clinician, 1).sealed), clinician) is None
