"""A clinician's notes on parts: their own alone, beside the card, gone with it."""

from __future__ import annotations

import json
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.card_notes_api import router
from tests.server.server_rig import ClinicianParty, DeviceParty, Rig, refused, rotated, stale
from tests.server.test_cards import CARD, path, send
from tests.server.test_server_contract import FORMAT
from voice.wire.boxes import Purpose, open_box, parse_box, seal_box
from voice.wire.encoding import b64url, from_b64url
from voice.wire.part_notes import PartNote, decode_part_note, encode_part_note

NOTE = PartNote("the foreman", tell="jaw set", role="keeps it all going")


def sealed(clinician: ClinicianParty, device: DeviceParty, version: int, **changes: Any) -> bytes:
    how: dict[str, Any] = {
        "purpose": Purpose.PART,
        "identity": clinician.key,
        "reading": clinician.reading.public_key(),
        "clinician_id": clinician.clinician_id,
        "device_id": device.device_id,
        "record_id": CARD,
        "version": version,
    }
    return seal_box(changes.pop("said", encode_part_note(NOTE)), **{**how, **changes})


def put(rig: Rig, device: DeviceParty, data: bytes, **how: Any) -> httpx.Response:
    who = how.get("who", rig.clinician)
    body = json.dumps({"sealed": b64url(data)}).encode()
    return rig.signed(who, "PUT", f"{path(device, how.get('card', CARD))}/note", body)


def listed(rig: Rig, device: DeviceParty) -> list[dict[str, Any]]:
    answer = rig.signed(rig.clinician, "GET", f"/v1/devices/{device.device_id.hex()}/notes")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["notes"])


def test_a_note_is_kept_beside_its_card_and_read_back(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 5)
    assert listed(rig, device) == []
    data = sealed(rig.clinician, device, 5)
    answer = put(rig, device, data)
    said = {"card": CARD.hex(), "version": 5, "sealed": b64url(data)}
    assert (answer.status_code, answer.json()) == (200, said)
    assert put(rig, device, data).json() == said
    assert listed(rig, device) == [said]
    box = parse_box(from_b64url(listed(rig, device)[0]["sealed"]))
    assert decode_part_note(open_box(box, rig.clinician.reading)) == NOTE


def test_a_newer_card_keeps_the_note_until_its_own_comes(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 5)
    put(rig, device, sealed(rig.clinician, device, 5))
    send(rig, device, 6)
    assert [one["version"] for one in listed(rig, device)] == [5]
    assert put(rig, device, sealed(rig.clinician, device, 6)).status_code == 200
    older = put(rig, device, sealed(rig.clinician, device, 5))
    refused(older, 409, "version")
    assert older.json()["version"] == "6"
    rotated(rig)
    anew = sealed(rig.clinician, device, 6)
    assert put(rig, device, anew).status_code == 200, "sealed anew to another reading key"
    assert listed(rig, device)[0]["sealed"] == b64url(anew)


def test_a_note_to_an_older_reading_key_is_not_kept(rig: Rig) -> None:
    device = rig.paired()
    send(rig, device, 5)
    before = sealed(rig.clinician, device, 5)
    put(rig, device, before)
    late = sealed(rig.clinician, device, 6)
    unknown = X25519PrivateKey.generate().public_key()
    rotated(rig)
    stale(put(rig, device, late))
    assert put(rig, device, before).status_code == 200, "it was kept before, and nothing changes"
    stale(put(rig, device, sealed(rig.clinician, device, 6, reading=unknown)))
    assert listed(rig, device)[0]["sealed"] == b64url(before)
    assert put(rig, device, sealed(rig.clinician, device, 6)).status_code == 200


def test_a_note_goes_with_its_card_and_with_its_client(rig: Rig) -> None:
    device, other = rig.paired(), rig.paired()
    for one in (device, other):
        send(rig, one, 5)
        put(rig, one, sealed(rig.clinician, one, 5))
    rig.signed(rig.clinician, "DELETE", path(device))
    assert listed(rig, device) == []
    refused(put(rig, device, sealed(rig.clinician, device, 6)), 404, "card")
    rig.signed(rig.clinician, "DELETE", f"/v1/devices/{other.device_id.hex()}/records")
    assert listed(rig, other) == []


def test_only_an_own_note_on_this_very_part_is_taken(rig: Rig) -> None:
    device, other, stranger = rig.paired(), rig.paired(), rig.add_clinician()
    send(rig, device, 5)
    good = sealed(rig.clinician, device, 5)
    for wrong in (
        b"",
        good[:-1],
        sealed(rig.clinician, other, 5),
        sealed(rig.clinician, device, 5, record_id=bytes(15) + b"x"),
        sealed(rig.clinician, device, 5, clinician_id=stranger.clinician_id),
        sealed(rig.clinician, device, 5, identity=stranger.key),
        sealed(rig.clinician, device, 5, purpose=Purpose.MARK, said=b"{}"),
    ):
        refused(put(rig, device, wrong), 400, "note")
    theirs = sealed(stranger, device, 5)
    refused(put(rig, device, theirs, who=stranger), 404, "device")
    refused(rig.signed(stranger, "GET", f"/v1/devices/{device.device_id.hex()}/notes"), 404, "device")
    refused(put(rig, other, sealed(rig.clinician, other, 5)), 404, "card")
    refused(rig.signed(device, "GET", f"/v1/devices/{device.device_id.hex()}/notes"), 401, "signature")
    assert listed(rig, device) == []


def test_the_contract_has_the_calls() -> None:
    for route in router.routes:
        method = min(route.methods)  # type: ignore[attr-defined]
        spelt = route.path.replace("{device}", "{device hex}").replace("{card}", "{card hex}")  # type: ignore[attr-defined]
        assert f"`{method} {spelt}`" in FORMAT, spelt
