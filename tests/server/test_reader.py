"""The reader against a real server, and against lists that a malicious one would give."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.clinician_client import DeviceEntry, Listing, RecordEntry
from server.reader import Reading, Trust, read
from server.reader_sequence import Kind, Memory
from tests.clinic_rig import Clinic, noticing, send, serving
from voice.adapters.identity import device_keys
from voice.wire.content import encode
from voice.wire.encoding import key_id
from voice.wire.envelope import Recipient, seal_record
from voice.wire.pairing import device_proof

Change = Callable[[tuple[RecordEntry, ...]], list[RecordEntry]]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        made = Clinic(folder, url)
        yield made


@pytest.fixture(scope="module")
def honest(clinic: Clinic) -> tuple[tuple[DeviceEntry, ...], Listing]:
    """Two devices; the first with records on Monday, Tuesday, Wednesday, Thursday, the second with one."""
    first, second = clinic.device("first"), clinic.device("second")
    said = ("he", "yelled")
    assert send(first, *(noticing(days, *said) for days in range(4))) == 4
    assert send(second, noticing(5, part="the little one by the window")) == 1
    devices, listing = clinic.listed()
    id_of_first = device_keys(first).id
    return tuple(sorted(devices, key=lambda device: device.device_id != id_of_first)), listing


def kinds(reading: Reading) -> list[Kind]:
    return [flag.kind for flag in reading.flags]


def changed(
    clinic: Clinic,
    honest: tuple[tuple[DeviceEntry, ...], Listing],
    change: Change,
    memory: Memory | None = None,
) -> Reading:
    devices, listing = honest
    return read(clinic.clinician, devices, Listing(tuple(change(listing.records))), memory or Memory())


def test_an_honest_list_is_read_newest_first_without_flags(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    reading = read(clinic.clinician, *honest, Memory())
    assert reading.flags == ()
    assert [device.trust for device in reading.devices] == [Trust.PROOF, Trust.PROOF]
    assert [record.part for record in reading.records] == ["the little one by the window"] + [
        "the foreman"
    ] * 4
    assert [record.at for record in reading.records] == sorted((r.at for r in reading.records), reverse=True)
    assert reading.records[0].line is None
    assert reading.records[1].line is not None
    assert reading.records[1].line.text == "he yelled"
    assert all(record.new for record in reading.records)
    again = read(clinic.clinician, *honest, reading.memory)
    assert again.flags == ()
    assert not any(record.new for record in again.records)


def test_every_page_is_fetched(clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]) -> None:
    with clinic.client() as client:
        assert client.records(page=2) == honest[1]


def test_a_dropped_record_is_said_with_its_days(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    reading = changed(clinic, honest, lambda records: [*records[:2], *records[3:]])
    assert [flag.message for flag in reading.flags] == [
        "A record is missing between Tuesday 3 March and Thursday 5 March."
    ]
    assert len(reading.records) == 4
    reading = changed(clinic, honest, lambda records: [*records[2:]])
    assert [flag.message for flag in reading.flags] == ["2 records are missing before Wednesday 4 March."]


def test_reordered_records_are_flagged_and_shown_in_their_order(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    reading = changed(clinic, honest, lambda r: [r[1], r[0], *r[2:]])
    assert kinds(reading) == [Kind.ORDER]
    assert [record.sequence for record in reading.records] == [1, 4, 3, 2, 1]


def test_a_replayed_record_is_flagged_and_shown_once(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    reading = changed(clinic, honest, lambda r: [*r, replace(r[0], cursor=99, received_at="later")])
    assert kinds(reading) == [Kind.DUPLICATE]
    assert len(reading.records) == 5


def test_an_altered_frame_is_flagged_and_hides_nothing_else(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    def alter(records: tuple[RecordEntry, ...]) -> list[RecordEntry]:
        frame = bytearray(records[1].frame)
        frame[500] ^= 1
        return [records[0], replace(records[1], frame=bytes(frame)), *records[2:]]

    reading = changed(clinic, honest, alter)
    assert kinds(reading) == [Kind.FORGED, Kind.MISSING]
    assert len(reading.records) == 4


def test_a_frame_in_another_devices_place_is_flagged(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    def swap(records: tuple[RecordEntry, ...]) -> list[RecordEntry]:
        return [replace(records[0], frame=records[4].frame), *records[1:4], records[4]]

    reading = changed(clinic, honest, swap)
    assert set(kinds(reading)) == {Kind.MISFILED, Kind.DUPLICATE, Kind.MISSING}
    assert len(reading.records) == 4


def test_a_truncated_list_is_caught_against_what_was_read_before(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    memory = read(clinic.clinician, *honest, Memory()).memory
    reading = changed(clinic, honest, lambda r: [*r[:2], r[4]], memory)
    assert [flag.message for flag in reading.flags] == [
        "2 records that you had read have been taken out from the end of the list."
    ]
    assert reading.memory == memory
    emptied = read(clinic.clinician, (), Listing(()), memory)
    assert kinds(emptied) == [Kind.VANISHED, Kind.VANISHED]


def test_noise_is_flagged_and_hides_nothing(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    noise = RecordEntry(50, "00" * 16, "today", b"not a frame")
    reading = changed(clinic, honest, lambda r: [noise, *r, replace(r[0], frame=r[0].frame[:-1])])
    assert kinds(reading) == [Kind.FRAME, Kind.FRAME]
    assert len(reading.records) == 5


def forged(clinic: Clinic, keys: Ed25519PrivateKey, sequence: int = 1) -> bytes:
    """A record that anyone can seal to the clinician's public key."""
    return seal_record(
        encode(noticing(9, "send", "money")),
        signer=keys,
        device_id=key_id(keys.public_key().public_bytes_raw()),
        record_id=secrets.token_bytes(16),
        sequence=sequence,
        recipients=[Recipient.of(clinic.clinician.reading.public_key())],
    )


def test_a_device_of_the_servers_own_is_not_believed(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    keys, agreement = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    signing, encryption = keys.public_key().public_bytes_raw(), agreement.public_key().public_bytes_raw()
    devices, listing = honest
    invented = replace(
        devices[0],
        device_id=key_id(signing),
        signing=signing,
        encryption=encryption,
        proof=device_proof(secrets.token_bytes(16), devices[0].pairing_id, signing, encryption),
    )
    entry = RecordEntry(9, invented.device_id.hex(), "today", forged(clinic, keys))
    reading = read(clinic.clinician, (*devices, invented), Listing((*listing.records, entry)), Memory())
    assert kinds(reading) == [Kind.UNAPPROVED, Kind.UNAPPROVED]
    assert len(reading.records) == 5
    # Under the id of a real device the keys do not match the id.
    posing = replace(invented, device_id=devices[0].device_id)
    reading = read(clinic.clinician, (posing, devices[1]), listing, Memory())
    assert set(kinds(reading)) == {Kind.UNAPPROVED}
    assert len(reading.records) == 1


def test_a_swapped_encryption_key_breaks_the_proof(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    other = X25519PrivateKey.generate().public_key().public_bytes_raw()
    swapped = replace(honest[0][0], encryption=other)
    reading = read(clinic.clinician, (swapped,), Listing(()), Memory())
    assert kinds(reading) == [Kind.UNAPPROVED]


def test_two_records_in_one_place_are_flagged_and_both_shown(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    signer = device_keys(clinic.folder / "first").signing
    entry = RecordEntry(60, honest[1].records[0].device, "today", forged(clinic, signer, sequence=4))
    memory = read(clinic.clinician, *honest, Memory()).memory
    reading = changed(clinic, honest, lambda r: [*r, entry], memory)
    assert kinds(reading) == [Kind.CONFLICT]
    assert len(reading.records) == 6
    reading = changed(clinic, honest, lambda r: [*r[:3], entry, r[4]], memory)
    assert kinds(reading) == [Kind.CHANGED]


def test_a_record_for_another_reader_keeps_its_place(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing]
) -> None:
    keys = device_keys(clinic.folder / "first")
    frame = seal_record(
        b"for someone else",
        signer=keys.signing,
        device_id=keys.id,
        record_id=secrets.token_bytes(16),
        sequence=5,
        recipients=[Recipient.of(X25519PrivateKey.generate().public_key())],
    )
    odd = seal_record(
        b"{}",
        signer=keys.signing,
        device_id=keys.id,
        record_id=secrets.token_bytes(16),
        sequence=6,
        recipients=[Recipient.of(clinic.clinician.reading.public_key())],
    )
    added = [RecordEntry(70, keys.id.hex(), "today", frame), RecordEntry(71, keys.id.hex(), "today", odd)]
    reading = changed(clinic, honest, lambda r: [*r, *added])
    assert kinds(reading) == [Kind.UNOPENABLE, Kind.CONTENT]
    assert len(reading.records) == 5


def test_an_approval_is_enough_without_the_invitation(
    clinic: Clinic, honest: tuple[tuple[DeviceEntry, ...], Listing], tmp_path: Path
) -> None:
    from server.reader import approval_for, judge

    device = judge(honest[0][0], clinic.clinician)
    approval = approval_for(device, clinic.clinician, approved_at=1_772_000_000)
    with clinic.client() as client:
        client.approve(device.entry.device_id, approval)
        entry = next(one for one in client.devices() if one.device_id == device.entry.device_id)
    assert entry.approval == approval
    assert judge(replace(entry, invitation=b"gone"), clinic.clinician).trust is Trust.APPROVAL
    assert judge(replace(honest[0][1], approval=approval, invitation=b""), clinic.clinician).trust is None
