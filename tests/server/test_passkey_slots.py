"""A passkey's key slot: by whom it opens, that the list says so, and that it goes with its passkey."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from server.account_recovery import WAIT_S
from server.key_shapes import parse_slot
from server.key_slots import PRF_SALT, WrongSecretError, open_passkey_slot, passkey_slot, recovery_slot
from tests.server.account_rig import Browser, Person, acts, member, practice, totp_of
from tests.server.authenticator import Authenticator
from tests.server.server_rig import Rig, refused
from tests.vectors.make_slot_vectors import PLACE, text
from voice.wire.encoding import b64url, from_b64url

HERE = "http://localhost:8750"
KEY = secrets.token_bytes(32)


def test_the_vectors_are_as_they_are_made() -> None:
    assert PLACE.read_text("utf-8") == text()


@pytest.mark.parametrize("vector", json.loads(PLACE.read_text("utf-8"))["slots"], ids=lambda one: one["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    known = json.loads(PLACE.read_text("utf-8"))
    assert from_b64url(known["salt"]) == PRF_SALT
    try:
        key = open_passkey_slot(vector["slot"], from_b64url(vector["prf"]))
    except WrongSecretError:
        assert vector["expect"] == "refused"
    else:
        assert vector["expect"] == "holds"
        assert key == from_b64url(known["key"])
        assert parse_slot(vector["slot"]).kind == "passkey"


@pytest.fixture
def site(fresh_url: str) -> Iterator[Rig]:
    rig = Rig(fresh_url, public_url=HERE)
    yield rig
    rig.close()


def register(browser: Browser) -> Authenticator:
    key = Authenticator(HERE)
    options = browser.post("/v1/account/passkeys/start").json()["options"]
    made = browser.post("/v1/account/passkeys", key.create(options))
    assert made.status_code == 201, made.text
    assert made.json()["unlocks"] is False
    return key


def someone(site: Rig) -> tuple[Person, Browser]:
    person, browser = member(site, practice(site), "dr.okafor")
    assert put(browser, recovery_slot(KEY)[0]).status_code == 201
    return person, browser


def put(browser: Browser, slot: dict[str, Any]) -> Any:
    return browser.put(f"/v1/key-slots/{secrets.token_hex(16)}", slot)


def give_slot(browser: Browser, key: Authenticator) -> None:
    slot = passkey_slot(KEY, secrets.token_bytes(32), credential=key.credential_id, salt=PRF_SALT)
    assert put(browser, slot).status_code == 201


def kinds(browser: Browser) -> list[str]:
    return sorted(one["fields"]["type"] for one in browser.get("/v1/keys").json()["slots"])


def unlocks(browser: Browser) -> dict[str, bool]:
    listed = browser.get("/v1/account/passkeys").json()["passkeys"]
    return {one["credential"]: one["unlocks"] for one in listed}


def test_a_passkeys_slot_goes_with_it_and_no_other(site: Rig) -> None:
    _, browser = someone(site)
    keys = [register(browser) for _ in range(3)]
    for key in keys[:2]:
        give_slot(browser, key)
    give_slot(browser, keys[0])
    first, second, third = (b64url(key.credential_id) for key in keys)
    assert unlocks(browser) == {first: True, second: True, third: False}
    assert kinds(browser) == ["passkey", "passkey", "passkey", "recovery"]
    answer = browser.delete(f"/v1/account/passkeys/{first}")
    assert {one["credential"]: one["unlocks"] for one in answer.json()["passkeys"]} == {
        second: True,
        third: False,
    }
    assert kinds(browser) == ["passkey", "recovery"]
    assert [act for act, _ in acts(site)].count("key.slot_removed") == 2
    browser.delete(f"/v1/account/passkeys/{third}")
    assert kinds(browser) == ["passkey", "recovery"]


def test_somebody_elses_slot_that_names_my_passkey_stays(site: Rig) -> None:
    person, browser = someone(site)
    _, other = member(site, person.practice_id, "other")
    assert put(other, recovery_slot(KEY)[0]).status_code == 201
    key = register(browser)
    give_slot(other, key)
    assert unlocks(browser) == {b64url(key.credential_id): False}
    assert browser.delete(f"/v1/account/passkeys/{b64url(key.credential_id)}").status_code == 200
    assert kinds(other) == ["passkey", "recovery"]
    refused(other.delete(f"/v1/account/passkeys/{b64url(key.credential_id)}"), 404, "passkey")


def test_an_administrators_passkey_has_no_slot(site: Rig) -> None:
    _, browser = member(site, practice(site), "boss", "administrator")
    key = register(browser)
    assert unlocks(browser) == {b64url(key.credential_id): False}
    assert browser.delete(f"/v1/account/passkeys/{b64url(key.credential_id)}").json() == {"passkeys": []}


def test_a_replaced_lost_factor_ends_passkeys_and_their_slots(site: Rig) -> None:
    person, browser = someone(site)
    give_slot(browser, register(browser))
    shown = {"name": person.name, "secret": b64url(person.secret), "recovery": b64url(person.recovery)}
    fresh = Browser(site)
    assert fresh.post("/v1/recovery/factor", shown).status_code == 202
    site.clock.now += WAIT_S
    begun = fresh.post("/v1/recovery/factor/start", shown).json()
    person.totp = totp_of(begun["otpauth"])
    finish = {**shown, "token": begun["token"], "code": person.code()}
    assert fresh.post("/v1/recovery/factor/finish", finish).status_code == 200
    assert unlocks(fresh) == {}
    assert kinds(fresh) == ["recovery"]
