"""Keys that come with the account: both or neither, whatever is wrong with either."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from server import account_set_up
from server.accounts import AccountKeys
from server.key_shapes import parse_first_keys
from server.key_slots import recovery_slot, wrapping_slot
from server.schema import KeySlot
from server.sessions import NewSession
from tests.server.account_rig import Browser, Person, acts, invited, practice
from tests.server.server_rig import Rig, refused
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError
from voice.wire.secrets import Parameters

SLOT_KEY = secrets.token_bytes(32)
RECOVERY, _ = recovery_slot(SLOT_KEY)
PASSPHRASE = wrapping_slot(SLOT_KEY, "four unrelated kettle words", parameters=Parameters(b"s" * 16))
TABLES = ("sessions", "clinicians", "reading_keys", "key_slots")


def first_keys(person: Person) -> dict[str, Any]:
    assert person.party is not None
    return {
        "epochs": {
            "0": {"wrapped": b64url(b"i" * 60)},
            "1": {"statement": b64url(person.party.statement()), "wrapped": b64url(b"r" * 60)},
        },
        "slots": {secrets.token_hex(16): RECOVERY, secrets.token_hex(16): PASSPHRASE},
    }


def finishing(person: Person, keys: object, **changes: str) -> dict[str, Any]:
    return {**person.finishing(**changes), "keys": keys}


def begun(rig: Rig, name: str = "dr.okafor", role: str = "clinician") -> tuple[Person, Browser]:
    person, browser = invited(rig, practice(rig), name, role), Browser(rig)
    assert person.begin(browser).status_code == 200
    return person, browser


def counts(rig: Rig) -> dict[str, int]:
    with rig.store.database.read() as connection:
        active = connection.execute(text("SELECT count(*) FROM accounts WHERE state = 'active'")).scalar_one()
        return {"active": active} | {
            table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608
            for table in TABLES
        }


def test_account_and_keys_are_there_together(rig: Rig) -> None:
    person, browser = begun(rig)
    keys = first_keys(person)
    answer = browser.post("/v1/set-up/finish", finishing(person, keys))
    assert answer.status_code == 201, answer.text
    served = browser.get("/v1/keys").json()
    found = {str(one["epoch"]): one for one in served["epochs"]}
    assert found.keys() == {"0", "1"}
    for epoch, asked in keys["epochs"].items():
        assert {name: found[epoch][name] for name in asked} == asked
    assert {one["slot"]: one["fields"] for one in served["slots"]} == keys["slots"]
    told = [act for act, _ in acts(rig)]
    assert told[-8:-1] == [
        "clinician.added",
        "key.added",
        "key.added",
        "key.slot_added",
        "key.slot_added",
        "account.set_up",
        "account.signed_in",
    ]
    assert all(b64url(b"i" * 60) not in subject for _, subject in acts(rig))


def test_without_keys_it_goes_on_as_before(rig: Rig) -> None:
    person, browser = begun(rig)
    assert browser.post("/v1/set-up/finish", person.finishing()).status_code == 201
    assert browser.get("/v1/keys").json()["slots"] == []


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda keys: keys.pop("epochs"),
        lambda keys: keys.pop("slots"),
        lambda keys: keys.update(more=1),
        lambda keys: keys.update(epochs=[]),
        lambda keys: keys.update(slots=[]),
        lambda keys: keys.update(slots={}),
        lambda keys: keys["epochs"].pop("0"),
        lambda keys: keys["epochs"].pop("1"),
        lambda keys: keys["epochs"].update({"2": keys["epochs"]["1"]}),
        lambda keys: keys["epochs"].update({"01": keys["epochs"].pop("1")}),
        lambda keys: keys["epochs"].update({"4294967296": keys["epochs"].pop("1")}),
        lambda keys: keys["epochs"]["0"].update(statement="AA"),
        lambda keys: keys["epochs"]["0"].update(wrapped="AA"),
        lambda keys: keys["epochs"]["0"].update(wrapped=None),
        lambda keys: keys["epochs"]["1"].pop("statement"),
        lambda keys: keys["epochs"]["1"].update(wrapped=b64url(bytes(61))),
        lambda keys: keys["slots"].update({"x": RECOVERY}),
        lambda keys: keys["slots"].update({"AB" * 16: RECOVERY}),
        lambda keys: keys["slots"].update({"00" * 16: {**RECOVERY, "more": 1}}),
        lambda keys: keys.update(slots={"00" * 16: PASSPHRASE}),
        lambda keys: keys.update(slots={f"{number:032x}": RECOVERY for number in range(17)}),
    ],
)
def test_keys_of_another_shape(change: Change, file_rig: Rig) -> None:
    """Refused, with nothing kept; the link then still serves."""
    person, browser = begun(file_rig)
    before = counts(file_rig)
    keys = first_keys(person)
    change(keys)
    with pytest.raises(FrameError):
        parse_first_keys(keys)
    answer = browser.post("/v1/set-up/finish", finishing(person, keys))
    assert (answer.status_code, answer.json()["error"]) in {(400, "keys"), (413, "too_large")}
    assert counts(file_rig) == before
    assert browser.post("/v1/set-up/finish", finishing(person, first_keys(person))).status_code == 201


def test_what_is_refused_of_the_account_keeps_no_keys(rig: Rig) -> None:
    person, browser = begun(rig)
    before = counts(rig)
    keys = first_keys(person)
    refused(browser.post("/v1/set-up/finish", finishing(person, keys, code="000000")), 400, "code")
    refused(
        browser.post("/v1/set-up/finish", finishing(person, keys, proof=b64url(bytes(64)))), 400, "statement"
    )
    other = copy.deepcopy(keys)
    assert person.party is not None
    other["epochs"]["1"]["statement"] = b64url(person.party.statement(name="Another"))
    refused(browser.post("/v1/set-up/finish", finishing(person, other)), 400, "statement")
    other = copy.deepcopy(keys)
    other["epochs"]["2"] = other["epochs"].pop("1")
    refused(browser.post("/v1/set-up/finish", finishing(person, other)), 400, "statement")
    assert counts(rig) == before
    others: tuple[object, ...] = ("AAAA", None, [], 7, True)
    for nothing in others:
        refused(browser.post("/v1/set-up/finish", finishing(person, nothing)), 400, "keys")


def test_an_administrator_has_none(rig: Rig) -> None:
    person, browser = begun(rig, "boss", "administrator")
    reader = invited(rig, person.practice_id, "reader")
    answer = browser.post("/v1/set-up/finish", finishing(person, first_keys(reader)))
    refused(answer, 400, "body")
    assert counts(rig)["active"] == 0


def test_keys_that_are_here_are_never_stranded(rig: Rig) -> None:
    """Other keys of the same clinician, or somebody's slot under that id: the account is not made either."""
    first, browser = begun(rig)
    keys = first_keys(first)
    assert browser.post("/v1/set-up/finish", finishing(first, keys)).status_code == 201
    second = invited(rig, first.practice_id, "second")
    again = Browser(rig)
    second.begin(again)
    before = counts(rig)
    theirs = {**first_keys(second), "slots": keys["slots"]}
    refused(again.post("/v1/set-up/finish", finishing(second, theirs)), 409, "keys")
    second.party = first.party
    refused(again.post("/v1/set-up/finish", finishing(second, first_keys(second))), 409, "keys")
    assert counts(rig) == before
    assert browser.get("/v1/keys").json()["slots"][0]["slot"] in keys["slots"]


@pytest.mark.parametrize("place", ["open_session", "keep_first_keys"])
def test_cut_short_at_any_step_there_is_neither(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The process ends after the account's rows, or after the keys': the transaction takes both back."""
    person, _ = begun(rig)
    before = counts(rig)
    real = getattr(account_set_up, place)

    def ends(*arguments: Any, **more: Any) -> None:
        real(*arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(account_set_up, place, ends)
    chosen = account_set_up.Secrets(person.parameters.text, person.secret, person.recovery)
    assert person.party is not None
    asked = person.finishing()
    reader = account_set_up.Reader(
        person.party.statement(), from_b64url(asked["proof"]), parse_first_keys(first_keys(person))
    )

    def finish() -> None:
        account_set_up.finish_set_up(
            rig.store.database,
            AccountKeys.of(rig.store.database),
            person.token,
            chosen,
            asked["code"],
            reader,
            salts=(bytes(16), bytes(16)),
            session=NewSession(bytes(32)),
            now=rig.clock.now,
        )

    with pytest.raises(KeyboardInterrupt):
        finish()
    assert counts(rig) == before
    monkeypatch.setattr(account_set_up, place, real)
    finish()
    after = counts(rig)
    assert (after["active"], after["key_slots"]) == (1, 2)
    with rig.store.database.read() as connection:
        kept = connection.execute(text(f"SELECT fields FROM {KeySlot.__tablename__}")).all()  # noqa: S608
    assert sorted(json.loads(row.fields)["type"] for row in kept) == ["passphrase", "recovery"]
