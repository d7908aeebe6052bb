"""Passphrase and code: together or not at all, once, slowed down, and without telling who is here."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from server.accounts import AccountKeys
from server.app import create_app
from server.attempts import Proofs, begin_attempt, prove
from server.errors import RefusedError
from server.sign_in import FREE_TRIES, Throttle, account_name, make_verifier, same_secret
from tests.server.account_rig import Browser, Person, acts, invited, member, own_page, practice
from tests.server.server_rig import NOW, Rig, refused
from voice.wire.encoding import b64url
from voice.wire.secrets import Parameters, derive, parse_parameters, recovery_sign_in


def wrong(person: Person, **changes: str) -> dict[str, str]:
    return person.signing_in(secret=b64url(secrets.token_bytes(32)), **changes)


def try_it(person: Person, document: dict[str, str]) -> int:
    return Browser(person.rig).post("/v1/sign-in/passphrase", document).status_code


def test_the_whole_way_with_a_real_passphrase(rig: Rig) -> None:
    person = invited(rig, practice(rig), "dr.okafor")
    own = derive("the ﬁrst Ångström, twice", person.parameters)
    person.secret, person.recovery = own.sign_in, recovery_sign_in(secrets.token_bytes(16))
    person.set_up()
    browser = Browser(rig)
    told = parse_parameters(browser.post("/v1/sign-in/start", {"name": " DR.Okafor "}).json()["kdf"])
    # Typed on another keyboard: a ligature less, and a ring of its own.
    again = derive("the first A\u030angstro\u0308m, twice", told)
    assert again == own
    person.secret = again.sign_in
    person.sign_in(browser)
    answer = browser.get("/v1/account")
    assert answer.json()["name"] == "dr.okafor"
    assert answer.json()["factor"] == "totp"


def test_one_answer_for_every_failure(rig: Rig) -> None:
    where = practice(rig)
    person, _ = member(rig, where, "dr.okafor")
    waiting = invited(rig, where, "waiting")
    closed, _ = member(rig, where, "closed")
    _, boss = member(rig, where, "boss", "administrator")
    boss.delete(f"/v1/practice/accounts/{closed.account_id.hex()}")
    good = person.next_code()
    tried = [
        wrong(person, code=good),
        person.signing_in(code=person.code(steps=5)),
        person.signing_in(code="12345"),
        person.signing_in(code="１２３４５６"),
        waiting.signing_in(),
        closed.signing_in(),
        person.signing_in(name="nobody"),
        person.signing_in(name="no body \0 \ud800"),
    ]
    answers = [Browser(rig).post("/v1/sign-in/passphrase", document) for document in tried]
    for answer in answers:
        refused(answer, 401, "sign_in")
        assert "set-cookie" not in answer.headers
    assert len({answer.text for answer in answers}) == 1


def test_names_cannot_be_enumerated_by_their_parameters(rig: Rig) -> None:
    where = practice(rig)
    person, _ = member(rig, where, "dr.okafor")
    invited(rig, where, "waiting")

    def told(name: str) -> str:
        answer = Browser(rig).post("/v1/sign-in/start", {"name": name})
        assert answer.status_code == 200
        assert answer.json().keys() == {"kdf"}
        return str(answer.json()["kdf"])

    assert told("dr.okafor") == person.parameters.text
    made_up = [told(name) for name in ("nobody", "waiting", "someone else", "\ud800")]
    assert len(set(made_up)) == 4
    for one in made_up:
        parsed = parse_parameters(one)
        assert parsed == Parameters(parsed.salt)
    assert told("NOBODY ") == made_up[0]
    other = create_app(rig.settings, clock=rig.clock)
    assert other.state.context.account_keys == rig.app.state.context.account_keys
    other.state.context.store.close()


def test_a_code_serves_once_and_only_forwards(rig: Rig) -> None:
    person, _ = member(rig, practice(rig), "dr.okafor")
    later = person.code(steps=1)
    assert try_it(person, person.signing_in()) == 401, "the code of the set-up was taken"
    assert try_it(person, person.signing_in(code=later)) == 200, "a phone that is half a minute ahead"
    assert try_it(person, person.signing_in(code=later)) == 401
    assert try_it(person, person.signing_in(code=person.code())) == 401, "an older one neither"
    rig.clock.now += 60
    assert try_it(person, person.signing_in(code=person.code(steps=-1))) == 401
    assert try_it(person, person.signing_in()) == 200


def test_one_code_twice_at_once_by_two_workers(rig: Rig) -> None:
    person, _ = member(rig, practice(rig), "dr.okafor")
    document = person.signing_in(code=person.next_code())
    other = Rig.__new__(Rig)
    other.clock, other.settings = rig.clock, rig.settings
    other.app = create_app(rig.settings, clock=rig.clock)
    other.store = other.app.state.context.store
    try:
        with ThreadPoolExecutor(4) as pool:
            browsers = [Browser(one) for one in (rig, other, rig, other)]
            answers = list(pool.map(lambda one: one.post("/v1/sign-in/passphrase", document), browsers))
    finally:
        other.close()
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


def test_five_failures_lock_for_a_minute_then_longer_and_never_for_ever(rig: Rig) -> None:
    person, _ = member(rig, practice(rig), "dr.okafor")
    for _ in range(FREE_TRIES):
        refused(Browser(rig).post("/v1/sign-in/passphrase", wrong(person)), 401, "sign_in")
    waits = []
    for _ in range(9):
        answer = Browser(rig).post("/v1/sign-in/passphrase", person.signing_in())
        refused(answer, 429, "throttled")
        waits.append(int(answer.headers["Retry-After"]))
        rig.clock.now += waits[-1]
        assert try_it(person, wrong(person)) == 401
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    rig.clock.now += 3600
    assert try_it(person, person.signing_in()) == 200
    assert try_it(person, wrong(person)) == 401, "forgiven: not locked by the next failure"
    assert [act for act, _ in acts(rig)].count("account.locked") == 10


def test_unknown_names_are_locked_alike(rig: Rig) -> None:
    where = practice(rig)
    person, _ = member(rig, where, "dr.okafor")
    nobody = Person(rig, "nobody", "clinician", b"", b"", where)

    def walk(one: Person) -> list[tuple[int, str | None]]:
        seen = []
        for _ in range(8):
            answer = Browser(rig).post("/v1/sign-in/passphrase", wrong(one))
            seen.append((answer.status_code, answer.headers.get("Retry-After")))
        return seen

    assert walk(person) == walk(nobody)
    with rig.store.database.read() as connection:
        kept = connection.execute(text("SELECT * FROM challenges")).all()
    assert "nobody" not in str(kept)


def test_many_tries_at_once_are_counted_each(rig: Rig) -> None:
    """Counted before they are checked: parallel guessing gets no more tries than guessing in turn."""
    person, _ = member(rig, practice(rig), "dr.okafor")
    for name in ("dr.okafor", "nobody"):
        document = json.dumps(wrong(person, name=name)).encode()
        answers = rig.send(*[("POST", "/v1/sign-in/passphrase", document, own_page(rig)) for _ in range(12)])
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7, name


def test_a_success_without_a_code_buys_no_tries_for_codes(rig: Rig) -> None:
    """Who has passphrase and recovery code but no second factor must not guess codes without end."""
    person, _ = member(rig, practice(rig), "dr.okafor")
    asking = {
        "name": person.name, "secret": b64url(person.secret), "recovery": b64url(person.recovery)
    }  # fmt: skip
    statuses = []
    for _ in range(8):
        statuses.append(Browser(rig).post("/v1/recovery/factor", asking).status_code)
        statuses.append(try_it(person, person.signing_in(code="000000")))
    assert statuses.count(401) == FREE_TRIES
    assert statuses[-1] == 429


def test_a_change_between_check_and_commit_is_not_taken(rig: Rig) -> None:
    person, _ = member(rig, practice(rig), "dr.okafor")
    database, keys = rig.store.database, AccountKeys.of(rig.store.database)
    attempt = begin_attempt(database, keys, person.name, now=rig.clock())
    with database.write() as connection:
        connection.execute(
            text("UPDATE accounts SET verifier = :v WHERE name = 'dr.okafor'"),
            {"v": make_verifier(b"n" * 32, b"s" * 16)},
        )
    proofs = Proofs(passphrase=person.secret, code=person.next_code())
    with pytest.raises(RefusedError, match="sign_in"):
        prove(database, keys, attempt, proofs, lambda *_: None, now=rig.clock())


def test_calls_of_other_pages_are_refused(rig: Rig) -> None:
    person, _ = member(rig, practice(rig), "dr.okafor")
    document = person.signing_in(code=person.next_code())
    for path in ("/v1/sign-in/start", "/v1/sign-in/passphrase", "/v1/set-up/start", "/v1/set-up/finish"):
        for bad in (
            {"Onebreath-Request": ""},
            {"Onebreath-Request": "yes"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:8751"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
        ):
            refused(Browser(rig).post(path, document, **bad), 403, "origin")
    bare = Browser(rig, {"Onebreath-Request": "1"})
    assert bare.post("/v1/sign-in/passphrase", document).status_code == 200, "older browsers send neither"


def test_bodies_that_are_not_what_was_asked(rig: Rig) -> None:
    person, _ = member(rig, practice(rig), "dr.okafor")
    good = person.signing_in()
    wrong_bodies: tuple[object, ...] = (
        {**good, "extra": ""},
        {key: good[key] for key in ("name", "code")},
        {**good, "secret": "AA"},
        {**good, "secret": 7},
        {**good, "name": "x" * 401},
        [],
        "x",
    )
    for bad in wrong_bodies:
        refused(Browser(rig).post("/v1/sign-in/passphrase", bad), 400, "body")


def test_the_verifier_is_no_secret_and_salted() -> None:
    kept = make_verifier(b"s" * 32, b"a" * 16)
    assert same_secret(kept, b"s" * 32)
    assert not same_secret(kept, b"t" * 32)
    assert not same_secret(None, b"s" * 32)
    assert not same_secret(None, b"")
    assert kept != make_verifier(b"s" * 32, b"b" * 16)
    assert b"s" * 32 not in kept
    assert len(kept) == 50


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Dr.Okafor", "dr.okafor"),
        (" ﬀ@Clinic.example ", "ff@clinic.example"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("ＷＩＤＥ", "wide"),
        ("người", "người"),
        ("", None),
        ("a b", None),
        ("a\0", None),
        ("x" * 101, None),
        ("\ud800", None),
        ("<b>", None),
    ],
)
def test_names_have_one_spelling(typed: str, name: str | None) -> None:
    assert account_name(typed) == name


@given(st.text(max_size=30))
def test_a_name_is_its_own_spelling(typed: str) -> None:
    name = account_name(typed)
    assert name is None or account_name(name) == name


@given(st.lists(st.integers(0, 100_000), max_size=40))
def test_a_lock_is_at_most_an_hour_and_grows_only_by_failing(pauses: list[int]) -> None:
    throttle, now = Throttle(), NOW
    for pause in pauses:
        now += pause
        if throttle.wait_s(now) == 0:
            throttle = throttle.failed(now)
        assert throttle.wait_s(now) <= 3600
        assert throttle.wait_s(now + 3600) == 0
        assert Throttle.unpacked(throttle.packed()) == throttle
    assert throttle.wait_s(0) <= 3600, "a clock that was set back does not lock for ever"
    assert throttle.failed(now + 90_000).failures == 1
