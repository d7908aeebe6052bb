"""An invited person sets their own secrets up: once, with a proof of who they are, whoever races."""

from __future__ import annotations

import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from server.accounts import INVITED_FOR_S
from tests.server.account_rig import Browser, acts, invited, member, practice
from tests.server.server_rig import ClinicianParty, Rig, refused
from voice.wire.encoding import b64url, from_b64url
from voice.wire.secrets import sign_set_up


def test_a_clinician_sets_up_and_is_signed_in(rig: Rig) -> None:
    person = invited(rig, practice(rig), "Dr.Okafor")
    browser = Browser(rig)
    started = person.begin(browser).json()
    assert (started["name"], started["role"], started["practice"]) == (
        "dr.okafor",
        "clinician",
        "North Street",
    )
    answer = browser.post("/v1/set-up/finish", person.finishing())
    assert answer.status_code == 201
    assert person.party is not None
    assert answer.json()["clinician"] == person.party.clinician_id.hex()
    stated = browser.get("/v1/clinician").json()
    assert stated["statement"] == b64url(person.party.statement())
    assert rig.signed(person.party, "GET", "/v1/clinician").status_code == 200
    assert [act for act, _ in acts(rig)][-5:] == [
        "practice.added",
        "account.added",
        "clinician.added",
        "account.set_up",
        "account.signed_in",
    ]


def test_the_database_holds_neither_token_nor_secrets(rig: Rig) -> None:
    person, browser = member(rig, practice(rig), "dr.okafor")
    kept = b""
    with rig.store.database.read() as connection:
        for table in ("accounts", "sessions", "challenges", "audit", "clinicians", "reading_keys"):
            for row in connection.execute(text(f"SELECT * FROM {table}")):  # noqa: S608
                for value in row:
                    kept += bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
    for canary in (person.token, person.secret, person.recovery, person.totp, browser.cookie.encode()):
        assert canary not in kept
        assert b64url(canary).encode() not in kept
        assert canary.hex().encode() not in kept


def test_a_token_serves_once_and_expires(rig: Rig) -> None:
    person = invited(rig, practice(rig), "dr.okafor")
    person.set_up()
    refused(person.begin(Browser(rig)), 404, "setup")
    refused(Browser(rig).post("/v1/set-up/finish", person.finishing()), 404, "setup")
    late = invited(rig, person.practice_id, "late", "administrator")
    rig.clock.now += INVITED_FOR_S
    refused(late.begin(Browser(rig)), 404, "setup")
    refused(Browser(rig).post("/v1/set-up/start", {"token": b64url(b"x" * 32)}), 404, "setup")
    refused(Browser(rig).post("/v1/set-up/start", {"token": "$"}), 400, "body")


def test_one_token_many_times_at_once(rig: Rig) -> None:
    person = invited(rig, practice(rig), "boss", "administrator")
    person.begin(Browser(rig))
    with ThreadPoolExecutor(5) as pool:
        asked = [person.finishing(secret=b64url(secrets.token_bytes(32))) for _ in range(5)]
        answers = list(pool.map(lambda body: Browser(rig).post("/v1/set-up/finish", body), asked))
    assert sorted(answer.status_code for answer in answers) == [201] + [404] * 4
    with rig.store.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 1


def test_two_accounts_cannot_take_one_clinician_at_once(rig: Rig) -> None:
    where = practice(rig)
    people = [invited(rig, where, f"reader{number}") for number in range(4)]
    for person in people:
        person.party = people[0].party
        person.begin(Browser(rig))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: Browser(rig).post("/v1/set-up/finish", one.finishing()), people))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 3


def test_the_code_must_be_the_new_authenticators(rig: Rig) -> None:
    person = invited(rig, practice(rig), "boss", "administrator")
    browser = Browser(rig)
    refused(browser.post("/v1/set-up/finish", person.finishing(code="000000")), 400, "code")
    person.begin(browser)
    first = person.totp
    person.begin(browser)
    assert person.totp != first
    refused(browser.post("/v1/set-up/finish", person.finishing(code=person.code(steps=3))), 400, "code")
    assert browser.post("/v1/set-up/finish", person.finishing()).status_code == 201


def test_a_statement_of_somebody_else_is_no_way_in(rig: Rig) -> None:
    """The statement of every clinician is known to their devices: only its key proves who brings it."""
    where = practice(rig)
    thief = invited(rig, where, "thief")
    browser = Browser(rig)
    thief.begin(browser)
    theirs = rig.clinician.statement()
    own = ClinicianParty.new()
    for proof in (
        sign_set_up(own.key, thief.token, theirs),
        sign_set_up(rig.clinician.key, secrets.token_bytes(32), theirs),
        sign_set_up(rig.clinician.key, thief.token, own.statement()),
        b"\0" * 64,
        b"short",
    ):
        changed = thief.finishing(statement=b64url(theirs), proof=b64url(proof))
        refused(browser.post("/v1/set-up/finish", changed), 400, "statement")
    refused(browser.post("/v1/set-up/finish", thief.finishing(statement=b64url(b"1BSt"))), 400, "statement")


def test_a_clinician_of_the_command_line_is_linked_by_their_own_key(rig: Rig) -> None:
    [known] = rig.store.clinicians()
    person = invited(rig, known.practice_id, "dr.okafor")
    person.party = rig.clinician
    device = rig.paired()
    browser = person.set_up()
    listed = browser.get("/v1/devices").json()["devices"]
    assert [one["device"] for one in listed] == [device.device_id.hex()]
    elsewhere = invited(rig, practice(rig), "elsewhere")
    elsewhere.party = rig.clinician
    again = Browser(rig)
    elsewhere.begin(again)
    refused(again.post("/v1/set-up/finish", elsewhere.finishing()), 409, "clinician")


def test_a_known_identity_with_another_statement_is_refused(rig: Rig) -> None:
    [known] = rig.store.clinicians()
    person = invited(rig, known.practice_id, "dr.okafor")
    person.party = rig.clinician
    person.begin(Browser(rig))
    for statement in (rig.clinician.statement(epoch=2), rig.clinician.statement(name="Another")):
        proof = sign_set_up(rig.clinician.key, person.token, statement)
        changed = person.finishing(statement=b64url(statement), proof=b64url(proof))
        refused(Browser(rig).post("/v1/set-up/finish", changed), 409, "clinician")


def test_roles_and_statements_belong_together(rig: Rig) -> None:
    where = practice(rig)
    boss, reader = invited(rig, where, "boss", "administrator"), invited(rig, where, "cover", "cover")
    browser = Browser(rig)
    boss.begin(browser)
    boss.party = ClinicianParty.new()
    refused(browser.post("/v1/set-up/finish", boss.finishing()), 400, "statement")
    reader.begin(browser)
    reader.party = None
    refused(browser.post("/v1/set-up/finish", reader.finishing()), 400, "statement")


def test_weak_absurd_and_misspelt_parameters_are_refused(rig: Rig) -> None:
    person = invited(rig, practice(rig), "boss", "administrator")
    person.begin(Browser(rig))
    good = person.parameters.text
    for kdf in (
        good.replace('"passes":3', '"passes":2'),
        good.replace("65536", "65535"),
        good.replace('"lanes":4', '"lanes":1'),
        good.replace("65536", "4294967295"),
        good.replace(",", ", "),
        good.replace("argon2id", "pbkdf2"),
        "{}",
        "[]",
        "",
    ):
        refused(Browser(rig).post("/v1/set-up/finish", person.finishing(kdf=kdf)), 400, "body")


def test_only_hashes_of_set_up_tokens_are_kept_and_renewing_voids_the_old(rig: Rig) -> None:
    where = practice(rig)
    _, browser = member(rig, where, "boss", "administrator")
    person = invited(rig, where, "dr.okafor")
    path = f"/v1/practice/accounts/{person.account_id.hex()}/invitation"
    answer = browser.post(path)
    link = answer.json()["set_up"]
    assert link.startswith("http://127.0.0.1:8750/set-up#")
    refused(person.begin(Browser(rig)), 404, "setup")
    person.token = from_b64url(link.partition("#")[2], 32)
    with rig.store.database.read() as connection:
        kept = connection.execute(
            text("SELECT setup_hash FROM accounts WHERE name = 'dr.okafor'")
        ).scalar_one()
    assert bytes(kept) == hashlib.sha256(person.token).digest()
    person.set_up()
    refused(browser.post(path), 409, "set_up")
