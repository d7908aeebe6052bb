"""What Lighthouse would look at, in the states that a person sees in the first hour.

No layout shift, no console message, nothing missing, nothing from elsewhere, targets of 24 px, a title, a
language; and what is agreed, scanned and saved in Clients and devices.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest

from tests.clinic_rig import noticing, send
from tests.end_to_end.browser import Authenticator
from tests.end_to_end.page_practice import Practice, opened
from tests.end_to_end.product import PASSPHRASE

pytestmark = pytest.mark.hard

LINE = "my brother was shouting about the kitchen window"
CLIENT = "Ana Oliveira"
POINT = "She may stop it whenever she likes."
MOST_SHIFT = 0.1
LEAST_TARGET_PX = 24

SHIFT = """new Promise((done) => {
  const from = globalThis.shiftsFrom ?? 0;
  let moved = 0;
  const observer = new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput && one.startTime >= from) moved += one.value;
  });
  observer.observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => {
    observer.disconnect();
    globalThis.shiftsFrom = performance.now();
    done(moved);
  }, 100));
})"""

SMALL = f"""[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=button]")]
  .filter((one) => one.checkVisibility({{ visibilityProperty: true }}))
  .filter((one) => !one.matches(".skip, p a, li a:not(nav a)"))
  .filter((one) => {{
    const whole = one.labels?.[0]?.contains(one) ? one.labels[0] : one;
    const {{ width, height }} = whole.getBoundingClientRect();
    return Math.min(width, height) < {LEAST_TARGET_PX} - 0.01;
  }})
  .map((one) => one.outerHTML.slice(0, 200))"""

HEAD = """({
  lang: document.documentElement.lang,
  title: document.title,
  viewport: document.querySelector("meta[name=viewport]")?.content,
  description: document.querySelector("meta[name=description]")?.content,
  headings: [...document.querySelectorAll("h1")].filter((one) => one.checkVisibility()).length,
  main: document.querySelectorAll("main").length,
})"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with opened(tmp_path_factory.mktemp("basics")) as made:
        yield made


def basics(there: Practice, heading: str) -> None:
    """Wait for the state, and hold it to all that holds for every one."""
    page = there.browser
    page.ask("wait", heading=heading)
    assert page.ask("evaluate", code=SHIFT) <= MOST_SHIFT, heading
    head = page.ask("evaluate", code=HEAD)
    assert head["lang"] == "en"
    assert re.search(r"\bOnebreath$", head["title"]), head["title"]
    assert head["viewport"] == "width=device-width, initial-scale=1"
    assert len(head["description"]) > 40
    assert (head["headings"], head["main"]) == (1, 1), heading
    page.check()
    for width in (1000, 360):
        page.ask("media", width=width)
        assert page.ask("evaluate", code=SMALL) == [], (heading, width)
        wide = page.ask("evaluate", code="document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, (heading, width)
    page.ask("media")
    page.ask("evaluate", code=SHIFT)
    # Of what the browser itself remarks, advice is left aside, and refused calls, which it counts as faults.
    messages = [one for one in page.ask("messages") if not re.search("^verbose: |status of 4", one)]
    assert messages == [], heading
    answers = page.ask("answers")
    assert {one["url"] for one in answers if one["status"] == 404} == set(), heading
    assert [one["url"] for one in answers if not one["url"].startswith((there.url + "/", "blob:"))] == []


def test_01_who_is_not_signed_in(there: Practice) -> None:
    page = there.browser
    page.fresh()
    page.open(there.url)
    basics(there, "Sign in")
    page.open(f"{there.url}/pair/AAAAAAAAAAAAAAAAAAAAAA")
    basics(there, "This link is for a device")


def test_02_setting_up(there: Practice) -> None:
    page = there.browser
    page.fresh()
    page.open(there.invite("okafor", "clinician"))
    basics(there, "Set up your account")
    page.click("Begin")
    basics(there, "Choose a passphrase")
    page.fill("What devices call you", "Dr Okafor")
    page.fill("New passphrase", PASSPHRASE)
    page.fill("The same again", PASSPHRASE)
    page.click("Continue")
    basics(there, "Print your recovery code")
    code = page.text("[data-recovery]")
    page.click("I have it on paper")
    basics(there, "Type the code once")
    page.fill("Recovery code, from the paper", code)
    page.click("Continue")
    basics(there, "Add your authenticator")
    there.authenticator = Authenticator(page.text("[data-secret]"))
    page.fill("Code of your authenticator", there.code())
    page.click("Finish")
    page.sees("No records yet")
    basics(there, "Since the last session")


def test_03_a_link_is_scanned_copied_or_saved(there: Practice) -> None:
    page, product = there.browser, there.product
    page.click("Clients and devices", "link")
    page.sees("No device is paired yet")
    basics(there, "Clients and devices")
    page.click("Make a pairing link")
    page.sees("It works once")
    link = page.ask("value", selector="input[readonly]")
    for how in ({}, {"dark": True}, {"width": 320}, {"print": True}):
        page.ask("media", **how)
        assert page.ask("qr", selector="svg.qr") == link, how
    page.ask("media")
    page.ask("evaluate", code=SHIFT)
    assert page.ask("evaluate", code="document.querySelector('svg.qr').getAttribute('role')") == "img"
    named = page.ask("evaluate", code="document.querySelector('svg.qr').outerHTML")
    assert link.partition("#")[2] not in named
    saved = page.ask("saved", name="Save as a small file")
    assert saved["name"] == "onebreath-pair.txt"
    assert base64.b64decode(saved["bytes"]).decode() == link + "\n"
    basics(there, "Clients and devices")
    product.run(product.device, "pair", "-", "--home", str(product.home), stdin=link)
    page.click("Account", "link")
    page.click("Clients and devices", "link")
    page.sees("waiting for your approval")
    assert page.ask("evaluate", code="document.querySelectorAll('svg.qr').length") == 0
    name = next(word for word in page.text(".card h2").split() if word != "Device")
    page.click(f"Approve: Device {name}")
    page.sees("is approved")
    page.unfold("Give it a client’s name")
    page.fill("Client’s name", CLIENT)
    page.click("Keep the name")
    page.sees("The name is kept")
    basics(there, "Clients and devices")


def test_04_what_was_agreed_is_written_down_kept_and_printed(there: Practice) -> None:
    page = there.browser
    page.click(f"What was agreed: {CLIENT}")
    page.sees("Nothing is written down yet")
    basics(there, "What was agreed")
    assert page.ask("focused") == "What was agreed"
    page.fill("What was agreed", "")
    page.click("Keep it")
    page.sees("Write at least one point")
    page.fill("What was agreed", "n" * 201)
    page.click("Keep it")
    page.sees("at most 200 characters")
    page.fill("Agreed on", "2026-03-02")
    page.fill("What was agreed", f"The device hears the name.\n\n  {POINT}  ")
    page.click("Keep it")
    page.ask("wait", heading="Agreed on 2 March 2026")
    page.fill("Agreed on", "2026-04-09")
    page.fill("What was agreed", "It ends today.")
    page.click("Keep it")
    page.ask("wait", heading="Agreed on 9 April 2026")
    titles = "[...document.querySelectorAll('.card h2')].map((one) => one.innerText)"
    listed = page.ask("evaluate", code=titles)
    assert [one for one in listed if "Agreed" in one] == ["Agreed on 9 April 2026", "Agreed on 2 March 2026"]
    basics(there, "What was agreed")
    page.ask("media", print=True)
    printed = page.ask("evaluate", code="document.body.innerText")
    assert all(one in printed for one in (CLIENT, POINT, "It ends today.", "Agreed on 2 March 2026"))
    assert "Keep it" not in printed
    assert "Back to the list" not in printed
    page.ask("media")
    page.click("Back to the list")
    page.ask("wait", heading="Clients and devices")
    assert page.ask("focused") == CLIENT
    page.click(f"What was agreed: {CLIENT}")
    page.sees(POINT)
    page.click("Lock")
    page.ask("wait", heading="Locked")
    for word in (POINT, CLIENT):
        assert word not in page.ask("content")
    basics(there, "Locked")
    there.unlock(PASSPHRASE)
    page.ask("wait", heading="Clients and devices")


def test_05_reading(there: Practice) -> None:
    page = there.browser
    said = [noticing(day, *(LINE.split() if day % 3 else ())) for day in range(20)]
    assert send(there.product.home, *said) == 20
    page.click("Queue", "link")
    page.sees(LINE)
    basics(there, "Since the last session")
    page.click("Week", "link")
    page.sees("by day and hour")
    basics(there, "The week of 167 hours")
    page.click("Account", "link")
    basics(there, "Account")


def test_06_a_first_load_needs_no_round_trip_for_a_module_that_another_names(there: Practice) -> None:
    page = there.browser
    page.open(there.url)
    page.ask("wait", heading="Locked")
    late = page.ask("evaluate", code=LATE)
    assert late == []
    basics(there, "Locked")


def test_07_nothing_secret_was_sent(there: Practice) -> None:
    sent = [f"{one['url']} {one['body']}" for one in there.asked()]
    assert len(sent) > 100
    for secret in (POINT, CLIENT, LINE, PASSPHRASE, "It ends today."):
        assert not [one for one in sent if secret in one]


LATE = """(() => {
  const links = new Set([...document.querySelectorAll("link[rel=modulepreload]")].map((one) => one.href));
  return performance.getEntriesByType("resource")
    .filter((one) => one.initiatorType === "script" || one.initiatorType === "other")
    .map((one) => one.name)
    .filter((one) => one.endsWith(".js") && !one.endsWith("/page/app.js") && !links.has(one));
})()"""
