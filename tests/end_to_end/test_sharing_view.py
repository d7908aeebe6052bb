"""Cover, and the rotation of keys, in a real Chromium: two clinicians and one device, one story in order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.clinic_rig import noticing, send
from tests.end_to_end.page_practice import Practice, opened
from tests.end_to_end.people import Person, set_up
from tests.end_to_end.product import PASSPHRASE
from voice.adapters.uplink import HttpUplink

pytestmark = pytest.mark.hard

LINE = "my brother was shouting about the kitchen window"
LATER = "it wanted everybody to stop"
UNDER_TWO = "sealed to the second key"
CLIENT = "Ana Oliveira"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with opened(tmp_path_factory.mktemp("sharing")) as made:
        yield made


@pytest.fixture(scope="module")
def lee(there: Practice) -> Person:
    """A colleague, who has told her fingerprint."""
    person = set_up(there, "lee", "Dr Lee", "cover")
    there.browser.click("Account", "link")
    there.browser.click("Colleagues and cover", "link")
    there.browser.at("Colleagues and cover")
    there.browser.sees("You are the only one of your practice who reads.")
    there.notes["lee"] = there.browser.text(".shown")
    return person


@pytest.fixture(scope="module")
def okafor(there: Practice, lee: Person) -> Person:
    """A clinician with a device, approved and named, and three records."""
    person = set_up(there, "okafor", "Dr Okafor")
    page, product = there.browser, there.product
    page.click("Clients and devices", "link")
    page.click("Make a pairing link")
    link = page.ask("value", selector="input[readonly]")
    product.run(product.device, "pair", "-", "--home", str(product.home), stdin=link)
    page.ask("reload")
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.sees("waiting for your approval")
    name = next(word for word in page.text(".card h2").split() if word != "Device")
    page.click(f"Approve: Device {name}")
    page.sees("is approved")
    page.unfold("Give it a client’s name")
    page.fill("Client’s name", CLIENT)
    page.click("Keep the name")
    page.sees("The name is kept")
    there.notes["device"] = name
    assert send(product.home, noticing(0, *LINE.split()), noticing(1), noticing(9, *LATER.split())) == 3
    return person


def test_01_the_fingerprint_is_compared_once(there: Practice, okafor: Person) -> None:
    page = there.browser
    page.click("Account", "link")
    page.sees("Your reading key, number 1, was made today.")
    page.click("Colleagues and cover", "link")
    page.at("Colleagues and cover")
    there.notes["okafor"] = page.text(".shown")
    page.unfold("Compare the fingerprint")
    page.fill("Their fingerprint", there.notes["okafor"])
    page.click("Confirm")
    page.sees("That is not the fingerprint of the key that the server shows for Dr Lee.")
    page.check()
    page.fill("Their fingerprint", there.notes["lee"].upper().replace(" ", "-"))
    page.click("Confirm")
    page.sees("Dr Lee is confirmed in this browser.")
    assert page.ask("evaluate", code="document.activeElement.textContent") == "Dr Lee"
    assert there.notes["lee"] in page.text(".card")
    page.ask("reload")
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.sees("none of your records")
    assert there.notes["lee"] in page.text(".card")


def test_02_what_will_be_read_is_said_and_shared_by_the_keyboard_alone(
    there: Practice, okafor: Person
) -> None:
    page = there.browser
    page.ask("evaluate", code="document.querySelector('h1').focus()")
    seen: list[str] = []

    def tab_to(wanted: str) -> None:
        """Forwards until the focus is on what is called so."""
        said = "document.activeElement.labels?.[0]?.textContent.trim() || document.activeElement.textContent"
        for _ in range(30):
            page.ask("press", key="Tab")
            seen.append(page.ask("evaluate", code=said).strip())
            if seen[-1] == wanted:
                return
        raise AssertionError(seen)

    tab_to("Let them read records of yours")
    page.ask("press", key="Enter")
    page.sees("Choose whose records first.")
    tab_to("All clients")
    tab_to(CLIENT)
    page.ask("press", key="Space")
    page.sees(f"Dr Lee will be able to read the records of {CLIENT} that are here now")
    page.sees("It lasts until you end it here.")
    page.check()
    page.fill("To this day", "2026-03-05")
    page.fill("From this day on", "2026-03-07")
    page.click("Let Dr Lee read them")
    page.sees("The first day is after the last one.")
    page.fill("From this day on", "2026-03-02")
    page.sees("from 2 March 2026 to 5 March 2026")
    page.ask("evaluate", code="[...document.querySelectorAll('input[type=date]')].at(-1).focus()")
    tab_to("Let Dr Lee read them")
    page.ask("press", key="Enter")
    page.sees("Dr Lee can read 2 records of these. New for them: 2.")
    page.sees(f"{CLIENT} is device {there.notes['device']}")
    page.sees("2 records of yours")
    page.check()
    # Again, and all of it: what was shared is left, and nothing is doubled.
    page.unfold("Let them read records of yours")
    page.click("All clients", "checkbox")
    page.sees("Dr Lee will be able to read the records of all your clients that are here now")
    page.click("Let Dr Lee read them")
    page.sees("Dr Lee can read 3 records of these. New for them: 1.")
    posted = [one for one in there.asked() if one["method"] == "POST" and one["url"].endswith("/v1/shares")]
    assert [len(json.loads(one["body"])["shares"]) for one in posted] == [2, 1]
    assert any(one["url"] == f"{there.url}/page/sharing_worker.js" for one in there.asked())
    # A newer key of hers was seen here once: nothing is shared to the one that the server shows.
    raised = "Object.keys(localStorage).filter((one) => one.startsWith('onebreath.colleague_epoch.'))"
    for epoch in ("5", "1"):
        page.ask("evaluate", code=f"{raised}.forEach((one) => localStorage.setItem(one, '{epoch}'))")
        okafor.goes_to("account", "Account")
        okafor.goes_to("colleagues", "Colleagues and cover")
        if epoch == "5":
            page.sees("The server shows reading key 1 of Dr Lee, and this browser has seen their key 5.")
            page.check()
    page.sees("Let them read records of yours")
    kept = page.ask("evaluate", code="JSON.stringify({ ...localStorage, ...sessionStorage })")
    assert "onebreath.confirmed." in kept
    assert not any(word in kept for word in (CLIENT, "brother", "Lee", "foreman"))


def test_03_the_colleague_reads_it_only_from_whom_she_compared(there: Practice, lee: Person) -> None:
    page = there.browser
    lee.comes()
    page.sees("Shared by Dr Okafor: 3. Not shown until you confirm their fingerprint.")
    assert LINE not in page.ask("content")
    lee.goes_to("colleagues", "Colleagues and cover")
    page.unfold("Compare the fingerprint")
    page.fill("Their fingerprint", there.notes["okafor"])
    page.click("Confirm")
    page.sees("Dr Okafor is confirmed in this browser.")
    page.click("Queue", "link")
    page.sees(LINE)
    page.sees("Opened: 0. Shared with you: 3.")
    page.at("Since the last session")
    assert page.text("section.client h2") == f"Device {there.notes['device']}, shared by Dr Okafor"
    shown = page.text("section.client")
    assert shown.count("shared by Dr Okafor") == 4
    assert "Discussed" not in shown
    assert "Page for the session" not in shown
    assert CLIENT not in page.ask("content")
    page.ask("evaluate", code="document.querySelector('article').focus()")
    page.ask("press", key="d")
    page.ask("waitText", text="Only whose record it is can mark it as discussed.")
    page.ask("media", width=320)
    assert page.ask("axe") == []
    page.ask("media")


def test_04_the_cover_ends(there: Practice, okafor: Person, lee: Person) -> None:
    page = there.browser
    okafor.comes()
    okafor.goes_to("colleagues", "Colleagues and cover")
    # This browser is another one: what was compared is compared again, and ending needs no comparison.
    page.sees("3 records of yours")
    assert "not compared yet" in page.text(".card")
    page.click("End the cover: Dr Lee")
    page.at("End the cover by Dr Lee?")
    page.click("No")
    # While one more is on its way: that one is taken back too.
    page.unfold("Compare the fingerprint")
    page.fill("Their fingerprint", there.notes["lee"])
    page.click("Confirm")
    page.sees("Dr Lee is confirmed in this browser.")
    assert send(there.product.home, noticing(2)) == 1
    page.unfold("Let them read records of yours")
    page.click("All clients", "checkbox")
    there.browser.hold("POST", "/v1/shares")
    page.click("Let Dr Lee read them")
    page.ask("evaluate", code="reached")
    page.click("End the cover: Dr Lee")
    page.click("End it")
    assert not [one for one in there.asked() if one["method"] == "DELETE"]
    page.ask("evaluate", code="release(0)")
    page.sees("Dr Lee can read no record of yours any more. Taken back: 4.")
    page.sees("none of your records")
    lee.comes()
    page.sees("No records yet.")
    assert LINE not in page.ask("content")


def test_05_a_new_reading_key(there: Practice, okafor: Person) -> None:
    page = there.browser
    okafor.comes()
    page.ask("another", url=there.url)
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.sees(LINE)
    page.ask("turn")
    page.click("Account", "link")
    page.click("Make a new one, or look at all of them", "link")
    page.at("Reading keys")
    page.fill("Passphrase", "not the passphrase at all")
    page.click("Make a new key")
    page.sees("That is not the passphrase of these keys.")
    page.fill("Passphrase", PASSPHRASE)
    page.click("Make a new key")
    page.sees("Key 2 is in use.")
    page.sees("Your reading key, number 2, was made today.")
    page.click("Show them")
    page.sees("kept, for older records")
    page.check()
    page.ask("turn")
    page.sees("Your keys changed in another tab.")
    assert LINE not in page.ask("content")
    there.unlock(PASSPHRASE)
    page.sees(LINE)
    page.ask("turn")
    # The device hears of it when it next calls; what is here stays readable, by the printed code too.
    product = there.product
    assert send(product.home, noticing(10, *"after the new key".split())) == 1
    page.ask("reload")
    page.ask("wait", heading="Locked")
    page.unfold("Use the recovery code instead")
    page.fill("Recovery code", okafor.code)
    page.click("Unlock with the code")
    page.click("Queue", "link")
    page.sees("after the new key")
    page.sees(LINE)


def test_06_destroying_the_old_one_names_what_is_lost(there: Practice, okafor: Person) -> None:
    page = there.browser
    okafor.goes_to("keys", "Reading keys")
    page.click("Show them")
    page.unfold("Destroy key 1")
    page.click("See what would be lost")
    page.sees("Nobody could ever open these again:")
    lost = page.text(".losses")
    assert f"{CLIENT}: " in lost
    assert "records that came" in lost
    # What it says of itself is not known here: lines may still be on it.
    assert f"Device {there.notes['device']} ({CLIENT}) last called on" in page.text(".still-waiting")
    assert "may be sealed to this key." in page.text(".still-waiting")
    page.check()
    page.fill("Type 1 to destroy key 1", "2")
    page.click("Destroy it for good")
    page.sees("Type 1, the number of the key that goes.")
    page.fill("Type 1 to destroy key 1", "1")
    page.click("Destroy it for good")
    page.sees("Key 1 is destroyed.")
    page.sees("destroyed on")
    page.check()
    page.click("Queue", "link")
    page.sees("sealed under a key that was destroyed on")
    page.ask("wait", heading=CLIENT)
    assert LINE not in page.ask("content")
    page.ask("reload")
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.sees("sealed under a key that was destroyed on")
    page.ask("wait", heading=CLIENT)
    with closing(sqlite3.connect(there.product.database)) as database:
        wrapped = database.execute(
            "SELECT epoch, wrapped IS NULL FROM reading_keys WHERE epoch > 0 AND clinician_id IN "
            "(SELECT clinician_id FROM accounts WHERE name = 'okafor') ORDER BY epoch"
        ).fetchall()
    assert wrapped == [(1, 1), (2, 0)]


def test_06_destroyed_while_one_goes_elsewhere_it_is_gone_from_every_tab(
    there: Practice, okafor: Person
) -> None:
    page = there.browser
    uplink = HttpUplink.of(there.product.home)
    uplink.device_state()
    uplink.close()
    assert send(there.product.home, noticing(11, *UNDER_TWO.split())) == 1
    okafor.goes_to("keys", "Reading keys")
    page.fill("Passphrase", PASSPHRASE)
    page.click("Make a new key")
    page.sees("Key 3 is in use.")
    page.ask("another", url=there.url)
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.sees(UNDER_TWO)
    page.ask("turn")
    page.click("Show them")
    page.unfold("Destroy key 2")
    page.click("See what would be lost")
    page.fill("Type 2 to destroy key 2", "2")
    there.browser.hold("DELETE", "/v1/keys/2")
    page.click("Destroy it for good")
    page.ask("evaluate", code="reached")
    page.click("Queue", "link")
    page.sees(UNDER_TWO)
    page.ask("evaluate", code="release(0)")
    page.ask("turn")
    page.sees("Your keys changed in another tab.")
    assert UNDER_TWO not in page.ask("content")
    page.ask("turn")
    page.click("Account", "link")
    page.ask("wait", heading="Account")
    page.click("Queue", "link")
    page.sees("6 records sealed under a key that was destroyed on")
    assert UNDER_TWO not in page.ask("content")


def test_07_an_older_key_than_was_seen_is_told(there: Practice, okafor: Person) -> None:
    raised = "Object.keys(localStorage).filter((one) => one.startsWith('onebreath.epoch.'))"
    there.browser.ask("evaluate", code=f"{raised}.forEach((one) => localStorage.setItem(one, '5'))")
    okafor.goes_to("keys", "Reading keys")
    there.browser.sees("This browser has seen your reading key 5, and the server shows 3.")
    there.browser.check()


def test_08_locking_one_tab_locks_all(there: Practice, okafor: Person) -> None:
    page = there.browser
    okafor.goes_to("queue", "Since the last session")
    page.ask("another", url=there.url)
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.ask("wait", heading="Since the last session")
    page.click("Lock")
    page.ask("wait", heading="Locked")
    page.ask("turn")
    page.at("Locked")
    page.sees("Locked in another tab.")
    assert CLIENT not in page.ask("content")
    there.unlock(PASSPHRASE)
    page.ask("wait", heading="Since the last session")
    page.click("Account", "link")
    page.click("Sign out")
    page.at("Sign in")
    page.ask("turn")
    page.at("Sign in")
    page.sees("You were signed out.")


def test_09_use_in_one_tab_keeps_the_others_and_idle_tabs_lock_together(
    there: Practice, okafor: Person
) -> None:
    page = there.browser
    okafor.comes()
    page.ask("clock")
    page.ask("reload")
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.ask("wait", heading="Since the last session")
    page.ask("another", url=there.url)
    page.ask("wait", heading="Locked")
    there.unlock(PASSPHRASE)
    page.ask("wait", heading="Since the last session")
    for _ in range(2):
        page.ask("forward", seconds=14 * 60)
        page.ask("press", key="Tab")
        page.ask("turn")
        page.ask("wait", heading="Since the last session")
        page.ask("turn")
    page.ask("wait", heading="Since the last session")
    page.ask("forward", seconds=16 * 60)
    for _ in range(2):
        page.ask("wait", heading="Locked")
        page.sees("Locked after 15 minutes without use")
        page.ask("turn")


def test_10_nothing_secret_ever_left(there: Practice) -> None:
    """Every request of the browser, its body too: to the server alone, without what it must not know."""
    asked = there.asked()
    assert len(asked) > 200
    assert {one["url"].startswith(there.url + "/") for one in asked} == {True}
    sent = json.dumps(asked)
    for secret in (PASSPHRASE, CLIENT, LINE, "foreman", "shouting"):
        assert secret not in sent
    assert any(one["method"] == "DELETE" and one["url"].endswith("/v1/keys/1") for one in asked)
