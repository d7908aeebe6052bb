"""Who may do what: every call, tried by the wrong role, the wrong clinician and the wrong practice."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from sqlalchemy import text

from server import account_api, practice_api, routes, sign_in_api
from tests.server.account_rig import Browser, Person, acts, invited, member, practice
from tests.server.server_rig import DeviceParty, Rig, record_path, refused
from voice.wire.encoding import b64url

BY_DEVICES = {"/v1/device", "/v1/records/{record}", "/v1/cards", "/v1/cards/{card}"}
OPEN = {"/health", "/ready", "/metrics", "/v1/nonce", "/v1/pairings/{pairing}"}


@dataclass
class World:
    """Two practices with administrators; of the first one's two clinicians one has a device and a record."""

    rig: Rig
    boss: Browser
    boss_person: Person
    owner: Browser
    owner_person: Person
    colleague: Browser
    stranger: Browser
    stranger_person: Person
    other_boss: Browser
    device: DeviceParty


@pytest.fixture
def world(rig: Rig) -> World:
    first, second = practice(rig), practice(rig, "South Street")
    boss_person, boss = member(rig, first, "boss", "administrator")
    owner_person, owner = member(rig, first, "owner")
    _, colleague = member(rig, first, "colleague", "cover")
    stranger_person, stranger = member(rig, second, "stranger")
    _, other_boss = member(rig, second, "other.boss", "administrator")
    assert owner_person.party is not None
    device = rig.paired(owner_person.party)
    frame = device.record(owner_person.party, 1)
    assert rig.deliver(device, frame).status_code == 201
    return World(
        rig,
        boss,
        boss_person,
        owner,
        owner_person,
        colleague,
        stranger,
        stranger_person,
        other_boss,
        device,
    )


def calls() -> list[tuple[str, str]]:
    """Every call of the server but those of devices and of nobody."""
    found = []
    for router in routes.ROUTERS:
        if router is sign_in_api.router:
            continue
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods or ():
                found.append((method, route.path))
    return [
        (method, path)
        for method, path in found
        if path not in OPEN and path not in BY_DEVICES and not path.startswith(("/v1/device/", "/v1/card"))
    ]


def spelt(path: str) -> str:
    for name in ("device", "record", "account", "slot", "clinician", "card", "credential"):
        path = path.replace(f"{{{name}}}", "0" * 32)
    return path.replace("{epoch}", "1").replace("{pairing}", b64url(b"p" * 16))


def test_an_administrator_reads_and_changes_nothing_of_clients(world: World) -> None:
    own = {path for router in (account_api.router, practice_api.router) for path in _paths(router)}
    tried = [(method, path) for method, path in calls() if path not in own | {"/v1/audit"}]
    assert len(tried) > 10
    for method, path in tried:
        answer = world.boss.ask(method, spelt(path), {})
        # An id or body may be refused first; what matters is that no call answers an administrator.
        assert answer.status_code in (400, 403, 404, 405), (method, path, answer.text)
        if method == "GET":
            refused(answer, 403, "role")


def _paths(router: APIRouter) -> list[str]:
    return [route.path for route in router.routes if isinstance(route, APIRoute)]


def test_nobody_signed_in_gets_nothing(world: World) -> None:
    expired = Browser(world.rig)
    expired.cookie = b64url(b"x" * 32)
    for method, path in calls():
        answer = expired.ask(method, spelt(path), {})
        assert answer.status_code in (400, 401, 404), (method, path, answer.text)
        if method == "GET":
            refused(answer, 401, "session")


def test_practice_calls_are_the_administrators(world: World) -> None:
    for browser in (world.owner, world.colleague):
        for method, path in calls():
            if path.startswith("/v1/practice") and (method, path) != ("GET", "/v1/practice"):
                refused(browser.ask(method, spelt(path), {}), 403, "role")
        assert browser.get("/v1/practice").json()["name"] == "North Street"


def test_a_clinician_has_every_call_by_session_and_sees_only_their_own(world: World) -> None:
    [listed] = world.owner.get("/v1/devices").json()["devices"]
    assert listed["device"] == world.device.device_id.hex()
    assert len(world.owner.get("/v1/records").json()["records"]) == 1
    path = f"/v1/devices/{world.device.device_id.hex()}"
    assert world.owner_person.party is not None
    approval = {"approval": b64url(world.owner_person.party.approval(world.device))}
    assert world.owner.put(f"{path}/approval", approval).status_code == 200
    assert world.owner.put(f"{path}/state", {"state": "paused"}).json()["state"] == "paused"
    link = world.owner_person.party.link()
    invitation = {"invitation": b64url(world.owner_person.party.invitation(link))}
    assert world.owner.post("/v1/invitations", invitation).status_code == 201
    for other in (world.colleague, world.stranger):
        assert other.get("/v1/devices").json() == {"devices": []}
        assert other.get("/v1/records").json()["records"] == []
        refused(other.put(f"{path}/state", {"state": "revoked"}), 404, "device")
        refused(other.put(f"{path}/approval", approval), 400, "approval")
        refused(other.post("/v1/invitations", invitation), 400, "invitation")


def test_administrators_act_within_their_practice(world: World) -> None:
    mine = {one["name"] for one in world.boss.get("/v1/practice/accounts").json()["accounts"]}
    theirs = {one["name"] for one in world.other_boss.get("/v1/practice/accounts").json()["accounts"]}
    assert (mine, theirs) == ({"boss", "owner", "colleague"}, {"stranger", "other.boss"})
    account = world.owner_person.account_id.hex()
    gone = world.other_boss.delete(f"/v1/practice/accounts/{account}")
    never = world.other_boss.delete(f"/v1/practice/accounts/{'0' * 32}")
    refused(gone, 404, "account")
    assert gone.text == never.text, "nothing tells that another practice has it"
    refused(world.other_boss.post(f"/v1/practice/accounts/{account}/invitation"), 404, "account")
    refused(world.boss.delete("/v1/practice/accounts/x"), 404, "not_found")
    assert world.owner.get("/v1/account").status_code == 200
    policy = {"name": "South", "retention_days": 30, "rotation_days": 7}
    assert world.other_boss.put("/v1/practice", policy).json() == {
        **world.other_boss.get("/v1/practice").json(),
        **policy,
    }
    assert world.boss.get("/v1/practice").json()["name"] == "North Street"


def test_the_audit_log_of_a_practice_is_its_own(world: World) -> None:
    world.stranger.get("/v1/records")
    page = world.boss.get("/v1/audit?limit=500").json()
    said = str(page["entries"])
    assert world.owner_person.account_id.hex() in said
    assert world.stranger_person.account_id.hex() not in said
    assert world.stranger_person.practice_id.hex() not in said
    first = world.boss.get("/v1/audit?limit=2").json()
    second = world.boss.get(f"/v1/audit?limit=2&after={first['next']}").json()
    assert first["more"]
    assert first["entries"] + second["entries"] == page["entries"][:4]
    assert [act for act, _ in acts(world.rig)][-1] == "audit.fetched"
    for query in ("limit=0", "limit=501", "after=-1", "after=0&after=1", "practice=1"):
        refused(world.boss.get(f"/v1/audit?{query}"), 400, "query")


def test_closing_an_account_ends_its_sessions_and_its_keys_calls_at_once(world: World) -> None:
    party = world.owner_person.party
    assert party is not None
    assert world.rig.signed(party, "GET", "/v1/records").status_code == 200
    path = f"/v1/practice/accounts/{world.owner_person.account_id.hex()}"
    answer = world.boss.delete(path)
    assert (answer.json()["state"], answer.json()["name"]) == ("closed", "owner")
    refused(world.owner.get("/v1/records"), 401, "session")
    refused(world.rig.signed(party, "GET", "/v1/records"), 403, "closed")
    refused(
        Browser(world.rig).post("/v1/sign-in/passphrase", world.owner_person.signing_in()), 401, "sign_in"
    )
    assert (
        world.boss.delete(f"/v1/practice/accounts/{world.owner_person.account_id.hex()}").status_code == 200
    )
    assert [act for act, _ in acts(world.rig)].count("account.closed") == 1
    frame = world.device.record(party, 2)
    assert world.rig.deliver(world.device, frame).status_code == 201, "what a device sends is still kept"
    assert record_path(frame)


def test_who_is_invited_anew_has_none_of_the_old_keys_or_records(world: World) -> None:
    world.boss.delete(f"/v1/practice/accounts/{world.owner_person.account_id.hex()}")
    again, browser = member(world.rig, world.owner_person.practice_id, "owner")
    assert again.account_id != world.owner_person.account_id
    assert browser.get("/v1/devices").json() == {"devices": []}
    assert browser.get("/v1/records").json()["records"] == []
    stated = browser.get("/v1/clinician").json()["clinician"]
    assert world.owner_person.party is not None
    assert stated != world.owner_person.party.clinician_id.hex()


def test_the_identity_key_brings_back_what_is_its_own(world: World) -> None:
    """With the key itself, which the server never had, an invited person is the clinician that they were."""
    world.boss.delete(f"/v1/practice/accounts/{world.owner_person.account_id.hex()}")
    person = invited(world.rig, world.owner_person.practice_id, "owner")
    person.party = world.owner_person.party
    browser = person.set_up()
    assert len(browser.get("/v1/records").json()["records"]) == 1


def test_the_last_administrator_stays(world: World) -> None:
    path = f"/v1/practice/accounts/{world.boss_person.account_id.hex()}"
    refused(world.boss.delete(path), 409, "last_administrator")
    invited(world.rig, world.boss_person.practice_id, "second", "administrator")
    refused(world.boss.delete(path), 409, "last_administrator")
    member(world.rig, world.boss_person.practice_id, "third", "administrator")
    assert world.boss.delete(path).status_code == 200
    refused(world.boss.get("/v1/practice"), 401, "session")


def test_inviting_by_the_page(world: World) -> None:
    document = {"name": "New.One", "role": "clinician", "email": "new@clinic.example"}
    answer = world.boss.post("/v1/practice/accounts", document)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["state"], made["email"]) == ("new.one", "invited", "new@clinic.example")
    assert made["set_up"].partition("#")[2] not in world.boss.get("/v1/practice/accounts").text
    refused(world.boss.post("/v1/practice/accounts", document), 409, "name")
    wrong: tuple[object, ...] = (
        {**document, "name": "a b"},
        {**document, "name": "new", "role": "owner"},
        {**document, "name": "new", "email": "nobody"},
        {**document, "name": "new", "email": "a@b\r\nBcc: c@d"},
        {**document, "name": 7},
        {"name": "new"},
        [],
    )
    for bad in wrong:
        refused(world.boss.post("/v1/practice/accounts", bad), 400, "body")


def test_policies_have_their_limits(world: World) -> None:
    good = {"name": "North", "retention_days": None, "rotation_days": 30}
    for bad in (
        {**good, "retention_days": 0},
        {**good, "retention_days": 40_000},
        {**good, "retention_days": True},
        {**good, "rotation_days": 0},
        {**good, "rotation_days": 367},
        {**good, "rotation_days": "30"},
        {**good, "name": " "},
        {**good, "name": "\0"},
        {**good, "name": "x" * 201},
        {"name": "North"},
    ):
        refused(world.boss.put("/v1/practice", bad), 400, "body")
    assert world.boss.put("/v1/practice", {**good, "retention_days": 2190}).json()["retention_days"] == 2190
    assert [act for act, _ in acts(world.rig)][-1] == "practice.changed"


def test_a_role_is_changed_at_once(world: World) -> None:
    path = f"/v1/practice/accounts/{world.owner_person.account_id.hex()}/role"
    assert world.boss.put(path, {"role": "cover"}).json()["role"] == "cover"
    assert world.boss.put(path, {"role": "cover"}).status_code == 200
    assert world.owner.get("/v1/account").json()["role"] == "cover"
    assert len(world.owner.get("/v1/records").json()["records"]) == 1
    changes = [one for one in acts(world.rig) if one[0] == "account.changed"]
    assert changes == [("account.changed", f"account:{world.owner_person.account_id.hex()} cover")]
    refused(world.boss.put(path, {"role": "administrator"}), 409, "role_fixed")
    own = f"/v1/practice/accounts/{world.boss_person.account_id.hex()}/role"
    refused(world.boss.put(own, {"role": "clinician"}), 409, "role_fixed")
    refused(world.other_boss.put(path, {"role": "clinician"}), 404, "account")
    for wrong in ({"role": "owner"}, {"role": 1}, {}, {"role": "cover", "name": "x"}):
        refused(world.boss.put(path, wrong), 400, "body")
    person = invited(world.rig, world.owner_person.practice_id, "later")
    later = f"/v1/practice/accounts/{person.account_id.hex()}/role"
    assert world.boss.put(later, {"role": "administrator"}).json()["role"] == "administrator"
    person.party = None
    assert person.set_up().get("/v1/account").json()["role"] == "administrator"
    world.boss.delete(f"/v1/practice/accounts/{world.owner_person.account_id.hex()}")
    refused(world.boss.put(path, {"role": "clinician"}), 409, "role_fixed")


def test_whether_the_audit_log_holds(world: World) -> None:
    noted = world.boss.get("/v1/audit?limit=1").json()["head"]["digest"]
    state = world.boss.get("/v1/practice/audit").json()
    assert state["entries"] == state["last"] - state["first"] + 1 == len(acts(world.rig))
    assert (state["broken_at"], state["noted"], state["problems"]) == (None, None, 0)
    assert acts(world.rig)[-1] == ("audit.fetched", "verification")
    assert world.boss.get(f"/v1/practice/audit?head={noted}").json()["noted"] is True
    assert world.boss.get(f"/v1/practice/audit?head={state['digest']}").json()["noted"] is True
    assert world.boss.get(f"/v1/practice/audit?head={'1' * 64}").json()["noted"] is False
    for query in ("head=x", f"head={noted.upper()}0", f"head={noted}&head={noted}", "after=1"):
        refused(world.boss.get(f"/v1/practice/audit?{query}"), 400, "query")
    with world.rig.store.database.write() as connection:
        connection.execute(text("UPDATE audit SET subject = 'nothing' WHERE sequence = 3"))
    assert world.boss.get(f"/v1/practice/audit?head={noted}").json()["broken_at"] == 3
