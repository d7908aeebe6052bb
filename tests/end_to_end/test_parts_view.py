"""Setting up a part together, in Chromium: a real server, a signed-in clinician, and a real device.

The device's commands run as processes; the stages in between, for which a client would have to speak, are
told by the device's own reporter (sealed, signed, sent) in their order.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.browser import Authenticator
from tests.end_to_end.page_practice import Practice, opened
from tests.end_to_end.product import CLIENT, PASSPHRASE, PHRASE, TEACHERS, write
from voice.adapters.card_reports import CardReports, of_enrolled
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.uplink import HttpUplink
from voice.adapters.voices import speak
from voice.mailbox import at_rest, told_of
from voice.wire.card_report_content import Report

pytestmark = pytest.mark.hard

NAME = "captain marigold"
ALIAS = "captain mary gold"
CLIENT_NAME = "Ana Oliveira"
TOLD = {
    "Age, as the client tells it": "about nine",
    "Role, as the client tells it": "keeps everybody marching",
    "Image, as the client tells it": "a brass button as big as a plate",
    "Who it is for": "the little one by the window",
}
HOSTILE = "<img src=x onerror=alert(1)> \u2067kcab"
HOSTILE_NAME = "<b>x</b><script>alert(1)</script>"
SHOWN_HOSTILE = "<img src=x onerror=alert(1)> \ufffdkcab"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    with opened(tmp_path_factory.mktemp("parts")) as made:
        set_up(made)
        yield made


def set_up(there: Practice) -> None:
    """A clinician at the page, signed in; no device yet."""
    page = there.browser
    page.fresh()
    page.open(there.invite("okafor", "clinician"))
    page.click("Begin")
    page.fill("What devices call you", "Dr Okafor")
    page.fill("New passphrase", PASSPHRASE)
    page.fill("The same again", PASSPHRASE)
    page.click("Continue")
    page.ask("wait", heading="Print your recovery code")
    code = page.text("[data-recovery]")
    page.click("I have it on paper")
    page.fill("Recovery code, from the paper", code)
    page.click("Continue")
    page.ask("wait", heading="Add your authenticator")
    there.authenticator = Authenticator(page.text("[data-secret]"))
    page.fill("Code of your authenticator", there.code())
    page.click("Finish")
    page.ask("wait", heading="Since the last session")


def collect(there: Practice) -> DeviceMailbox:
    """The device fetches its cards, as its courier does."""
    mailbox = DeviceMailbox(there.product.home, of_enrolled(there.product.home))
    link = HttpUplink.of(there.product.home)
    mailbox.collect(link)
    link.close()
    return mailbox


def evaluate(there: Practice, code: str) -> Any:
    return there.browser.ask("evaluate", code=code)


def focused(there: Practice) -> str:
    return str(evaluate(there, "document.activeElement.textContent"))


def test_01_without_a_device_the_page_says_what_is_needed(there: Practice) -> None:
    page = there.browser
    page.click("Parts", "link")
    page.at("Parts")
    page.sees("No client’s device is ready for a part")
    page.check()
    page.click("Go to Clients and devices")
    page.at("Clients and devices")
    page.click("Make a pairing link")
    page.sees("It works once")
    link = page.ask("value", selector="input[readonly]")
    there.product.run(there.product.device, "pair", "-", "--home", str(there.product.home), stdin=link)
    page.click("Parts", "link")
    page.sees("No client’s device is ready for a part")
    page.click("Go to Clients and devices")
    page.sees("waiting for your approval")
    name = next(word for word in page.text(".card h2").split() if word != "Device")
    page.click(f"Approve: Device {name}")
    page.sees("is approved")
    page.unfold("Give it a client’s name")
    page.fill("Client’s name", CLIENT_NAME)
    page.click("Keep the name")
    page.sees("The name is kept")


def test_02_a_part_is_set_up_by_keyboard_alone(there: Practice) -> None:
    page = there.browser
    page.click("Parts", "link")
    page.at("Parts")
    page.sees("No part yet")
    page.check()
    assert focused(there) == "Parts"
    page.ask("press", key="Tab")
    assert focused(there) == "Set up a part"
    page.ask("press", key="Enter")
    page.at("Set up a part")
    label = "document.querySelector(`label[for=${document.activeElement.id}]`).textContent"
    assert evaluate(there, label) == "The client’s own name for the part"
    page.sees("run “onebreath enrol” there")
    page.ask("press", key="Enter")
    page.sees("Type the client’s name for the part.")
    page.check()
    for text in (f"  {NAME.replace(' ', '  ')} ", ALIAS, "jaw set, shoulders up"):
        page.ask("type", text=text)
        page.ask("press", key="Tab")
    assert evaluate(there, label) == "How the device answers this name"
    for label_, text in TOLD.items():
        page.ask("press", key="Tab")
        assert evaluate(there, label) == label_
        page.ask("type", text=text)
    page.ask("press", key="Tab")
    assert focused(there) == "Settings of the device"
    page.ask("press", key="Enter")
    page.check()
    for _ in range(40):
        if focused(there) == "Send the part to the device":
            break
        page.ask("press", key="Tab")
    page.ask("press", key="Enter")
    page.sees("The card waits for the device")
    assert focused(there) == NAME
    assert evaluate(there, "document.querySelector('#announcer').textContent") == f"{NAME} is sent."
    shown = page.text(".card")
    for text in (ALIAS, "jaw set, shoulders up", *TOLD.values()):
        assert text in shown
    page.check()


def test_03_the_device_got_what_it_needs_and_nothing_else(there: Practice) -> None:
    page = there.browser
    mailbox = collect(there)
    told = told_of(mailbox.state, NAME)
    assert told is not None
    assert (told.part.name, told.part.alias, told.part.tell) == (NAME, ALIAS, "jaw set, shoulders up")
    assert told.part.settings == {}
    on_device = b"".join(path.read_bytes() for path in there.product.home.rglob("*") if path.is_file())
    for text in TOLD.values():
        assert text.encode() not in on_device
    page.sees("The device has it.")
    page.check()


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        (Report("waiting"), "The device has begun to speak."),
        (Report("recording", takes=2, of=3), "Recording the name: 2 of 3"),
        (Report("phrase", takes=3, of=3), "Now the client says the phrase"),
        (Report("trying", takes=3, of=3, tries=2, tries_of=5), "Trying the name: 2 of 5"),
        (Report("talking", takes=3, of=3, tries=5, tries_of=5), "talks about the day for a minute"),
    ],
    ids=lambda one: getattr(one, "stage", ""),
)
def test_04_the_stages_are_shown_as_they_come(there: Practice, report: Report, shown: str) -> None:
    page = there.browser
    told = told_of(DeviceMailbox(there.product.home).state, NAME)
    assert told is not None
    reports = CardReports(there.product.home, told)
    reports.tell(report)
    reports.close(30)
    page.sees(shown)
    page.check()


def test_05_a_real_enrolment_ends_with_its_forecast(there: Practice) -> None:
    page, product = there.browser, there.product
    takes: list[str] = []
    for number, person in enumerate(TEACHERS, 1):
        takes += ["--take", str(write(product.said / f"take-{number}.wav", speak(NAME, person)))]
    phrase = write(product.said / "phrase.wav", speak(PHRASE, CLIENT))
    product.run(
        product.device, "enrol", "--name", NAME, *takes, "--phrase", str(phrase), "--home", str(product.home)
    )
    page.sees("The device knows the name now.")
    assert "of 10 tries" in page.text(".forecast")
    assert "False tones:" in page.text(".forecast")
    page.check()


def test_06_settings_go_with_the_card_of_a_part_that_is_there(there: Practice) -> None:
    page = there.browser
    shown = page.text("main")
    assert shown.count("as the device does by itself") == 8
    page.click("Change the settings")
    page.at("Settings of the device")
    page.fill("From", "22:30")
    page.click("Send the settings")
    page.sees("Quiet hours need both a beginning and an end.")
    page.check()
    page.fill("Until", "07:00")
    evaluate(there, "[...document.querySelectorAll('select')].find((one) => one.value === '').focus()")
    page.ask("type", text="Slow:")
    page.fill("Number to call in danger", "112")
    page.click("Monday", "checkbox")
    page.click("Thursday", "checkbox")
    page.click("Send the settings")
    page.sees("from 22:30 until 07:00")
    assert focused(there) == "Settings of the device"
    page.check()
    mailbox = collect(there)
    assert mailbox.state.settings == {
        "danger_number": "112",
        "pace": "slow",
        "quiet_from": "22:30",
        "quiet_until": "07:00",
        "reads_on": "monday,thursday",
    }
    page.sees("The device knows the name now.")
    page.click("Change the settings")
    page.fill("Number to call in danger", "")
    page.click("Send the settings")
    page.sees("as the device does by itself (911)")
    assert "danger_number" not in collect(there).state.settings


def test_07_a_newer_version_changes_what_was_told(there: Practice) -> None:
    page = there.browser
    page.click(f"Change: {NAME}")
    page.at("Change the part")
    assert page.ask("value", selector="input[readonly]") == NAME
    page.fill("What happens just before", "")
    page.fill("Who it is for", HOSTILE)
    page.check()
    page.click("Back without sending")
    page.ask("wait", heading=NAME)
    page.click(f"Change: {NAME}")
    page.fill("What happens just before", "")
    page.fill("Who it is for", HOSTILE)
    page.click("Send the newer version")
    page.sees(SHOWN_HOSTILE.split(" ")[0])
    assert "jaw set" not in page.text("main")
    told = told_of(collect(there).state, NAME)
    assert told is not None
    assert told.part.tell == ""


def test_08_hostile_names_are_words_and_a_name_is_there_once(there: Practice) -> None:
    page = there.browser
    page.click("Set up a part")
    page.fill("The client’s own name for the part", NAME)
    page.click("Send the part to the device")
    page.sees("There is a part of this name already. Change that one instead.")
    page.fill("The client’s own name for the part", HOSTILE_NAME)
    page.click("Send the part to the device")
    page.ask("wait", heading=HOSTILE_NAME)
    assert evaluate(there, "document.querySelectorAll('main img, main b, main script').length") == 0
    page.check()
    collect(there)


def test_08_a_name_that_the_device_refused_can_be_another(there: Practice) -> None:
    page = there.browser
    told = told_of(DeviceMailbox(there.product.home).state, HOSTILE_NAME)
    assert told is not None
    reports = CardReports(there.product.home, told)
    reports.tell(Report("refused", takes=3, of=3, reason="too_common"))
    reports.close(30)
    page.sees("The name comes up in everyday talk. Add one more word.")
    page.check()
    page.click(f"Change: {HOSTILE_NAME}")
    page.at("Change the part")
    page.fill("The client’s own name for the part", "the tall wren")
    page.click("Send the newer version")
    page.ask("wait", heading="the tall wren")
    state = collect(there).state
    assert told_of(state, HOSTILE_NAME) is None
    assert told_of(state, "the tall wren") is not None


def test_09_a_part_rests_and_is_taken_up_again(there: Practice) -> None:
    page = there.browser
    page.click(f"Let it rest: {NAME}")
    page.at("Let this part rest?")
    page.click("No")
    assert NAME not in at_rest(collect(there).state)
    page.click(f"Let it rest: {NAME}")
    page.click("Let it rest")
    page.sees("At rest.")
    page.check()
    assert at_rest(collect(there).state) == {NAME}
    page.sees("The device no longer hears this name")
    page.click(f"Take up again: {NAME}")
    page.sees("The card waits for the device")
    assert at_rest(collect(there).state) == frozenset()


def test_10_a_card_from_elsewhere_is_said_to_be_one(there: Practice) -> None:
    page = there.browser
    listed = evaluate(
        there,
        """(async () => {
          const [{ device }] = (await (await fetch("/v1/devices")).json()).devices;
          const { cards } = await (await fetch(`/v1/devices/${device}/cards`)).json();
          return cards.map(({ card }) => [device, card]);
        })()""",
    )
    assert len(listed) == 2
    # A note that the server lost: what was sent cannot be read back any more.
    with sqlite3.connect(there.product.database) as database:
        database.execute("UPDATE cards SET note = NULL WHERE card_id = ?", (bytes.fromhex(listed[0][1]),))
    page.click("Queue", "link")
    page.click("Parts", "link")
    page.sees("This card was sent from elsewhere")
    page.check()


def test_11_offline_is_said_and_ends_by_itself(there: Practice) -> None:
    page = there.browser
    page.ask("offline", offline=True)
    page.sees("is asked for again by itself")
    page.ask("errors")
    page.check()
    page.ask("offline", offline=False)


def test_12_a_narrow_screen(there: Practice) -> None:
    page = there.browser
    page.click("Queue", "link")
    page.click("Parts", "link")
    page.at("Parts")
    page.ask("media", width=320)
    for open_ in ("Set up a part", "Back without sending"):
        page.click(open_)
        assert page.ask("axe") == []
        assert evaluate(there, "document.documentElement.scrollWidth - innerWidth") <= 0
    page.ask("media")
    page.ask("errors")


def test_13_one_client_of_several_is_chosen(there: Practice) -> None:
    page, product = there.browser, there.product
    page.click("Clients and devices", "link")
    page.click("Make a pairing link")
    page.sees("It works once")
    link = page.ask("value", selector="input[readonly]")
    product.run(product.device, "pair", "-", "--home", str(product.device / "another"), stdin=link)
    page.click("Parts", "link")
    page.ask("wait", heading=CLIENT_NAME)
    assert evaluate(there, "document.querySelectorAll('main select').length") == 0, "it is not approved yet"
    page.click("Clients and devices", "link")
    page.sees("waiting for your approval")
    titles = "[...document.querySelectorAll('.card h2')].map((one) => one.textContent)"
    name = next(one for one in evaluate(there, titles) if one != CLIENT_NAME)
    page.click(f"Approve: {name}")
    page.sees("is approved")
    page.click("Parts", "link")
    page.ask("wait", heading=CLIENT_NAME)
    page.check()
    evaluate(there, "document.querySelector('main select').focus()")
    page.ask("type", text=name)
    page.ask("wait", heading=name)
    page.sees("No part yet")
    assert NAME not in page.text("main")
    page.check()


def test_14_nothing_readable_left_the_browser_or_stays_in_it(there: Practice) -> None:
    sent = json.dumps(there.asked())
    for text in (NAME, ALIAS, CLIENT_NAME, "jaw set", *TOLD.values()):
        assert text not in sent
        assert text.encode() not in Path(there.product.database).read_bytes()
    page = there.browser
    page.click("Lock")
    page.at("Locked")
    content = page.ask("content")
    kept = evaluate(
        there, "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.title, location.href])"
    )
    for text in (NAME, ALIAS, CLIENT_NAME, *TOLD.values()):
        assert text not in content
        assert text not in kept
