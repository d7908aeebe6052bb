"""The clinician's page in a real Chromium, on a real server, with a real device process.

One life, in order: set up, pair, read, lock, unlock, change the passphrase, lose it. `at` holds every state
that it waits for against axe, in light and dark, and against the console. The clock is real, as codes are.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from tests.clinic_rig import noticing, send
from tests.end_to_end.browser import Authenticator
from tests.end_to_end.page_practice import Practice, opened
from tests.end_to_end.product import PASSPHRASE

pytestmark = pytest.mark.hard

NEW = "six plain copper lanterns by the weir"
NEWEST = "another seven quiet stones in the river"
LINE = "my brother was shouting about the kitchen window"
CLIENT = "Ana Oliveira"
HOSTILE = "<img src=x onerror=alert(1)> \u202ekcab"
DEFAULT_IDLE_S = 15 * 60


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with opened(tmp_path_factory.mktemp("page")) as made:
        yield made


def test_01_nobody_is_signed_in(there: Practice) -> None:
    page = there.browser
    page.fresh()
    page.open(there.url)
    page.at("Sign in")
    page.fill("Name", "okafor")
    page.fill("Passphrase", "anything at all")
    page.fill("Code of your authenticator", "123456")
    page.click("Sign in")
    page.sees("Working on your passphrase")
    page.sees("This does not sign anyone in")
    page.at("Sign in")
    page.open(f"{there.url}/pair/AAAAAAAAAAAAAAAAAAAAAA")
    page.at("This link is for a device")
    page.open(f"{there.url}/set-up#{secrets.token_urlsafe(32)}")
    page.at("Set up your account")
    page.click("Begin")
    page.sees("This link was used, has expired, or never was")


def test_02_set_up_from_the_invitation(there: Practice) -> None:
    page = there.browser
    page.fresh()
    page.open(there.invite("okafor", "clinician"))
    page.at("Set up your account")
    assert page.ask("evaluate", code="location.href") == f"{there.url}/set-up"
    page.click("Begin")
    page.at("Choose a passphrase")
    page.fill("What devices call you", "Dr Okafor")
    page.fill("New passphrase", "short")
    page.fill("The same again", "short")
    page.click("Continue")
    page.sees("at least 12 characters")
    page.fill("New passphrase", PASSPHRASE)
    page.fill("The same again", PASSPHRASE + " ")
    page.click("Continue")
    page.sees("The two are not the same")
    page.fill("The same again", PASSPHRASE)
    page.click("Continue")
    page.at("Print your recovery code")
    there.notes["code"] = page.text("[data-recovery]")
    page.click("I have it on paper")
    page.at("Type the code once")
    page.fill("Recovery code, from the paper", "0" * 26)
    page.click("Continue")
    page.sees("That is not the code")
    page.fill("Recovery code, from the paper", there.notes["code"].lower().replace("-", " "))
    page.click("Continue")
    page.at("Add your authenticator")
    there.authenticator = Authenticator(page.text("[data-secret]"))
    page.fill("Code of your authenticator", "000000")
    page.click("Finish")
    page.sees("not the authenticator")
    page.fill("Code of your authenticator", there.code())
    page.click("Finish")
    page.at("Since the last session")
    assert page.text(".practice") == "North Street"
    [cookie] = page.ask("cookies")
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("__Host-onebreath", True, "Strict")


def test_03_a_real_device_is_paired_and_approved(there: Practice) -> None:
    page, product = there.browser, there.product
    page.click("Clients and devices", "link")
    page.at("Clients and devices")
    page.sees("No device is paired yet")
    page.click("Make a pairing link")
    page.sees("It works once")
    page.check()
    link = page.ask("value", selector="input[readonly]")
    page.click("Copy")
    page.sees("Copied.")
    assert page.ask("evaluate", code="navigator.clipboard.readText()") == link
    said = product.run(product.device, "pair", "-", "--home", str(product.home), stdin=link).stdout
    assert "Dr Okafor" in said
    page.ask("reload")
    page.at("Locked")
    there.unlock(PASSPHRASE)
    page.at("Clients and devices")
    page.sees("waiting for your approval")
    name = next(word for word in page.text(".card h2").split() if word != "Device")
    page.click(f"Approve: Device {name}")
    page.sees("is approved")
    page.unfold("Give it a client’s name")
    page.fill("Client’s name", CLIENT)
    page.click("Keep the name")
    page.sees("The name is kept")
    assert page.text(".card h2") == CLIENT
    page.check()
    for done, heading in (("Pause", "paused: it rests"), ("Resume", "in use")):
        page.click(f"{done}: {CLIENT}")
        page.sees(heading)
    page.click(f"Revoke: {CLIENT}")
    page.at("Revoke this device?")
    page.click("No")
    assert "in use" in page.text(".card")


def test_04_what_the_device_sends_is_read(there: Practice) -> None:
    page = there.browser
    assert send(there.product.home, noticing(0, *LINE.split()), noticing(1, part=HOSTILE)) == 2
    page.click("Queue", "link")
    page.sees(LINE)
    page.ask("wait", heading=CLIENT)
    page.at("Since the last session")
    assert "<img src=x onerror=alert(1)>" in page.text("main")
    assert page.ask("evaluate", code="document.querySelectorAll('main img').length") == 0
    page.click("Week", "link")
    page.at("The week of 167 hours")
    page.click("Account", "link")
    page.at("Account")
    page.click("Show the newest")
    page.sees("Newest first")
    assert "record" in page.text("tbody")
    page.check()


def test_05_a_narrow_screen_and_print(there: Practice) -> None:
    page = there.browser
    for view, heading in (
        ("Queue", "Since the last session"),
        ("Clients and devices", "Clients and devices"),
        ("Account", "Account"),
    ):
        page.ask("media", width=1000)
        page.click(view, "link")
        page.at(heading)
        page.ask("media", width=320)
        assert page.ask("axe") == []
        wide = page.ask("evaluate", code="document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, view
    page.ask("media", print=True)
    assert page.ask("evaluate", code="getComputedStyle(document.querySelector('#head')).display") == "none"
    page.ask("media")


def test_06_the_keyboard_is_enough(there: Practice) -> None:
    page = there.browser
    page.click("Queue", "link")
    page.ask("wait", heading="Since the last session")
    page.click("Account", "link")
    page.ask("wait", heading="Account")
    assert page.ask("evaluate", code="document.activeElement.textContent") == "Account"
    passed: list[str] = []
    while "Skip to the content" not in passed:
        assert len(passed) < 10
        page.ask("press", key="Shift+Tab")
        passed.append(page.ask("evaluate", code="document.activeElement.textContent"))
    assert passed[:-1] == ["Lock", "Account", "Clients and devices", "Parts", "Week", "Queue"]
    page.ask("press", key="Enter")
    assert page.ask("evaluate", code="document.activeElement.id") == "main"
    assert page.text("h1") == "Account"


def test_07_locking_leaves_nothing(there: Practice) -> None:
    page = there.browser
    page.click("Queue", "link")
    page.sees(LINE)
    page.click("Lock")
    page.at("Locked")
    content = page.ask("content")
    for word in (LINE, CLIENT, "foreman", "onerror"):
        assert word not in content
    kept = page.ask(
        "evaluate",
        code="""(async () => JSON.stringify([
          { ...localStorage }, { ...sessionStorage }, document.title, location.href, document.cookie,
          await caches.keys(), await indexedDB.databases(),
        ]))()""",
    )
    for word in (LINE, CLIENT, "foreman", PASSPHRASE, there.notes["code"]):
        assert word not in kept
    there.unlock("not the passphrase at all")
    page.sees("That is not the passphrase of these keys")
    there.unlock(PASSPHRASE)
    page.sees(LINE)


def test_08_fifteen_idle_minutes_lock(there: Practice) -> None:
    page = there.browser
    page.ask("clock")
    page.ask("reload")
    page.at("Locked")
    there.unlock(PASSPHRASE)
    page.sees(LINE)
    page.ask("forward", seconds=DEFAULT_IDLE_S - 60)
    page.ask("wait", heading="Since the last session")
    page.ask("forward", seconds=70)
    page.at("Locked")
    page.sees("Locked after 15 minutes without use")
    assert LINE not in page.ask("content")


def test_09_the_recovery_code_unlocks(there: Practice) -> None:
    page = there.browser
    page.unfold("Use the recovery code instead")
    page.fill("Recovery code", there.notes["code"])
    page.click("Unlock with the code")
    page.sees(LINE)


def test_10_offline_is_said_and_ends(there: Practice) -> None:
    page = there.browser
    page.click("Account", "link")
    page.at("Account")
    page.ask("offline", offline=True)
    page.click("Show the newest")
    page.sees("The server cannot be reached. What you see may not be the newest.")
    # The browser itself remarks on each call that fails, whenever that is.
    assert page.ask("axe") == []
    page.ask("offline", offline=False)
    page.click("Show the newest")
    page.sees("Newest first")
    assert page.ask("evaluate", code="document.querySelector('#notice').textContent") == ""
    page.ask("errors")


def test_11_a_new_passphrase_takes_the_old_one_s_place(there: Practice) -> None:
    page = there.browser
    page.unfold("Change it")
    page.fill("Current passphrase", "a wrong one altogether")
    page.fill("New passphrase", NEW)
    page.fill("The same again", NEW)
    page.click("Change the passphrase")
    page.sees("That is not your current passphrase")
    page.fill("Current passphrase", PASSPHRASE)
    page.click("Change the passphrase")
    page.sees("The passphrase is changed")
    page.check()
    page.click("Sign out")
    page.at("Sign in")
    there.sign_in(NEW)
    page.ask("wait", heading="Account")


def test_12_a_lost_passphrase(there: Practice) -> None:
    page = there.browser
    page.fresh()
    page.open(there.url)
    page.click("I have lost my passphrase")
    page.at("A new passphrase")
    page.fill("Name", "okafor")
    page.fill("Recovery code", there.notes["code"])
    page.fill("Code of your authenticator", there.code())
    page.fill("New passphrase", NEWEST)
    page.fill("The same again", NEWEST)
    page.click("Take the new passphrase")
    page.sees(LINE)
    page.click("Lock")
    page.at("Locked")
    there.unlock(NEW)
    page.sees("That is not the passphrase of these keys")
    there.unlock(NEWEST)
    page.sees(LINE)


def test_13_the_end_of_the_session_ends_everything(there: Practice) -> None:
    page = there.browser
    page.ask(
        "evaluate",
        code="""fetch("/v1/sign-out",
        {method: "POST", body: "{}", headers: {"Onebreath-Request": "1"}}).then(() => 1)""",
    )
    page.click("Clients and devices", "link")
    page.at("Sign in")
    page.sees("You were signed out")
    assert CLIENT not in page.ask("content")


def test_14_nothing_secret_ever_left(there: Practice) -> None:
    """Every request of the browser, its body too: to the server alone, without what it must not know."""
    asked = there.asked()
    assert len(asked) > 200
    assert {one["url"].startswith(there.url + "/") for one in asked} == {True}
    sent = json.dumps(asked)
    for secret in (PASSPHRASE, NEW, NEWEST, CLIENT, LINE, there.notes["code"], "foreman"):
        assert secret not in sent
        assert secret not in " ".join(one["url"] for one in asked)
    assert any(one["method"] == "PUT" and "/v1/key-slots/" in one["url"] for one in asked)
    for worker in ("/page/unlock_worker.js", "/page/views/queue_worker.js"):
        assert any(one["url"] == there.url + worker for one in asked)


def test_15_an_administrator_reads_nothing(there: Practice) -> None:
    page = there.browser
    page.fresh()
    page.open(there.invite("head", "administrator"))
    page.click("Begin")
    page.at("Choose a passphrase")
    page.fill("New passphrase", PASSPHRASE)
    page.fill("The same again", PASSPHRASE)
    page.click("Continue")
    page.ask("wait", heading="Print your recovery code")
    code = page.text("[data-recovery]")
    page.click("I have it on paper")
    page.fill("Recovery code, from the paper", code)
    page.click("Continue")
    page.ask("wait", heading="Add your authenticator")
    page.fill("Code of your authenticator", Authenticator(page.text("[data-secret]")).code())
    page.click("Finish")
    page.at("Practice")
    assert page.text("nav").split() == ["Practice", "Account"]


def test_16_the_policy_holds_and_these_tests_would_see(there: Practice) -> None:
    page = there.browser
    page.open(there.url)
    page.at("Practice")
    attempts = {
        "document.body.innerHTML = '<b>x</b>'": "TypeError",
        "new Worker('/page/unlock_worker.js')": "TypeError",
        "trustedTypes.createPolicy('another', {})": "TypeError",
        "await fetch('http://127.0.0.1:9/')": "TypeError",
        "import('data:text/javascript,0')": "TypeError",
    }
    for attempt, refused in attempts.items():
        said = page.ask(
            "evaluate",
            code=f"(async () => {{ try {{ await ({attempt}) }} catch (e) {{ return e.name }} }})()",
        )
        assert said == refused, attempt
    page.ask("evaluate", code="document.body.append(document.createElement('img'))")
    assert any(found.startswith("image-alt") for found in page.ask("axe"))
    assert any("Content Security Policy" in one for one in page.ask("errors"))


def test_17_a_browser_that_cannot_is_told_which_can(there: Practice) -> None:
    page = there.browser
    page.fresh(without="X25519")
    page.open(there.url)
    page.at("This browser cannot be used")
    page.sees("lacks X25519")
    page.sees("Firefox 130")
