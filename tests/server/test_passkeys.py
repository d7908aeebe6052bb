"""Passkeys with real keys and signatures: what signs in, and everything near it that does not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from server.accounts import close_account
from server.errors import RefusedError
from server.passkeys import CHALLENGE_S, Site
from server.sessions import RECENT_S
from tests.server.account_rig import Browser, Person, acts, member, practice
from tests.server.authenticator import Authenticator
from tests.server.server_rig import Rig, refused
from voice.wire.encoding import b64url

HERE = "http://localhost:8750"


@pytest.fixture
def site(fresh_url: str) -> Iterator[Rig]:
    rig = Rig(fresh_url, public_url=HERE)
    yield rig
    rig.close()


def someone(site: Rig, name: str = "dr.okafor", role: str = "clinician") -> tuple[Person, Browser]:
    return member(site, practice(site), name, role)


def register(browser: Browser, key: Authenticator | None = None) -> Authenticator:
    key = key or Authenticator(HERE)
    options = browser.post("/v1/account/passkeys/start").json()["options"]
    answer = browser.post("/v1/account/passkeys", key.create(options))
    assert answer.status_code == 201, answer.text
    return key


def asked(site: Rig) -> dict[str, Any]:
    options: dict[str, Any] = Browser(site).post("/v1/sign-in/passkey/start").json()["options"]
    return options


def shown(site: Rig, document: dict[str, str]) -> Any:
    return Browser(site).post("/v1/sign-in/passkey", document)


def test_a_passkey_signs_in_with_both_factors(site: Rig) -> None:
    person, browser = someone(site)
    options = browser.post("/v1/account/passkeys/start").json()["options"]
    assert options["rp"]["id"] == "localhost"
    assert options["user"]["id"] == b64url(person.account_id)
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["attestation"] == "none"
    key = register(browser)
    again = browser.post("/v1/account/passkeys/start").json()["options"]
    assert [one["id"] for one in again["excludeCredentials"]] == [b64url(key.credential_id)]
    fresh = Browser(site)
    options = fresh.post("/v1/sign-in/passkey/start").json()["options"]
    assert options["rpId"] == "localhost"
    assert options["userVerification"] == "required"
    assert options.get("allowCredentials", []) == []
    answer = fresh.post("/v1/sign-in/passkey", key.get(options))
    assert answer.status_code == 200, answer.text
    assert answer.json()["factor"] == "passkey"
    assert fresh.get("/v1/devices").status_code == 200
    [listed] = fresh.get("/v1/account/passkeys").json()["passkeys"]
    assert (listed["label"], listed["used_at"] is not None) == ("laptop", True)
    assert ("account.signed_in", "passkey") in acts(site)


def test_a_synchronised_passkey_never_counts(site: Rig) -> None:
    _, browser = someone(site)
    key = register(browser, Authenticator(HERE, counts=False))
    for _ in range(2):
        assert shown(site, key.get(asked(site))).status_code == 200


def test_a_count_that_does_not_grow_is_refused_and_audited(site: Rig) -> None:
    person, browser = someone(site)
    key = register(browser)
    key.count = 5
    assert shown(site, key.get(asked(site))).status_code == 200
    for count in (5, 4, 0, -1):
        key.count = count
        refused(shown(site, key.get(asked(site))), 401, "sign_in")
    told = [subject for act, subject in acts(site) if act == "account.sign_in_failed"]
    assert told == [f"account:{person.account_id.hex()} passkey count"] * 4


def test_one_count_at_two_workers_at_once(site: Rig) -> None:
    """A copied key that answers two questions with the same count: one of them signs in."""
    _, browser = someone(site)
    key = register(browser)
    documents = []
    for _ in range(4):
        key.count = 6
        documents.append(key.get(asked(site)))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: shown(site, one).status_code, documents))
    assert sorted(answers) == [200, 401, 401, 401]


def test_an_answer_is_taken_once_and_in_time(site: Rig) -> None:
    _, browser = someone(site)
    key = register(browser, Authenticator(HERE, counts=False))
    document = key.get(asked(site))
    assert shown(site, document).status_code == 200
    refused(shown(site, document), 400, "passkey")
    late = key.get(asked(site))
    site.clock.now += CHALLENGE_S
    refused(shown(site, late), 400, "passkey")
    with ThreadPoolExecutor(4) as pool:
        document = key.get(asked(site))
        answers = list(pool.map(lambda _: shown(site, document).status_code, range(4)))
    assert sorted(answers) == [200, 400, 400, 400]


def test_wrong_origin_domain_person_key_and_challenge(site: Rig) -> None:
    person, browser = someone(site)
    other, _ = someone(site, "other")
    key = register(browser)

    def changed(**how: Any) -> dict[str, str]:
        one = Authenticator(HERE, key=key.key, credential_id=key.credential_id, user=key.user, count=100)
        for name, value in how.items():
            setattr(one, name, value)
        return one.get(asked(site))

    for document in (
        changed(origin="http://localhost:8751"),
        changed(origin="https://localhost"),
        changed(origin="https://localhost.evil.example"),
        changed(rp_id="evil.example"),
        changed(verifies=False),
        changed(key=Authenticator(HERE).key),
        changed(user=other.account_id),
        changed(credential_id=b"c" * 32),
        {**changed(), "signature": b64url(b"\x30\x00")},
        {**changed(), "authenticator_data": ""},
    ):
        refused(shown(site, document), 401, "sign_in")
    refused(shown(site, key.get({"challenge": b64url(b"x" * 32)})), 400, "passkey")
    refused(shown(site, {**changed(), "client_data": b64url(b"{")}), 400, "passkey")
    refused(shown(site, {**changed(), "client_data": b64url(b"[]")}), 400, "passkey")
    registering = browser.post("/v1/account/passkeys/start").json()["options"]
    refused(shown(site, key.get(registering)), 400, "passkey")
    key.count = 200
    assert shown(site, key.get(asked(site))).status_code == 200
    assert person.account_id != other.account_id


def test_registering_is_checked_as_strictly(site: Rig) -> None:
    _, browser = someone(site)
    _, others = someone(site, "other")

    def options() -> dict[str, Any]:
        found: dict[str, Any] = browser.post("/v1/account/passkeys/start").json()["options"]
        return found

    for key in (
        Authenticator("http://localhost:8751"),
        Authenticator(HERE, rp_id="evil.example"),
        Authenticator(HERE, verifies=False),
    ):
        refused(browser.post("/v1/account/passkeys", key.create(options())), 400, "passkey")
    key = Authenticator(HERE)
    theirs = {**asked(site), "user": options()["user"]}
    refused(browser.post("/v1/account/passkeys", key.create(theirs)), 400, "passkey")
    refused(others.post("/v1/account/passkeys", key.create(options())), 400, "passkey")
    wrong_id = {**key.create(options()), "credential": b64url(b"c" * 32)}
    refused(browser.post("/v1/account/passkeys", wrong_id), 400, "passkey")
    for change, code in (({"attestation": "AA"}, "passkey"), ({"label": "\n"}, "body")):
        refused(browser.post("/v1/account/passkeys", {**key.create(options()), **change}), 400, code)
    made = key.create(options())
    assert browser.post("/v1/account/passkeys", made).status_code == 201
    refused(browser.post("/v1/account/passkeys", made), 400, "passkey")
    second = others.post("/v1/account/passkeys/start").json()["options"]
    refused(others.post("/v1/account/passkeys", key.create(second)), 409, "passkey")


def test_extension_results_have_no_place_in_the_calls(site: Rig) -> None:
    """What the PRF gives unwraps keys; a page that sends it by mistake is told so, and nothing is kept."""
    _, browser = someone(site)
    key = Authenticator(HERE)
    options = browser.post("/v1/account/passkeys/start").json()["options"]
    leaking = {**key.create(options), "clientExtensionResults": "cHJmLW91dHB1dA"}
    refused(browser.post("/v1/account/passkeys", leaking), 400, "body")
    register(browser, key)
    refused(shown(site, {**key.get(asked(site)), "clientExtensionResults": "x"}), 400, "body")


def test_a_passkey_is_added_only_after_a_recent_sign_in(site: Rig) -> None:
    _, browser = someone(site)
    key = Authenticator(HERE)
    options = browser.post("/v1/account/passkeys/start").json()["options"]
    site.clock.now += RECENT_S + 1
    refused(browser.post("/v1/account/passkeys/start"), 403, "recent")
    refused(browser.post("/v1/account/passkeys", key.create(options)), 403, "recent")
    refused(browser.delete("/v1/account/passkeys/AAAA"), 403, "recent")
    refused(Browser(site).post("/v1/account/passkeys/start"), 401, "session")


def test_passkeys_are_their_owners_alone(site: Rig) -> None:
    _, browser = someone(site)
    _, other = someone(site, "other")
    key = register(browser)
    path = f"/v1/account/passkeys/{b64url(key.credential_id)}"
    refused(other.delete(path), 404, "passkey")
    refused(other.delete("/v1/account/passkeys/~"), 404, "passkey")
    assert other.get("/v1/account/passkeys").json() == {"passkeys": []}
    assert browser.delete(path).json() == {"passkeys": []}
    refused(shown(site, key.get(asked(site))), 401, "sign_in")


def test_a_closed_accounts_passkey_is_gone(site: Rig) -> None:
    person, browser = someone(site)
    key = register(browser)
    waiting = key.get(asked(site))
    close_account(
        site.store.database, person.practice_id, person.account_id, now=site.clock(), actor="system"
    )
    refused(shown(site, waiting), 401, "sign_in")
    with site.store.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM passkeys")).scalar_one() == 0


@pytest.mark.parametrize(
    "url",
    [None, "https://192.0.2.1", "https://[2001:db8::1]", "http://127.0.0.1:8750", "http://clinic.example"],
)
def test_an_address_or_plain_http_is_no_passkey_domain(url: str | None) -> None:
    with pytest.raises(RefusedError, match="passkeys_off"):
        Site.of(url)


def test_a_name_is_a_passkey_domain() -> None:
    assert Site.of("https://clinic.example") == Site("clinic.example", "https://clinic.example")
    assert Site.of("https://clinic.example:443") == Site("clinic.example", "https://clinic.example")
    assert Site.of("https://clinic.example:8443") == Site("clinic.example", "https://clinic.example:8443")
    assert Site.of(HERE) == Site("localhost", HERE)


def test_without_a_public_name_passkeys_are_off(rig: Rig) -> None:
    _, browser = member(rig, practice(rig), "dr.okafor")
    refused(browser.post("/v1/account/passkeys/start"), 409, "passkeys_off")
    refused(Browser(rig).post("/v1/sign-in/passkey/start"), 409, "passkeys_off")
