"""The administrator's view in a real Chromium, on a real server: people, policies, the log; and no record.

One story, in order. `at` and `check` hold each state against axe, in light and dark, and against the console.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.end_to_end.page_practice import Practice, opened
from tests.end_to_end.people import Person, set_up

pytestmark = pytest.mark.hard


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with opened(tmp_path_factory.mktemp("practice")) as made:
        yield made


@pytest.fixture(scope="module")
def head(there: Practice) -> Person:
    return set_up(there, "head", "", "administrator")


def row(there: Practice, name: str) -> str:
    """The words of somebody's row."""
    rows = there.browser.ask("evaluate", code="[...document.querySelectorAll('tr')].map((r) => r.innerText)")
    [found] = [one for one in rows if one.startswith(name)]
    return str(found)


def test_01_the_practice_is_first_and_nothing_of_clients_is_there(there: Practice, head: Person) -> None:
    page = there.browser
    page.at("Practice")
    assert page.text("nav").split() == ["Practice", "Account"]
    page.sees("You read none of them")
    assert "active" in row(there, "head")
    for view in ("queue", "week", "devices", "colleagues", "keys"):
        page.ask("evaluate", code=f"void (location.hash = {view!r})")
        page.ask("wait", heading="Practice")
    page.click("Account", "link")
    page.at("Account")
    assert "reading key" not in page.text("main").lower()
    page.click("Practice", "link")


def test_02_somebody_is_invited_by_the_keyboard_alone(there: Practice, head: Person) -> None:
    page = there.browser
    page.ask("wait", heading="Practice")
    said = "document.activeElement.labels?.[0]?.textContent.trim() || document.activeElement.textContent"

    def tab_to(wanted: str) -> None:
        passed: list[str] = []
        for _ in range(20):
            page.ask("press", key="Tab")
            passed.append(page.ask("evaluate", code=said).strip())
            if passed[-1] == wanted:
                return
        raise AssertionError(passed)

    page.sees("Open accounts first")
    page.ask("evaluate", code="document.querySelector('h1').focus()")
    tab_to("Invite somebody")
    page.ask("press", key="Enter")
    tab_to("Name to sign in with")
    page.ask("type", text="lee of north")
    tab_to("Role")
    page.ask("press", key="ArrowDown")
    tab_to("E-mail address")
    tab_to("Invite")
    page.ask("press", key="Enter")
    page.sees("A name to sign in with has letters, digits")
    page.fill("Name to sign in with", "lee")
    page.ask("evaluate", code="document.activeElement.closest('form').querySelector('button').focus()")
    page.ask("press", key="Enter")
    page.sees("lee is invited. The link is below.")
    link = page.ask("value", selector="input[readonly]")
    assert link.startswith(f"{there.url}/set-up#")
    assert page.ask("evaluate", code="document.activeElement.readOnly")
    there.notes["link"] = link
    assert "cover" in row(there, "lee")
    assert "invited, until" in row(there, "lee")
    page.check()
    page.click("Copy")
    page.sees("Copied.")
    assert page.ask("evaluate", code="navigator.clipboard.readText()") == link
    page.click("Hide it")
    assert link not in page.ask("content")


def test_03_a_role_and_a_link_are_changed(there: Practice, head: Person) -> None:
    page = there.browser
    page.click("New link: lee")
    page.sees("lee has a new link. The old one is void.")
    there.notes["newer"] = page.ask("value", selector="input[readonly]")
    assert there.notes["newer"] != there.notes["link"]
    page.click("Make clinician: lee")
    page.sees("lee is clinician now.")
    page.click("Practice", "link")
    page.click("Account", "link")
    page.ask("wait", heading="Account")
    page.click("Practice", "link")
    page.sees("Open accounts first")
    assert there.notes["newer"] not in page.ask("content"), "shown once"
    assert "clinician" in row(there, "lee")
    page.ask("media", width=320)
    assert page.ask("axe") == []
    wide = page.ask("evaluate", code="document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    page.ask("media")


def test_04_policies_are_kept_and_a_shorter_time_is_asked_after(there: Practice, head: Person) -> None:
    page = there.browser
    page.fill("Days that a reading key serves", "0")
    page.click("Save")
    page.sees("Days are a whole number from 1 to 366.")
    page.fill("Days that a reading key serves", "14")
    page.fill("Days that records are kept", "400")
    page.click("Save")
    page.at("Keep records for a shorter time?")
    page.click("No")
    page.click("Save")
    page.click("Keep them shorter")
    page.sees("Saved.")
    page.fill("Name of the practice", "South Street")
    page.fill("Days that records are kept", "")
    page.click("Save")
    page.sees("South Street")
    with closing(sqlite3.connect(there.product.database)) as database:
        kept = database.execute("SELECT name, retention_days, rotation_days FROM practices").fetchall()
    assert kept == [("South Street", None, 14)]


def test_05_the_log_and_whether_it_is_whole(there: Practice, head: Person) -> None:
    page = there.browser
    page.click("Show the newest")
    page.sees("changed the practice’s policies")
    assert "head" in page.text("section:last-of-type tbody"), "people are called by their names"
    page.click("Check the whole log")
    page.sees("The log is whole:")
    page.sees("This browser has noted its newest link")
    page.check()
    page.click("Check the whole log")
    page.sees("The link that this browser noted before is still in it.")
    page.ask("media", width=320)
    assert page.ask("evaluate", code="document.documentElement.scrollWidth - innerWidth") <= 0
    page.ask("media")
    with closing(sqlite3.connect(there.product.database)) as database, database:
        database.execute("UPDATE audit SET subject = 'nothing' WHERE sequence = 3")
    page.click("Check the whole log")
    page.sees("Entry 3 does not follow the one before it")
    page.check()
    page.ask("evaluate", code="Object.keys(localStorage).forEach((k) => localStorage[k] = '1'.repeat(64))")
    page.click("Check the whole log")
    page.sees("The link that this browser noted is no longer in the log")


def test_06_closing_names_what_it_means_and_acts_at_once(there: Practice, head: Person) -> None:
    page = there.browser
    lee = set_up(there, "lee", "Dr Lee", link=there.notes["newer"])
    head.comes()
    page.sees("active")
    page.click("Close: lee")
    page.at("Close the account of lee?")
    page.sees("Let them share with a colleague first")
    page.click("Close it")
    page.sees("The account of lee is closed.")
    assert "closed" in row(there, "lee")
    page.click("Close: head")
    page.click("Close it")
    page.sees("This is the practice's only administrator.")
    page.fresh()
    page.open(there.url)
    page.fill("Name", "lee")
    page.fill("Passphrase", "four unrelated kettle words")
    page.fill("Code of your authenticator", lee.app.code())
    page.click("Sign in")
    page.sees("This does not sign anyone in")


def test_07_no_call_that_reads_was_ever_made(there: Practice, head: Person) -> None:
    asked = json.dumps([one["url"] for one in there.asked() if "/v1/" in one["url"]])
    for call in ("/v1/records", "/v1/marks", "/v1/tombstones"):
        # Lee's own first look at an empty queue is the only one.
        assert asked.count(call) <= 2, call
