"""What is lost, and what is cut short, from the sign-in on: in a real Chromium, on a real server.

One life, in order. A day that must pass is taken out of the server's database, where it is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.account_practice import opened, rows, set_up
from tests.end_to_end.browser import Authenticator
from tests.end_to_end.page_practice import Practice
from tests.end_to_end.product import PASSPHRASE

pytestmark = pytest.mark.hard

START = "Since the last session"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with opened(tmp_path_factory.mktemp("accounts")) as made:
        made.browser.fresh()
        yield made


def test_01_set_up(there: Practice) -> None:
    page = there.browser
    there.notes["code"], there.authenticator = set_up(there, "okafor", PASSPHRASE)
    page.click("Finish")
    page.ask("wait", heading=START)
    page.click("Account", "link")
    page.ask("wait", heading="Account")
    page.ask("authenticator", prf=True)
    page.unfold("Add one")
    page.fill("Name of the passkey", "laptop")
    page.click("Add a passkey")
    page.ask("wait", heading="Let it unlock your records")


def test_02_a_reset_that_somebody_asked_for_is_shown_and_stopped(there: Practice) -> None:
    page = there.browser
    asked = "UPDATE accounts SET factor_reset_at = ? WHERE name = 'okafor'"
    for stop in ("Account", "Locked"):
        rows(there, asked, int(time.time()) + 86_400)
        page.ask("reload")
        page.ask("wait", heading="Locked")
        page.sees("asked to replace your authenticator")
        page.check()
        if stop == "Account":
            there.unlock(PASSPHRASE)
            page.at("Account")
            page.sees("asked to replace your authenticator")
            page.check()
        page.click("Stop it")
        page.sees("It is stopped.")
        assert rows(there, "SELECT factor_reset_at FROM accounts WHERE name = 'okafor'") == [(None,)]
    page.click("Sign out")
    page.at("Sign in")


def test_03_a_lost_authenticator(there: Practice) -> None:
    page = there.browser

    def shown(passphrase: str) -> None:
        page.fill("Name", "okafor")
        page.fill("Passphrase", passphrase)
        page.fill("Recovery code", there.notes["code"])
        page.click("Continue")

    page.click("I have lost my authenticator")
    page.at("A lost authenticator")
    page.sees("Any sign-in stops it")
    shown("some other words here")
    page.sees("This does not sign anyone in")
    shown(PASSPHRASE)
    page.at("Ask, and wait a day")
    page.click("Ask for a new authenticator")
    page.at("It is asked for")
    [(at,)] = rows(there, "SELECT factor_reset_at FROM accounts WHERE name = 'okafor'")
    assert at > time.time() + 86_000
    rows(there, "UPDATE accounts SET factor_reset_at = ? WHERE name = 'okafor'", int(time.time()) - 1)
    page.click("Back to the sign-in")
    page.click("I have lost my authenticator")
    shown(PASSPHRASE)
    page.at("Add the new authenticator")
    there.authenticator = Authenticator(page.text("[data-secret]"))
    page.fill("Code of your authenticator", there.code())
    page.click("Take the new authenticator")
    page.ask("wait", heading="Account")
    page.sees("There are none.")
    page.click("Sign out")
    page.ask("wait", heading="Sign in")
    there.sign_in(PASSPHRASE)
    page.ask("wait", heading="Account")


HOLD = """
window.held = [...document.querySelectorAll('main input')];
for (const one of window.held) one.value = 'typed';
window.held.length
"""


@pytest.mark.parametrize("view", ["Account", "Locked", "Sign in", "A new passphrase", "A lost authenticator"])
def test_04_what_was_typed_goes_with_the_view(there: Practice, view: str) -> None:
    page = there.browser
    ways = {
        "Account": ("Lock", "Locked"),
        "Locked": ("Sign out", "Sign in"),
        "Sign in": ("I have lost my passphrase", "A new passphrase"),
        "A new passphrase": ("Back", "Sign in"),
        "A lost authenticator": ("Back to the sign-in", "Sign in"),
    }
    if view == "A lost authenticator":
        page.click("I have lost my authenticator")
    page.ask("wait", heading=view)
    assert page.ask("evaluate", code=HOLD) >= 2
    button, after = ways[view]
    page.click(button)
    page.ask("wait", heading=after)
    assert page.ask("evaluate", code="[...new Set(window.held.map((one) => one.value))]") == [""]


def test_05_set_up_whose_answer_is_lost(there: Practice) -> None:
    """The account is there with its keys: said so, and it opens."""
    page = there.browser
    page.fresh()
    _, there.authenticator = set_up(there, "lee", PASSPHRASE)
    page.ask("cut", method="POST", path="/v1/set-up/finish", heard=False)
    page.click("Finish")
    page.sees("The server cannot be reached")
    assert rows(there, "SELECT state FROM accounts WHERE name = 'lee'") == [("invited",)]
    page.ask("cut", method="POST", path="/v1/set-up/finish", heard=True)
    page.click("Finish")
    page.sees("The server cannot be reached")
    page.click("Finish")
    page.sees("your account is ready")
    page.ask("errors")
    page.check()
    assert page.ask("evaluate", code=HOLD) == 1
    page.ask("evaluate", code="location.hash = 'x'")
    page.ask("wait", heading="Set up your account")
    assert page.ask("evaluate", code="window.held[0].value") == ""
    page.open(there.url)
    page.at("Locked")
    there.unlock(PASSPHRASE)
    page.at(START)
