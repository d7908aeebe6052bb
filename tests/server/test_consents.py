"""What was agreed with a client: the clinician's own, every version, gone with the client."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from sqlalchemy import text

from server import consents_store
from server.clinician_client import CallRefusedError
from server.consents_api import router
from server.consents_store import MOST, ConsentRow
from server.database import migrate
from server.keys_client import KeysClient
from server.reader_consents import (
    ConsentEntry,
    consents_leaving,
    fetch_consents,
    give_consent,
    read_consent,
)
from server.rotating import rotate
from server.settings import database_url
from server.store import Store
from tests.clinic_rig import Clinic, serving
from tests.server.account_rig import acts
from tests.server.server_rig import NOW, ClinicianParty, DeviceParty, Rig, refused, rotated, stale
from tests.server.test_migrations import at_revision
from tests.server.test_server_contract import FORMAT
from voice.adapters.identity import device_keys
from voice.wire.boxes import Purpose, open_box, parse_box, seal_box
from voice.wire.consents import Consent, decode_consent, encode_consent
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.errors import SealError

AGREED = Consent(date(2026, 3, 2), ("The device hears the name.", "Read on Thursdays."))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return database_url(str(tmp_path / "server.db"))
    made: Callable[[], str] = request.getfixturevalue("cluster").empty
    return made()


def sealed(clinician: ClinicianParty, device: DeviceParty, version: int, **changes: Any) -> bytes:
    how: dict[str, Any] = {
        "purpose": Purpose.CONSENT,
        "identity": clinician.key,
        "reading": clinician.reading.public_key(),
        "clinician_id": clinician.clinician_id,
        "device_id": device.device_id,
        "version": version,
    }
    return seal_box(changes.pop("said", encode_consent(AGREED)), **{**how, **changes})


def unknown() -> X25519PublicKey:
    return X25519PrivateKey.generate().public_key()


def path(device: DeviceParty) -> str:
    return f"/v1/devices/{device.device_id.hex()}/consents"


def put(rig: Rig, device: DeviceParty, version: int, data: bytes, **how: Any) -> httpx.Response:
    body = json.dumps({"sealed": b64url(data)}).encode()
    return rig.signed(how.get("who", rig.clinician), "PUT", f"{path(device)}/{version}", body)


def listed(rig: Rig, device: DeviceParty) -> list[dict[str, Any]]:
    answer = rig.signed(rig.clinician, "GET", path(device))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["consents"])


def test_every_version_is_kept_with_its_time_and_read_back(rig: Rig) -> None:
    device = rig.paired()
    assert listed(rig, device) == []
    first, second = sealed(rig.clinician, device, 1), sealed(rig.clinician, device, 2)
    made = put(rig, device, 1, first)
    assert (made.status_code, made.json()["version"], made.json()["sealed"]) == (201, 1, b64url(first))
    rig.clock.now += 3600
    assert put(rig, device, 2, second).status_code == 201
    again = put(rig, device, 1, first)
    assert (again.status_code, again.json()) == (200, made.json())
    found = listed(rig, device)
    assert [one["version"] for one in found] == [1, 2]
    assert found[0]["created_at"] < found[1]["created_at"]
    box = parse_box(from_b64url(found[0]["sealed"]))
    assert decode_consent(open_box(box, rig.clinician.reading)) == AGREED
    kept = [subject for act, subject in acts(rig) if act == "device.consent_kept"]
    assert kept == [f"device:{device.device_id.hex()} version:{number}" for number in (1, 2)]


def test_a_version_that_is_here_is_not_replaced_but_may_be_sealed_to_the_newest_key(rig: Rig) -> None:
    device = rig.paired()
    first = sealed(rig.clinician, device, 1)
    put(rig, device, 1, first)
    other = put(rig, device, 1, sealed(rig.clinician, device, 1))
    refused(other, 409, "version")
    assert other.json()["version"] == "1"
    refused(put(rig, device, 3, sealed(rig.clinician, device, 3)), 409, "version")
    stale(put(rig, device, 1, sealed(rig.clinician, device, 1, reading=unknown())))
    late = sealed(rig.clinician, device, 2)
    rotated(rig)
    stale(put(rig, device, 2, late))
    assert put(rig, device, 1, first).status_code == 200, "it was kept before, and nothing changes"
    anew = sealed(rig.clinician, device, 1)
    assert put(rig, device, 1, anew).status_code == 200
    [found] = listed(rig, device)
    assert found["sealed"] == b64url(anew)
    kept = [subject for act, subject in acts(rig) if act == "device.consent_kept"]
    assert kept == [f"device:{device.device_id.hex()} version:1"] * 2, "that it was sealed anew is there too"


def test_the_clinician_s_own_programs_read_them_and_carry_them_over(tmp_path: Path) -> None:
    with serving(tmp_path / "server.db") as url:
        clinic = Clinic(tmp_path, url)
        device_id = device_keys(clinic.device("home")).id
        clinician = clinic.clinician
        how: dict[str, Any] = {"purpose": Purpose.CONSENT, "identity": clinician.identity}
        how |= {"clinician_id": clinician.id, "device_id": device_id}
        with clinic.client() as client:

            def give(version: int, reading: X25519PrivateKey) -> None:
                data = seal_box(encode_consent(AGREED), reading=reading.public_key(), version=version, **how)
                give_consent(client, ConsentEntry(device_id, version, data))

            give(1, clinician.reading)
            after_it = rotate(clinic.key_file, clinician, KeysClient(client), now=NOW).clinician
            newer = after_it.reading
            with pytest.raises(CallRefusedError, match="keys changed elsewhere"):
                give(2, clinician.reading)
            give(2, newer)
            entries = fetch_consents(client, device_id)
            assert [read_consent(after_it, one) for one in entries] == [AGREED, AGREED]
            leaving = key_id(clinician.reading.public_key().public_bytes_raw())
            [moved] = consents_leaving(after_it, entries, leaving)
            give_consent(client, moved)
            after = fetch_consents(client, device_id)
        assert [one.version for one in after] == [1, 2]
        assert consents_leaving(after_it, after, leaving) == []
        assert open_box(parse_box(after[0].sealed), newer) == encode_consent(AGREED)
        for wrong in (replace(moved, version=2), replace(moved, device_id=b"d" * 16)):
            with pytest.raises(SealError):
                read_consent(after_it, wrong)


def test_they_go_with_their_client_alone(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    for one in (device, other):
        put(rig, one, 1, sealed(rig.clinician, one, 1))
    assert rig.signed(rig.clinician, "DELETE", f"/v1/devices/{device.device_id.hex()}/records").is_success
    assert listed(rig, device) == []
    assert len(listed(rig, other)) == 1


def test_only_an_own_consent_of_this_very_device_and_version_is_taken(rig: Rig) -> None:
    device, other, stranger = rig.paired(), rig.paired(), rig.add_clinician()
    good = sealed(rig.clinician, device, 1)
    for wrong in (
        b"",
        good[:-1],
        sealed(rig.clinician, other, 1),
        sealed(rig.clinician, device, 2),
        sealed(rig.clinician, device, 1, clinician_id=stranger.clinician_id),
        sealed(rig.clinician, device, 1, identity=stranger.key),
        sealed(rig.clinician, device, 1, purpose=Purpose.LABEL, said=b"{}"),
    ):
        refused(put(rig, device, 1, wrong), 400, "consent")
    refused(put(rig, device, 1, sealed(stranger, device, 1), who=stranger), 404, "device")
    refused(rig.signed(stranger, "GET", path(device)), 404, "device")
    refused(rig.signed(device, "GET", path(device)), 401, "signature")
    for version in ("0", "-1", "01", "1000000000", "x"):
        refused(rig.signed(rig.clinician, "PUT", f"{path(device)}/{version}", b"{}"), 404, "not_found")
    assert listed(rig, device) == []


def test_there_is_an_end_to_them(rig: Rig) -> None:
    device = rig.paired()
    database, owner = rig.store.database, rig.clinician.clinician_id
    for version in range(1, MOST + 1):
        data = sealed(rig.clinician, device, version)
        consents_store.put_consent(database, owner, device.device_id, version=version, sealed=data, now=NOW)
    refused(put(rig, device, MOST + 1, sealed(rig.clinician, device, MOST + 1)), 409, "version")


def test_devices_of_the_seventh_schema_are_carried_over_and_take_consents(empty_url: str) -> None:
    clinician, device = ClinicianParty.new(), DeviceParty.new()
    database = at_revision(empty_url, "0007")
    with database.write() as connection:
        theirs = {
            "practice": b"q" * 16,
            "clinician": clinician.clinician_id,
            "pairing": b"p" * 16,
            "device": device.device_id,
            "key": device.signing,
            "identity": clinician.key.public_key().public_bytes_raw(),
            "label": bytes(range(256)),
            "statement": clinician.statement(),
        }
        for said in (
            "INSERT INTO practices (id, name, rotation_days, created_at) VALUES (:practice, 'North', 30, 9)",
            "INSERT INTO clinicians (id, practice_id, identity, statement, epoch, last_cursor, created_at)"
            " VALUES (:clinician, :practice, :identity, :statement, 1, 0, 9)",
            "INSERT INTO invitations (pairing_id, clinician_id, invitation, claim_hash, expires_at,"
            " created_at, wrong_claims) VALUES (:pairing, :clinician, :label, :key, 9, 9, 0)",
            "INSERT INTO devices (id, clinician_id, pairing_id, signing, encryption, proof, state,"
            " created_at, label)"
            " VALUES (:device, :clinician, :pairing, :key, :key, :key, 'active', 9, :label)",
        ):
            connection.execute(text(said), theirs)
    migrate(database)
    database.close()
    store = Store.open(empty_url)
    try:
        owner = clinician.clinician_id
        assert store.device_of(owner, device.device_id).label == theirs["label"]
        assert consents_store.consents(store.database, owner, device.device_id) == []
        data = sealed(clinician, device, 1)
        kept = consents_store.put_consent(
            store.database, owner, device.device_id, version=1, sealed=data, now=NOW
        )
        assert kept == (ConsentRow(1, data, NOW), True)
        assert consents_store.consents(store.database, owner, device.device_id) == [kept[0]]
    finally:
        store.close()


def test_the_contract_has_the_calls() -> None:
    for route in router.routes:
        method = min(route.methods)  # type: ignore[attr-defined]
        spelt = route.path.replace("{device}", "{device hex}")  # type: ignore[attr-defined]
        assert f"`{method} {spelt}`" in FORMAT, spelt
