"""Reading keys by epoch and key slots: what the server takes, keeps, refuses and forgets."""

from __future__ import annotations

import json
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import audit
from server.audit import Act
from server.key_shapes import MOST_SLOTS, parse_slot
from tests.server.server_rig import NOW, ClinicianParty, Rig, refused
from voice.wire.encoding import b64url, from_b64url
from voice.wire.endorsement import sign_endorsement, sign_withdrawal
from voice.wire.errors import FrameError

BLOB = secrets.token_bytes(60)


def keys(rig: Rig, clinician: ClinicianParty | None = None) -> dict[str, Any]:
    answer = rig.signed(clinician or rig.clinician, "GET", "/v1/keys")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def rotated(clinician: ClinicianParty) -> ClinicianParty:
    return replace(clinician, reading=X25519PrivateKey.generate())


def put(
    rig: Rig, epoch: int, statement: bytes, wrapped: bytes | None = None, by: ClinicianParty | None = None
) -> httpx.Response:
    document = {"statement": b64url(statement)}
    if wrapped is not None:
        document["wrapped"] = b64url(wrapped)
    return rig.asks(by or rig.clinician, "PUT", f"/v1/keys/{epoch}", document)


def passphrase_slot(**changes: Any) -> dict[str, Any]:
    return {
        "type": "passphrase",
        "kdf": "argon2id-hkdf",
        "passes": 3,
        "memory_kib": 65536,
        "lanes": 4,
        "salt": b64url(bytes(16)),
        "nonce": b64url(bytes(12)),
        "wrapped": b64url(bytes(48)),
        **changes,
    }


def recovery_slot(**changes: Any) -> dict[str, Any]:
    sealed = {"salt": b64url(bytes(16)), "nonce": b64url(bytes(12)), "wrapped": b64url(bytes(48))}
    return {"type": "recovery", "kdf": "hkdf-sha256", **sealed, **changes}


def passkey_slot(**changes: Any) -> dict[str, Any]:
    return recovery_slot(
        type="passkey", salt=b64url(bytes(32)), credential=b64url(secrets.token_bytes(64)), **changes
    )


def acts(rig: Rig) -> list[str]:
    with rig.store.database.read() as connection:
        return [f"{entry.act} {entry.subject}".strip() for entry in audit.entries(connection, limit=1000)]


def test_an_epoch_grows_by_one_and_devices_get_the_newest(rig: Rig) -> None:
    device = rig.paired()
    newer = rotated(rig.clinician)
    second = newer.statement(2)
    refused(put(rig, 3, newer.statement(3)), 409, "epoch")
    assert put(rig, 2, second, BLOB).status_code == 201
    assert put(rig, 2, second, BLOB).status_code == 200
    refused(put(rig, 2, rotated(newer).statement(2)), 409, "epoch")
    refused(put(rig, 1, rotated(newer).statement(1)), 409, "epoch")
    assert from_b64url(rig.signed(device, "GET", "/v1/device").json()["statement"]) == second
    first, now = keys(rig)["epochs"]
    assert (first["epoch"], first["wrapped"], first["shredded_at"]) == (1, None, None)
    assert (now["epoch"], from_b64url(now["wrapped"]), from_b64url(now["statement"])) == (2, BLOB, second)
    assert acts(rig).count("key.rotated epoch:2") == 1
    assert "key.fetched" in acts(rig)


def test_a_wrapped_copy_can_be_given_later_and_replaced(rig: Rig) -> None:
    statement = rig.clinician.statement(1)
    assert put(rig, 1, statement, BLOB).status_code == 200
    assert from_b64url(keys(rig)["epochs"][0]["wrapped"]) == BLOB
    assert put(rig, 1, statement).status_code == 200
    assert from_b64url(keys(rig)["epochs"][0]["wrapped"]) == BLOB
    assert put(rig, 1, statement, bytes(60)).status_code == 200
    assert from_b64url(keys(rig)["epochs"][0]["wrapped"]) == bytes(60)
    assert acts(rig).count("key.added epoch:1") == 2


def test_the_identity_key_is_epoch_0(rig: Rig) -> None:
    path = "/v1/keys/0"
    assert rig.asks(rig.clinician, "PUT", path, {"wrapped": b64url(BLOB)}).status_code == 201
    assert rig.asks(rig.clinician, "PUT", path, {"wrapped": b64url(bytes(60))}).status_code == 200
    row = keys(rig)["epochs"][0]
    assert (row["epoch"], row["statement"], from_b64url(row["wrapped"])) == (0, None, bytes(60))
    refused(put(rig, 0, rig.clinician.statement(1)), 400, "body")
    refused(rig.signed(rig.clinician, "DELETE", path), 409, "current")


def test_a_statement_of_someone_else_or_of_another_epoch_is_refused(rig: Rig) -> None:
    other = rig.add_clinician()
    refused(put(rig, 2, other.statement(2)), 400, "statement")
    forged = replace(rig.clinician, key=other.key).statement(2)
    refused(put(rig, 2, forged), 400, "statement")
    refused(put(rig, 3, rig.clinician.statement(2)), 400, "statement")
    spoilt = bytearray(rig.clinician.statement(2))
    spoilt[60] ^= 1
    refused(put(rig, 2, bytes(spoilt)), 400, "statement")
    assert [row["epoch"] for row in keys(rig)["epochs"]] == [1]
    assert [row["epoch"] for row in keys(rig, other)["epochs"]] == [1]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"wrapped": b64url(BLOB)},
        {"statement": "AA", "more": 1},
        {"statement": 1},
        {"statement": "A"},
        {"statement": "AA", "wrapped": b64url(bytes(59))},
        {"statement": "AA", "wrapped": b64url(bytes(61))},
        {"statement": "AA", "wrapped": None},
        [],
        None,
    ],
)
def test_what_is_not_of_the_shape_is_refused(file_rig: Rig, document: object) -> None:
    refused(file_rig.asks(file_rig.clinician, "PUT", "/v1/keys/2", document), 400, "body")


@pytest.mark.parametrize("epoch", ["-1", "01", "x", "4294967296", "1.0"])
def test_an_epoch_is_a_plain_number(file_rig: Rig, epoch: str) -> None:
    answer = file_rig.asks(file_rig.clinician, "PUT", f"/v1/keys/{epoch}", {"statement": "AA"})
    assert answer.status_code in (404, 401)


def test_two_rotations_at_once_give_one_epoch(rig: Rig) -> None:
    statements = [rotated(rig.clinician).statement(2) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda statement: put(rig, 2, statement), statements))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    won = statements[[answer.status_code for answer in answers].index(201)]
    assert from_b64url(keys(rig)["epochs"][-1]["statement"]) == won


def test_shredding_forgets_the_copy_and_keeps_the_statement(rig: Rig) -> None:
    first = rig.clinician.statement(1)
    put(rig, 1, first, BLOB)
    refused(rig.signed(rig.clinician, "DELETE", "/v1/keys/1"), 409, "current")
    put(rig, 2, rotated(rig.clinician).statement(2))
    refused(rig.signed(rig.clinician, "DELETE", "/v1/keys/3"), 404, "epoch")
    rig.clock.now += 60
    gone = rig.signed(rig.clinician, "DELETE", "/v1/keys/1")
    assert gone.status_code == 200
    assert gone.json()["wrapped"] is None
    shredded_at = gone.json()["shredded_at"]
    rig.clock.now += 60
    assert rig.signed(rig.clinician, "DELETE", "/v1/keys/1").json()["shredded_at"] == shredded_at
    row = keys(rig)["epochs"][0]
    assert (row["wrapped"], row["shredded_at"], from_b64url(row["statement"])) == (None, shredded_at, first)
    refused(put(rig, 1, first, BLOB), 409, "shredded")
    assert acts(rig).count("key.shredded epoch:1") == 1


def test_after_shredding_the_bytes_are_in_no_page_and_no_log(file_rig: Rig, tmp_path: Path) -> None:
    secret, slot_secret = secrets.token_bytes(60), b64url(secrets.token_bytes(48))
    put(file_rig, 1, file_rig.clinician.statement(1), secret)
    spare = secrets.token_hex(16)
    for slot_id, slot in ((spare, recovery_slot(wrapped=slot_secret)), ("11" * 16, recovery_slot())):
        assert file_rig.asks(file_rig.clinician, "PUT", f"/v1/key-slots/{slot_id}", slot).status_code == 201
    files = [tmp_path / "server.db", tmp_path / "server.db-wal"]

    def found(needle: bytes) -> bool:
        return any(needle in path.read_bytes() for path in files if path.exists())

    assert found(secret)
    assert found(slot_secret.encode())
    put(file_rig, 2, rotated(file_rig.clinician).statement(2))
    assert file_rig.signed(file_rig.clinician, "DELETE", "/v1/keys/1").status_code == 200
    assert file_rig.signed(file_rig.clinician, "DELETE", f"/v1/key-slots/{spare}").status_code == 200
    with sqlite3.connect(files[0]) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert not found(secret)
    assert not any(found(secret[at : at + 16]) for at in range(44))
    assert not found(slot_secret.encode())


def test_every_connection_overwrites_what_it_deletes(file_rig: Rig) -> None:
    with file_rig.store.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar_one() == 1


def test_slots_are_kept_replaced_and_never_all_removed(rig: Rig) -> None:
    ids = [secrets.token_hex(16) for _ in range(4)]
    made = [passphrase_slot(), recovery_slot(), passkey_slot(), recovery_slot()]

    def put_slot(slot_id: str, slot: dict[str, Any]) -> httpx.Response:
        return rig.asks(rig.clinician, "PUT", f"/v1/key-slots/{slot_id}", slot)

    def delete(slot_id: str) -> httpx.Response:
        return rig.signed(rig.clinician, "DELETE", f"/v1/key-slots/{slot_id}")

    for slot_id, slot in zip(ids[:3], made[:3], strict=True):
        assert put_slot(slot_id, slot).status_code == 201
    assert put_slot(ids[0], passphrase_slot(passes=4)).status_code == 200
    refused(put_slot(ids[0], recovery_slot()), 409, "conflict")
    listed = {slot["slot"]: slot["fields"] for slot in keys(rig)["slots"]}
    assert listed == dict(zip(ids[:3], [passphrase_slot(passes=4), *made[1:3]], strict=True))
    refused(delete(ids[1]), 409, "last_slot")
    refused(delete(ids[3]), 404, "slot")
    assert put_slot(ids[3], made[3]).status_code == 201
    for slot_id in ids[:3]:
        assert delete(slot_id).status_code == 200
    refused(delete(ids[3]), 409, "last_slot")
    assert [slot["slot"] for slot in keys(rig)["slots"]] == [ids[3]]
    assert f"key.slot_removed slot:{ids[2]} passkey" in acts(rig)


def test_the_last_recovery_slot_survives_two_removals_at_once(rig: Rig) -> None:
    ids = [secrets.token_hex(16) for _ in range(2)]
    for slot_id in ids:
        rig.asks(rig.clinician, "PUT", f"/v1/key-slots/{slot_id}", recovery_slot())
    rig.asks(rig.clinician, "PUT", f"/v1/key-slots/{'22' * 16}", passphrase_slot())
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda s: rig.signed(rig.clinician, "DELETE", f"/v1/key-slots/{s}").status_code, ids)
        )
    assert sorted(answers) == [200, 409]


def test_a_clinician_has_so_many_slots_and_no_more(file_rig: Rig) -> None:
    for number in range(MOST_SLOTS):
        path = f"/v1/key-slots/{number:032x}"
        assert file_rig.asks(file_rig.clinician, "PUT", path, recovery_slot()).status_code == 201
    path = f"/v1/key-slots/{'f' * 32}"
    refused(file_rig.asks(file_rig.clinician, "PUT", path, recovery_slot()), 409, "too_many")


def test_slots_of_another_clinician_are_as_if_they_were_not(rig: Rig) -> None:
    other, slot_id = rig.add_clinician(), secrets.token_hex(16)
    path = f"/v1/key-slots/{slot_id}"
    rig.asks(rig.clinician, "PUT", path, recovery_slot())
    assert keys(rig, other)["slots"] == []
    refused(rig.signed(other, "DELETE", path), 404, "slot")
    refused(rig.asks(other, "PUT", path, recovery_slot()), 404, "slot")
    assert len(keys(rig)["slots"]) == 1


def test_the_largest_slot_fits(file_rig: Rig) -> None:
    largest = passkey_slot() | {"credential": b64url(secrets.token_bytes(1023))}
    path = f"/v1/key-slots/{'33' * 16}"
    assert file_rig.asks(file_rig.clinician, "PUT", path, largest).status_code == 201
    assert keys(file_rig)["slots"][0]["fields"] == largest


@pytest.mark.parametrize("good", [passphrase_slot(), recovery_slot(), passkey_slot()])
def test_a_slot_has_exactly_its_keys_sizes_and_maxima(good: dict[str, Any]) -> None:
    assert json.loads(parse_slot(good).fields) == good
    wrong: list[dict[str, Any]] = [{**good, "note": 1}, {**good, "type": "magic"}, {**good, "kdf": "md5"}]
    for name in good:
        wrong.append({key: value for key, value in good.items() if key != name})
        values: list[Any] = [None, True, 0, -1, 1.0, "", "A", [], 2**40]
        wrong += [{**good, name: value} for value in values]
    for name, size in (("salt", 15), ("nonce", 13), ("wrapped", 47), ("credential", 1024)):
        if name in good:
            wrong.append({**good, name: b64url(bytes(size))})
    for slot in wrong:
        with pytest.raises(FrameError):
            parse_slot(slot)


@pytest.mark.parametrize("document", [None, [], 1, "x", {}, {"type": []}, {"type": {}}])
def test_what_is_no_slot_is_refused(file_rig: Rig, document: object) -> None:
    path = f"/v1/key-slots/{'44' * 16}"
    answer = file_rig.asks(file_rig.clinician, "PUT", path, document)
    assert answer.status_code == 400
    assert answer.json()["error"] in ("slot", "body")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([passphrase_slot(), recovery_slot(), passkey_slot()]), st.data())
def test_no_slot_makes_the_parser_fail(good: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*good, "other"]))
    changed = {**good, name: data.draw(json_values)}
    try:
        slot = parse_slot(changed)
    except FrameError:
        return
    assert json.loads(slot.fields) == changed


def test_the_endorsement_reaches_devices_and_only_grows(rig: Rig) -> None:
    device, recovery = rig.paired(), X25519PrivateKey.generate().public_key()
    me = rig.clinician

    def signed(number: int, by: ClinicianParty = me) -> bytes:
        return sign_endorsement(
            by.key,
            clinician_id=by.clinician_id,
            number=number,
            from_epoch=1,
            key=recovery,
            holder="Elm Street practice",
        )

    def give(data: bytes) -> httpx.Response:
        return rig.asks(me, "PUT", "/v1/endorsement", {"endorsement": b64url(data)})

    assert rig.signed(device, "GET", "/v1/device").json()["endorsement"] is None
    assert give(signed(2)).status_code == 201
    assert give(signed(2)).status_code == 200
    refused(give(signed(1)), 409, "older")
    other = rig.add_clinician()
    refused(give(signed(3, other)), 400, "endorsement")
    refused(give(signed(3, replace(other, clinician_id=me.clinician_id))), 400, "endorsement")
    refused(give(signed(3)[:-1] + b"\x00"), 400, "endorsement")
    assert from_b64url(rig.signed(device, "GET", "/v1/device").json()["endorsement"]) == signed(2)
    gone = sign_withdrawal(me.key, clinician_id=me.clinician_id, number=3, from_epoch=1)
    assert give(gone).status_code == 201
    assert from_b64url(rig.signed(device, "GET", "/v1/device").json()["endorsement"]) == gone
    paired = rig.claim(rig.invite(), type(device).new())
    assert from_b64url(paired.json()["endorsement"]) == gone
    assert [act for act in acts(rig) if "recovery_set" in act] == [
        "key.recovery_set endorsement:2 set",
        "key.recovery_set endorsement:3 withdrawn",
    ]


def test_every_call_needs_the_clinicians_own_signature(rig: Rig) -> None:
    device = rig.paired()
    calls = [
        ("GET", "/v1/keys"),
        ("PUT", "/v1/keys/2"),
        ("DELETE", "/v1/keys/1"),
        ("PUT", f"/v1/key-slots/{'0' * 32}"),
        ("DELETE", f"/v1/key-slots/{'0' * 32}"),
        ("PUT", "/v1/endorsement"),
        ("GET", "/v1/colleagues"),
        ("POST", "/v1/shares"),
        ("GET", "/v1/shares"),
        ("GET", f"/v1/shares/{'0' * 32}"),
        ("DELETE", f"/v1/shares/{'0' * 32}"),
    ]
    for method, path in calls:
        refused(rig.call(method, path), 401, "signature")
        refused(rig.signed(device, method, path), 401, "signature")


def test_a_writing_call_is_taken_once(rig: Rig) -> None:
    body = json.dumps({"statement": b64url(rotated(rig.clinician).statement(2))}).encode()
    headers = rig.headers(rig.clinician, "PUT", "/v1/keys/2", body)
    assert rig.call("PUT", "/v1/keys/2", body, headers).status_code == 201
    refused(rig.call("PUT", "/v1/keys/2", body, headers), 401, "replayed")


def test_who_did_what_is_audited_as_that_clinicians_act(rig: Rig) -> None:
    put(rig, 2, rotated(rig.clinician).statement(2))
    with rig.store.database.read() as connection:
        last = audit.entries(connection, limit=1000)[-1]
        assert audit.verify(connection).broken_at is None
    assert (last.act, last.actor) == (Act.KEY_ROTATED, f"clinician:{rig.clinician.clinician_id.hex()}")
    assert last.at == NOW
    assert last.practice_id is not None
