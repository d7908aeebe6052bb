"""Codes: RFC 6238's own numbers, one use, and what is kept of the secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from server.accounts import AccountKeys
from server.second_factor import STEP_S, code_at, enrolment_uri, open_secret, seal_secret, taken_step
from tests.server.account_rig import Browser, member, practice, totp_of
from tests.server.server_rig import Rig

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "eight_digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_rfc_6238_appendix_b(seconds: int, eight_digits: str) -> None:
    """The appendix has eight digits; six are the last six of them (RFC 4226 section 5.3)."""
    assert code_at(SECRET, seconds // STEP_S) == eight_digits[2:]


@given(st.integers(0, 2**34), st.integers(-4, 4))
def test_a_step_to_either_side_and_no_more(now: int, away: int) -> None:
    step = now // STEP_S + away
    if step < 0:
        return
    taken = taken_step(SECRET, code_at(SECRET, step), now=now, last_step=-1)
    near = {now // STEP_S + drift for drift in (-1, 0, 1)}
    assert taken in near or (taken is None and step not in near)


@given(st.integers(10, 2**30), st.integers(-1, 1), st.integers(-3, 3))
def test_only_later_steps_than_the_last(step: int, away: int, last: int) -> None:
    taken = taken_step(SECRET, code_at(SECRET, step + away), now=step * STEP_S, last_step=step + last)
    assert taken is None or taken > step + last


@given(st.text(max_size=12))
def test_what_is_not_six_digits_is_no_code(typed: str) -> None:
    if not (len(typed) == 6 and typed.isascii() and typed.isdigit()):
        assert taken_step(SECRET, typed, now=59, last_step=0) is None


def test_the_secret_is_sealed_to_its_account() -> None:
    key, account = b"k" * 32, b"a" * 16
    sealed = seal_secret(key, account, SECRET, b"n" * 12)
    assert SECRET not in sealed
    assert open_secret(key, account, sealed) == SECRET
    assert open_secret(b"x" * 32, account, sealed) is None
    assert open_secret(key, b"b" * 16, sealed) is None
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert open_secret(key, account, bytes(changed)) is None
    for size in (0, 1, 12, 27):
        assert open_secret(key, account, sealed[:size]) is None


def test_an_authenticator_app_reads_the_address() -> None:
    address = enrolment_uri(SECRET, "dr.okafor@clinic.example", "Onebreath")
    assert totp_of(address) == SECRET
    assert address.startswith("otpauth://totp/Onebreath:dr.okafor%40clinic.example?")
    assert "issuer=Onebreath" in address


def test_a_row_moved_to_another_account_opens_nothing(rig: Rig) -> None:
    """Who can write to the database still cannot lend one account's authenticator to another."""
    where = practice(rig)
    thief, _ = member(rig, where, "thief")
    person, _ = member(rig, where, "dr.okafor")
    with rig.store.database.write() as connection:
        theirs = connection.execute(text("SELECT totp FROM accounts WHERE name = 'thief'")).scalar_one()
        connection.execute(
            text("UPDATE accounts SET totp = :totp WHERE name = 'dr.okafor'"), {"totp": bytes(theirs)}
        )
        keys = connection.execute(text("SELECT name, value FROM server_keys ORDER BY name")).all()
    assert [row.name for row in keys] == ["names", "nonce", "totp"]
    assert AccountKeys.of(rig.store.database).totp == bytes(keys[2].value)
    rig.clock.now += STEP_S
    person.totp = thief.totp
    assert Browser(rig).post("/v1/sign-in/passphrase", person.signing_in()).status_code == 401
