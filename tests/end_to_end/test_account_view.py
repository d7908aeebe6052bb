"""Signing in and account care in a real Chromium, on a real server, with the browser's virtual authenticator.

One life, in order. `at` and `check` hold every state against axe, in light and dark, and against the console.
Time that must pass (ten minutes, a day) is taken out of the server's database, where it is kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.end_to_end.account_practice import opened, recovers, rows, set_up, signs_in, slots, unlocks
from tests.end_to_end.browser import Authenticator
from tests.end_to_end.page_practice import Practice
from tests.end_to_end.product import PASSPHRASE

pytestmark = pytest.mark.hard

NEW = "six plain copper lanterns by the weir"
NEWEST = "another seven quiet stones in the river"
LAPTOP = "office laptop"
KEY = "old <b>key</b>"
START = "Since the last session"
WATCH = """
(() => {
  window.prf = []; window.touches = 0; window.shown = [];
  for (const name of ["create", "get"]) {
    const real = navigator.credentials[name].bind(navigator.credentials);
    navigator.credentials[name] = async (how) => {
      window.touches += 1;
      const found = await real(how);
      const first = found.getClientExtensionResults().prf?.results?.first;
      if (first) window.prf.push(Array.from(new Uint8Array(first)));
      return found;
    };
  }
})()
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with opened(tmp_path_factory.mktemp("accounts")) as made:
        made.browser.fresh()
        yield made


def account(there: Practice) -> None:
    there.browser.click("Account", "link")
    there.browser.ask("wait", heading="Account")


def tab_to(there: Practice, text: str, most: int = 30) -> None:
    """By the keyboard alone."""
    for _ in range(most):
        there.browser.ask("press", key="Tab")
        if there.browser.ask("focused") == text:
            return
    pytest.fail(f"{text!r} is not reached by Tab")


def cut(there: Practice, method: str, path: str, button: str) -> None:
    """Press while the next such call does not reach the server, then while its answer is lost."""
    page = there.browser
    for heard in (False, True):
        page.ask("cut", method=method, path=path, heard=heard)
        page.click(button)
        page.sees("Nothing is lost. Press the button again to finish.")
        page.ask("errors")


def test_01_account_and_keys_come_in_one_call(there: Practice) -> None:
    page = there.browser
    there.notes["code"], there.authenticator = set_up(there, "okafor", PASSPHRASE)
    page.at("Add your authenticator")
    assert page.ask("evaluate", code="document.querySelectorAll('main svg.qr').length") == 1
    there.asked()
    page.click("Finish")
    page.at(START)
    calls = [(one["method"], one["url"].removeprefix(there.url)) for one in there.asked()]
    assert ("POST", "/v1/set-up/finish") in calls
    assert not [path for method, path in calls if method == "PUT" and "key" in path]
    assert unlocks(there, PASSPHRASE)
    assert recovers(there, "okafor", there.notes["code"]) == (True, True)


def test_02_a_passkey_is_added_by_the_keyboard_alone(there: Practice) -> None:
    page = there.browser
    page.ask("authenticator", prf=True)
    page.ask("evaluate", code=WATCH)
    account(there)
    page.sees("There are none.")
    page.at("Account")
    tab_to(there, "Add one")
    page.ask("press", key="Enter")
    page.check()
    page.ask("press", key="Tab")
    page.ask("press", key="Enter")
    page.sees("Give the passkey a name")
    page.ask("type", text=LAPTOP)
    page.ask("press", key="Enter")
    page.at("Let it unlock your records")
    assert page.ask("focused") == "Let it unlock your records"
    page.sees("Signs you in; does not unlock.")
    page.ask("press", key="Tab")
    page.ask("type", text="not the passphrase at all")
    page.ask("press", key="Enter")
    page.sees("That is not your current passphrase.")
    page.fill("Current passphrase", PASSPHRASE)
    page.ask("press", key="Enter")
    page.sees("The passkey signs you in and unlocks.")
    page.sees("Signs you in and unlocks.")
    assert page.ask("focused") == "Passkeys"
    page.check()
    [slot] = slots(there, "passkey")
    assert page.ask("evaluate", code="window.prf.length") >= 1
    assert slot["credential"] in json.dumps(there.asked())


def test_03_it_unlocks(there: Practice) -> None:
    page = there.browser
    page.click("Lock")
    page.at("Locked")
    tab_to(there, "Unlock with a passkey")
    page.ask("press", key="Enter")
    page.ask("wait", heading="Account")


def test_04_one_touch_signs_in_and_unlocks(there: Practice) -> None:
    page = there.browser
    page.click("Sign out")
    page.at("Sign in")
    page.ask("evaluate", code="window.touches = 0")
    page.click("Sign in with a passkey")
    page.ask("wait", heading="Account")
    assert page.ask("evaluate", code="window.touches") == 1
    page.click("Queue", "link")
    page.ask("wait", heading=START)


def test_05_what_unlocks_never_left_this_machine(there: Practice) -> None:
    outputs = [bytes(one) for one in there.browser.ask("evaluate", code="window.prf")]
    assert len(outputs) >= 3
    assert {len(one) for one in outputs} == {32}
    sent = json.dumps(there.asked())
    for one in outputs:
        for spelt in (base64.urlsafe_b64encode(one), base64.b64encode(one), one.hex().encode()):
            assert spelt.decode().rstrip("=") not in sent
        assert json.dumps(list(one)) not in sent
    assert "xtension" not in sent
    assert "authenticator_data" in sent


def test_06_a_device_without_prf_signs_in_and_the_passphrase_unlocks(there: Practice) -> None:
    page = there.browser
    page.ask("authenticator", prf=False)
    account(there)
    page.unfold("Add one")
    page.fill("Name of the passkey", KEY)
    page.click("Add a passkey")
    page.sees("This device gives no key for unlocking")
    page.check()
    page.click(f"Let it unlock: {KEY}")
    page.at("Let it unlock your records")
    page.fill("Current passphrase", PASSPHRASE)
    page.click("Let it unlock")
    page.sees("This device gives no key for unlocking")
    page.click("Not now")
    page.click("Sign out")
    page.at("Sign in")
    page.click("Sign in with a passkey")
    page.at("Locked")
    page.sees("This passkey does not unlock: your passphrase opens the records.")
    there.unlock(PASSPHRASE)
    page.ask("wait", heading="Account")


def test_07_a_closed_question_is_said_and_nothing_is_changed(there: Practice) -> None:
    page = there.browser
    page.click("Sign out")
    page.ask("wait", heading="Sign in")
    page.ask(
        "evaluate",
        code="navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError'))",
    )
    page.click("Sign in with a passkey")
    page.sees("No passkey was used")
    page.at("Sign in")
    page.ask("reload")
    page.at("Sign in")
    there.sign_in(PASSPHRASE)
    page.ask("wait", heading="Account")


def test_08_a_removed_passkey_takes_its_slot_along(there: Practice) -> None:
    page = there.browser
    assert len(slots(there, "passkey")) == 1
    page.click(f"Remove: {LAPTOP}")
    page.at(f"Remove the passkey {LAPTOP}?")
    page.click("No")
    assert len(slots(there, "passkey")) == 1
    page.click(f"Remove: {LAPTOP}")
    page.click("Remove")
    page.sees("The passkey is removed.")
    page.check()
    assert slots(there, "passkey") == []
    assert KEY in page.text("main")
    assert page.ask("evaluate", code="document.querySelectorAll('main b').length") == 0


def test_08_a_passkey_survives_every_cut(there: Practice) -> None:
    """Each time there is a way on, and in the end one passkey, with one slot."""
    page = there.browser
    page.ask("authenticator", prf=True)
    page.unfold("Add one")
    page.fill("Name of the passkey", "phone")
    page.ask("cut", method="POST", path="/v1/account/passkeys", heard=False)
    page.click("Add a passkey")
    page.sees("The server cannot be reached.")
    page.ask("cut", method="POST", path="/v1/account/passkeys", heard=True)
    page.click("Add a passkey")
    page.ask("wait", heading="Let it unlock your records")
    page.click("Not now")
    page.click("Let it unlock: phone")
    page.fill("Current passphrase", PASSPHRASE)
    for heard in (False, True):
        page.ask("cut", method="PUT", path="/v1/key-slots/*", heard=heard)
        page.click("Let it unlock")
        page.sees("The server cannot be reached.")
        page.ask("errors")
    page.click("Let it unlock")
    page.sees("The passkey signs you in and unlocks.")
    assert len(slots(there, "passkey")) == 1
    assert len(rows(there, "SELECT label FROM passkeys WHERE label = 'phone'")) == 1
    page.click("Lock")
    page.ask("wait", heading="Locked")
    page.click("Unlock with a passkey")
    page.ask("wait", heading="Account")


def test_09_a_passphrase_survives_every_cut(there: Practice) -> None:
    page = there.browser
    page.unfold("Change it")
    page.fill("Current passphrase", PASSPHRASE)
    page.fill("New passphrase", NEW)
    page.fill("The same again", NEW)
    for method, path in (
        ("PUT", "/v1/key-slots/*"),
        ("PUT", "/v1/account/passphrase"),
        ("DELETE", "/v1/key-slots/*"),
    ):
        cut(there, method, path, "Change the passphrase")
        both = [words for words in (PASSPHRASE, NEW) if signs_in(there, "okafor", words)]
        assert [unlocks(there, words) for words in both] == [True]
    page.check()
    page.click("Change the passphrase")
    page.sees("The passphrase is changed. Other sessions have ended.")
    assert (unlocks(there, PASSPHRASE), unlocks(there, NEW)) == (False, True)
    assert signs_in(there, "okafor", NEW)
    assert len(slots(there, "passphrase")) == 1


def test_10_a_passphrase_by_the_printed_code(there: Practice) -> None:
    page = there.browser
    page.unfold("I do not have it")
    page.check()
    page.fill("Recovery code", there.notes["code"][:-1] + "?")
    page.ask(
        "evaluate",
        code=f"""for (const one of document.querySelectorAll('details details input[type=password]'))
          one.value = {json.dumps(NEWEST)}""",
    )
    page.click("Take the new passphrase")
    page.sees("That is not the recovery code of these keys.")
    page.fill("Recovery code", there.notes["code"])
    page.click("Take the new passphrase")
    page.sees("The passphrase is changed.")
    assert (unlocks(there, NEW), unlocks(there, NEWEST)) == (False, True)
    assert signs_in(there, "okafor", NEWEST)


def test_11_a_new_recovery_code_survives_every_cut(there: Practice) -> None:
    page = there.browser
    old = there.notes["code"]
    page.click("Make a new one")
    page.at("A new recovery code")
    page.click("Cancel: the old code stays")
    page.ask("wait", heading="Account")
    page.click("Make a new one")
    page.fill("Current passphrase", NEWEST)
    page.click("Continue")
    page.at("Print your recovery code")
    new = page.text("[data-recovery]")
    page.ask("media", print=True)
    assert new in page.text("main")
    page.ask("media")
    page.click("I have it on paper")
    page.at("Type the code once")
    page.fill("Recovery code, from the paper", old)
    page.click("Continue")
    page.sees("That is not the code")
    page.fill("Recovery code, from the paper", new)
    assert recovers(there, "okafor", old) == (True, True)
    for method, path in (
        ("PUT", "/v1/key-slots/*"),
        ("PUT", "/v1/account/recovery"),
        ("DELETE", "/v1/key-slots/*"),
    ):
        cut(there, method, path, "Continue")
        assert (True, True) in [recovers(there, "okafor", code) for code in (old, new)]
    page.click("Continue")
    page.sees("The recovery code is replaced. Destroy the old paper.")
    page.check()
    assert recovers(there, "okafor", old) == (False, False)
    assert recovers(there, "okafor", new) == (True, True)
    there.notes["code"] = new
    page.click("Lock")
    page.ask("wait", heading="Locked")
    page.unfold("Use the recovery code instead")
    page.fill("Recovery code", new)
    page.click("Unlock with the code")
    page.ask("wait", heading="Account")


def test_12_another_authenticator_after_signing_in_again(there: Practice) -> None:
    page = there.browser
    rows(there, "UPDATE sessions SET created_at = created_at - 660")
    page.unfold("Replace it")
    page.click("Begin")
    page.at("Sign in again to go on")
    page.click("Cancel")
    page.sees("This needs a sign-in of the last ten minutes. Nothing was changed.")
    page.click("Begin")
    page.ask("wait", heading="Sign in again to go on")
    page.click("Use a passkey")
    page.at("The new authenticator")
    assert page.ask("focused") == "The new authenticator"
    app = Authenticator(page.text("[data-secret]"))
    page.fill("Current passphrase", NEWEST)
    page.fill("Code of your authenticator", "000000")
    page.click("Take the new authenticator")
    page.sees("not the authenticator")
    page.fill("Code of your authenticator", app.code())
    page.click("Take the new authenticator")
    page.sees("The authenticator is replaced.")
    there.authenticator = app
    page.check()
    rows(there, "UPDATE sessions SET created_at = created_at - 660")
    page.unfold("Replace it")
    page.click("Begin")
    page.ask("wait", heading="Sign in again to go on")
    page.fill("Passphrase", NEWEST)
    page.fill("Code of your authenticator", there.code())
    page.click("Sign in again")
    page.ask("wait", heading="The new authenticator")
