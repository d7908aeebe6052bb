"""What to do when something is lost, and every shortcut through it that must not work."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import text

from server.account_recovery import OPEN_FOR_S, WAIT_S
from server.sessions import RECENT_S
from tests.server.account_rig import Browser, Person, acts, member, practice, totp_of
from tests.server.server_rig import Rig, refused
from voice.wire.encoding import b64url
from voice.wire.secrets import Parameters

NEW = secrets.token_bytes(32)
KDF = Parameters(b"n" * 16).text


def both(person: Person, **changes: str) -> dict[str, str]:
    shown = {"name": person.name, "secret": b64url(person.secret), "recovery": b64url(person.recovery)}
    return {**shown, **changes}


def by_code(person: Person, **changes: str) -> dict[str, str]:
    document = {
        "name": person.name,
        "recovery": b64url(person.recovery),
        "code": person.next_code(),
        "kdf": KDF,
        "new_secret": b64url(NEW),
    }
    return {**document, **changes}


def stored(person: Person, column: str) -> Any:
    with person.rig.store.database.read() as connection:
        wanted = text(f"SELECT {column} FROM accounts WHERE id = :id")  # noqa: S608
        return connection.execute(wanted, {"id": person.account_id}).scalar_one()


def someone(rig: Rig) -> tuple[Person, Browser]:
    return member(rig, practice(rig), "dr.okafor")


def test_a_lost_passphrase_by_recovery_code_and_second_factor(rig: Rig) -> None:
    person, old = someone(rig)
    browser = Browser(rig)
    answer = browser.post("/v1/recovery/passphrase", by_code(person))
    assert answer.status_code == 200, answer.text
    assert browser.get("/v1/devices").status_code == 200
    refused(old.get("/v1/account"), 401, "session")
    person.next_code()
    refused(Browser(rig).post("/v1/sign-in/passphrase", person.signing_in()), 401, "sign_in")
    person.secret = NEW
    person.sign_in()
    assert Browser(rig).post("/v1/sign-in/start", {"name": person.name}).json() == {"kdf": KDF}
    assert ("account.recovered", "passphrase") in acts(rig)


def test_the_recovery_code_alone_changes_nothing(rig: Rig) -> None:
    person, _ = someone(rig)
    before = stored(person, "verifier")
    for changes in (
        {"code": ""},
        {"code": "000000"},
        {"code": person.code()},
        {"recovery": b64url(person.secret)},
    ):
        answer = Browser(rig).post("/v1/recovery/passphrase", by_code(person, **changes))
        refused(answer, 401, "sign_in")
    assert stored(person, "verifier") == before
    used = by_code(person)
    assert Browser(rig).post("/v1/recovery/passphrase", used).status_code == 200
    refused(Browser(rig).post("/v1/recovery/passphrase", used), 401, "sign_in")


def test_a_lost_second_factor_needs_both_secrets_and_a_day(rig: Rig) -> None:
    person, old = someone(rig)
    rig.clock.now += 3600
    asked_at = rig.clock.now
    browser = Browser(rig)
    refused(browser.post("/v1/recovery/factor/start", both(person)), 403, "wait")
    assert browser.post("/v1/recovery/factor", both(person)).status_code == 202
    assert stored(person, "notice_waiting_since") == asked_at, "the mail goes out by this"
    assert stored(person, "factor_reset_at") == asked_at + WAIT_S
    rig.clock.now += WAIT_S - 1
    assert browser.post("/v1/recovery/factor", both(person)).status_code == 202
    assert stored(person, "factor_reset_at") == asked_at + WAIT_S, "asking again changes no date"
    refused(browser.post("/v1/recovery/factor/start", both(person)), 403, "wait")
    rig.clock.now += 1
    begun = browser.post("/v1/recovery/factor/start", both(person)).json()
    lost, person.totp = person.totp, totp_of(begun["otpauth"])
    finish = {**both(person), "token": begun["token"]}
    refused(browser.post("/v1/recovery/factor/finish", {**finish, "code": "000000"}), 400, "code")
    wrong = {**finish, "token": b64url(b"x" * 32), "code": person.code()}
    refused(browser.post("/v1/recovery/factor/finish", wrong), 404, "setup")
    document = {**finish, "code": person.code()}
    with ThreadPoolExecutor(3) as pool:
        answers = list(
            pool.map(lambda _: Browser(rig).post("/v1/recovery/factor/finish", document), range(3))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403]
    refused(old.get("/v1/account"), 401, "session")
    person.sign_in()
    person.totp = lost
    person.next_code()
    refused(Browser(rig).post("/v1/sign-in/passphrase", person.signing_in()), 401, "sign_in")
    told = [one for one in acts(rig) if one[0].startswith("account.factor")]
    assert told == [("account.factor_reset_asked", ""), ("account.factor_changed", "totp, lost")]


def test_one_of_the_two_secrets_does_not_even_start_the_wait(rig: Rig) -> None:
    person, _ = someone(rig)
    for changes in (
        {"secret": b64url(NEW)},
        {"recovery": b64url(NEW)},
        {"secret": b64url(person.recovery)},
        {"name": "nobody"},
    ):
        refused(Browser(rig).post("/v1/recovery/factor", both(person, **changes)), 401, "sign_in")
    assert stored(person, "factor_reset_at") is None


def test_any_open_session_cancels_the_reset(rig: Rig) -> None:
    person, old = someone(rig)
    assert Browser(rig).post("/v1/recovery/factor", both(person)).status_code == 202
    assert old.get("/v1/account").json()["factor_reset_at"] is not None
    assert old.delete("/v1/account/factor-reset").json()["factor_reset_at"] is None
    rig.clock.now += WAIT_S
    refused(Browser(rig).post("/v1/recovery/factor/start", both(person)), 403, "wait")
    assert ("account.factor_changed", "reset cancelled") in acts(rig)
    other, others = member(rig, person.practice_id, "other")
    assert Browser(rig).post("/v1/recovery/factor", both(person)).status_code == 202
    assert others.delete("/v1/account/factor-reset").status_code == 200
    assert stored(person, "factor_reset_at") is not None, "not somebody else's"
    assert stored(other, "factor_reset_at") is None


def test_signing_in_with_the_factor_cancels_the_reset_even_when_it_has_begun(rig: Rig) -> None:
    person, _ = someone(rig)
    thief = Browser(rig)
    assert thief.post("/v1/recovery/factor", both(person)).status_code == 202
    rig.clock.now += WAIT_S
    begun = thief.post("/v1/recovery/factor/start", both(person)).json()
    person.sign_in()
    own, person.totp = person.totp, totp_of(begun["otpauth"])
    document = {**both(person), "token": begun["token"], "code": person.code()}
    refused(thief.post("/v1/recovery/factor/finish", document), 403, "wait")
    person.totp = own
    person.sign_in()


def test_a_reset_that_nobody_used_is_asked_for_anew(rig: Rig) -> None:
    person, _ = someone(rig)
    assert Browser(rig).post("/v1/recovery/factor", both(person)).status_code == 202
    rig.clock.now += WAIT_S + OPEN_FOR_S
    refused(Browser(rig).post("/v1/recovery/factor/start", both(person)), 403, "wait")
    assert Browser(rig).post("/v1/recovery/factor", both(person)).status_code == 202
    assert stored(person, "factor_reset_at") == rig.clock.now + WAIT_S


def test_a_new_passphrase_needs_the_old_one(rig: Rig) -> None:
    person, browser = someone(rig)
    other = person.sign_in()
    change = {"secret": b64url(NEW), "kdf": KDF, "new_secret": b64url(NEW)}
    refused(browser.put("/v1/account/passphrase", change), 401, "sign_in")
    refused(browser.put("/v1/account/passphrase", {**change, "kdf": "{}"}), 400, "body")
    good = {**change, "secret": b64url(person.secret)}
    refused(Browser(rig).put("/v1/account/passphrase", good), 401, "session")
    assert browser.put("/v1/account/passphrase", good).status_code == 200
    assert browser.get("/v1/account").status_code == 200
    refused(other.get("/v1/account"), 401, "session")
    person.secret = NEW
    person.sign_in()
    assert ("account.passphrase_changed", "passphrase") in acts(rig)


def test_guessing_the_old_passphrase_from_a_session_is_slowed_too(rig: Rig) -> None:
    person, browser = someone(rig)
    change = {"secret": b64url(NEW), "kdf": KDF, "new_secret": b64url(NEW)}
    for _ in range(5):
        refused(browser.put("/v1/account/passphrase", change), 401, "sign_in")
    refused(
        browser.put("/v1/account/passphrase", {**change, "secret": b64url(person.secret)}), 429, "throttled"
    )


def test_a_lost_passphrase_after_a_recent_sign_in_by_passkey_or_code(rig: Rig) -> None:
    person, browser = someone(rig)
    change = {"recovery": b64url(NEW), "kdf": KDF, "new_secret": b64url(NEW)}
    path = "/v1/account/passphrase/recovered"
    refused(browser.put(path, change), 401, "sign_in")
    rig.clock.now += RECENT_S + 1
    good = {**change, "recovery": b64url(person.recovery)}
    refused(browser.put(path, good), 403, "recent")
    person.sign_in(browser)
    assert browser.put(path, good).status_code == 200
    person.secret = NEW
    person.sign_in()


def test_a_new_recovery_code_needs_the_passphrase(rig: Rig) -> None:
    person, browser = someone(rig)
    change = {"secret": b64url(NEW), "recovery": b64url(NEW)}
    refused(browser.put("/v1/account/recovery", change), 401, "sign_in")
    good = {**change, "secret": b64url(person.secret)}
    assert browser.put("/v1/account/recovery", good).status_code == 200
    refused(Browser(rig).post("/v1/recovery/factor", both(person)), 401, "sign_in")
    person.recovery = NEW
    assert Browser(rig).post("/v1/recovery/factor", both(person)).status_code == 202
    rig.clock.now += RECENT_S + 1
    refused(browser.put("/v1/account/recovery", good), 403, "recent")


def test_a_new_authenticator_needs_a_recent_sign_in_and_the_passphrase(rig: Rig) -> None:
    person, browser = someone(rig)
    other = person.sign_in()
    begun = browser.post("/v1/account/factor/start").json()
    old, person.totp = person.totp, totp_of(begun["otpauth"])
    finish = {"token": begun["token"], "secret": b64url(person.secret), "code": person.code()}
    refused(browser.post("/v1/account/factor/finish", {**finish, "secret": b64url(NEW)}), 401, "sign_in")
    refused(browser.post("/v1/account/factor/finish", {**finish, "code": "000000"}), 400, "code")
    assert other.get("/v1/account").status_code == 200
    assert browser.post("/v1/account/factor/finish", finish).status_code == 200
    refused(browser.post("/v1/account/factor/finish", finish), 404, "setup")
    refused(other.get("/v1/account"), 401, "session")
    person.sign_in()
    person.totp = old
    person.next_code()
    refused(Browser(rig).post("/v1/sign-in/passphrase", person.signing_in()), 401, "sign_in")
    rig.clock.now += RECENT_S + 1
    refused(browser.post("/v1/account/factor/start"), 403, "recent")
    refused(browser.post("/v1/account/factor/finish", finish), 403, "recent")


def test_a_pending_authenticator_is_its_accounts_own(rig: Rig) -> None:
    person, browser = someone(rig)
    thief, thiefs = member(rig, person.practice_id, "thief")
    begun = browser.post("/v1/account/factor/start").json()
    thief.totp = totp_of(begun["otpauth"])
    finish = {"token": begun["token"], "secret": b64url(thief.secret), "code": thief.code()}
    refused(thiefs.post("/v1/account/factor/finish", finish), 404, "setup")


def test_an_administrator_alone_recovers_nobody(rig: Rig) -> None:
    """Closing and inviting anew is all they have; there is no call to set another's secrets."""
    person, _ = someone(rig)
    _, boss = member(rig, person.practice_id, "boss", "administrator")
    path = f"/v1/practice/accounts/{person.account_id.hex()}"
    refused(boss.post(f"{path}/invitation"), 409, "set_up")
    for way in ("factor", "passphrase", "recovery", "email"):
        for method in ("POST", "PUT", "DELETE"):
            assert boss.ask(method, f"{path}/{way}", {}).status_code == 404
    boss.delete(path)
    with rig.store.database.read() as connection:
        wanted = text("SELECT verifier, recovery_verifier, totp, kdf FROM accounts WHERE id = :id")
        kept = connection.execute(wanted, {"id": person.account_id}).one()
    assert tuple(kept) == (None, None, None, None)
