"""Sessions: how they begin, what they let through, and every way in which they end."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import text

from server.sessions import COOKIE, IDLE_S, LONGEST_S, token_in
from tests.server.account_rig import Browser, acts, member, own_page, practice
from tests.server.server_rig import NOW, Rig, refused
from voice.wire.encoding import b64url, from_b64url


def test_the_cookie_is_bound_to_the_host_and_out_of_reach_of_scripts(rig: Rig) -> None:
    person, browser = member(rig, practice(rig), "dr.okafor")
    answer = Browser(rig).post("/v1/sign-in/passphrase", person.signing_in(code=person.next_code()))
    said = answer.headers["set-cookie"].split("; ")
    assert said[0].startswith("__Host-onebreath=")
    assert set(said[1:]) == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    token = from_b64url(said[0].partition("=")[2], 32)
    with rig.store.database.read() as connection:
        kept = connection.execute(text("SELECT token_hash FROM sessions")).scalars().all()
    assert hashlib.sha256(token).digest() in [bytes(one) for one in kept]
    assert len(kept) == 2
    assert browser.get("/v1/account").status_code == 200


def test_a_session_ends_after_fifteen_idle_minutes(rig: Rig) -> None:
    _, browser = member(rig, practice(rig), "dr.okafor")
    for _ in range(4):
        rig.clock.now += IDLE_S - 60
        assert browser.get("/v1/account").status_code == 200
    rig.clock.now += IDLE_S
    refused(browser.get("/v1/account"), 401, "session")
    refused(browser.get("/v1/devices"), 401, "session")


def test_a_session_ends_twelve_hours_after_the_sign_in(rig: Rig) -> None:
    person, browser = member(rig, practice(rig), "dr.okafor")
    while rig.clock.now < NOW + LONGEST_S - 600:
        rig.clock.now += 600
        assert browser.get("/v1/account").status_code == 200
    rig.clock.now = NOW + LONGEST_S
    refused(browser.get("/v1/account"), 401, "session")
    person.sign_in()
    with rig.store.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 1


def test_signing_in_renews_the_token_and_ends_the_old_one(rig: Rig) -> None:
    person, browser = member(rig, practice(rig), "dr.okafor")
    old = Browser(rig)
    old.cookie = browser.cookie
    person.sign_in(browser)
    assert browser.cookie != old.cookie
    refused(old.get("/v1/account"), 401, "session")


def test_a_chosen_token_is_never_taken_over(rig: Rig) -> None:
    person, _ = member(rig, practice(rig), "dr.okafor")
    fixed = Browser(rig)
    fixed.cookie = b64url(b"f" * 32)
    refused(fixed.get("/v1/account"), 401, "session")
    person.sign_in(fixed)
    assert fixed.cookie != b64url(b"f" * 32)


def test_signing_out_here_and_everywhere(rig: Rig) -> None:
    person, first = member(rig, practice(rig), "dr.okafor")
    second, third = person.sign_in(), person.sign_in()
    kept = second.cookie
    assert second.post("/v1/sign-out").json() == {"ended": 1}
    assert second.cookie == "", "the browser is told to forget it"
    second.cookie = kept
    refused(second.get("/v1/account"), 401, "session")
    assert first.get("/v1/account").status_code == 200
    assert third.post("/v1/sign-out/everywhere").json() == {"ended": 2}
    refused(first.get("/v1/account"), 401, "session")
    assert [act for act, _ in acts(rig)].count("account.signed_out") == 2


def test_writing_calls_come_from_our_own_page(rig: Rig) -> None:
    _, browser = member(rig, practice(rig), "dr.okafor")
    device = rig.paired()
    writing = [
        ("POST", "/v1/sign-out"),
        ("POST", "/v1/invitations"),
        ("PUT", f"/v1/devices/{device.device_id.hex()}/state"),
        ("PUT", "/v1/account/passphrase"),
        ("DELETE", "/v1/account/factor-reset"),
        ("PUT", "/v1/practice"),
    ]
    for method, path in writing:
        for bad in (
            {"Onebreath-Request": ""},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            refused(browser.ask(method, path, {"state": "paused"}, **bad), 403, "origin")
    assert browser.get("/v1/account", **{"Onebreath-Request": "", "Origin": ""}).status_code == 200


def test_the_public_origin_counts_behind_a_proxy(fresh_url: str) -> None:
    rig = Rig(fresh_url, public_url="https://Clinic.example:443")
    try:
        page = {"Onebreath-Request": "1", "Origin": "https://clinic.example", "Sec-Fetch-Site": "same-origin"}
        start = {"name": "nobody"}
        assert Browser(rig, page).post("/v1/sign-in/start", start).status_code == 200
        for origin in ("http://clinic.example", "http://127.0.0.1:8750", "https://clinic.example:8443"):
            refused(Browser(rig, {**page, "Origin": origin}).post("/v1/sign-in/start", start), 403, "origin")
    finally:
        rig.close()


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ([f"{COOKIE}={b64url(b't' * 32)}"], True),
        ([f"a=b; {COOKIE}={b64url(b't' * 32)};c=d"], True),
        ([f"{COOKIE}={b64url(b't' * 32)}; {COOKIE}={b64url(b'u' * 32)}"], False),
        ([f"{COOKIE}={b64url(b't' * 32)}", f"{COOKIE}={b64url(b'u' * 32)}"], False),
        ([f"onebreath={b64url(b't' * 32)}"], False),
        ([f"{COOKIE}="], False),
        ([f"{COOKIE}={b64url(b't' * 31)}"], False),
        ([f"{COOKIE}={b64url(b't' * 32)}="], False),
        ([], False),
        ([";;=;"], False),
    ],
)
def test_one_cookie_is_read_and_two_are_none(headers: list[str], good: bool) -> None:
    assert token_in(headers) == (b"t" * 32 if good else None)


def test_the_settings_lengths_are_kept(rig: Rig) -> None:
    _, browser = member(rig, practice(rig), "dr.okafor")
    assert browser.get("/v1/account").json()["idle_s"] == rig.settings.session_idle_minutes * 60 == IDLE_S
    assert rig.settings.session_absolute_minutes * 60 == LONGEST_S
    assert own_page(rig)["Onebreath-Request"] == "1"
