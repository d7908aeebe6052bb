"""One evening and one session, whole: from the invitation to the lock, with nothing stood in for.

A real browser, a real server, a device's real processes, and its real recognisers on synthesised speech.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.end_to_end.page_practice import Practice, opened
from tests.end_to_end.people import set_up
from tests.end_to_end.product import LINE, PART, exchange_scene, write
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.uplink import HttpUplink

pytestmark = [pytest.mark.hard, pytest.mark.speech]

CLIENT = "Ana Oliveira"


def pair(there: Practice) -> None:
    """A link from the page, taken by the device; approved and named."""
    page, product = there.browser, there.product
    page.click("Clients and devices", "link")
    page.click("Make a pairing link")
    link = page.ask("value", selector="input[readonly]")
    product.run(product.device, "pair", "-", "--home", str(product.home), stdin=link)
    page.click("Hide it")
    page.click("Account", "link")
    page.click("Clients and devices", "link")
    page.sees("waiting for your approval")
    page.click(f"Approve: {page.text('.card h2')}")
    page.sees("is approved")
    page.unfold("Give it a client’s name")
    page.fill("Client’s name", CLIENT)
    page.click("Keep the name")
    page.sees("The name is kept")


def fetch(there: Practice) -> None:
    """The device's mailbox, as its courier calls it every quarter of an hour."""
    link = HttpUplink.of(there.product.home)
    DeviceMailbox(there.product.home).collect(link)
    link.close()


def test_from_the_invitation_to_the_lock(tmp_path: Path) -> None:
    with opened(tmp_path) as there:
        page, product = there.browser, there.product
        set_up(there, "okafor", "Dr Okafor")
        pair(there)

        page.click("Parts", "link")
        page.click("Set up a part")
        page.fill("The client’s own name for the part", PART)
        page.click("Send the part to the device")
        page.sees("The card waits for the device.")
        fetch(there)
        page.sees("The device has it.")
        product.enrol()
        page.sees("The device knows the name now.")
        assert "of 10 tries" in page.text(".forecast")

        events = product.replay(write(product.said / "evening.wav", exchange_scene(LINE)[0]))
        (sealed,) = (event for event in events if event["event"] == "sealed")
        assert sealed["online"]
        page.click("Queue", "link")
        page.ask("wait", heading=CLIENT)
        shown = page.text("main")
        assert PART in shown
        assert sum(word in shown for word in LINE.split()) >= len(LINE.split()) // 2, shown

        page.click("Discussed")
        page.sees("✓")
        page.click("Page for the session")
        page.at("Page for the session")
        page.ask("media", print=True)
        page.ask("screenshot", path=str(tmp_path / "session.png"))
        page.ask("media")
        page.click("Export lines")
        page.ask("wait", heading="Export lines")
        page.ask("choose", label="Show", option="Everything")
        page.click("Choose all")
        file = page.ask("saved", name="Save as text")
        text = base64.b64decode(file["bytes"]).decode()
        assert CLIENT not in file["name"]
        assert PART in text
        page.click("Account", "link")
        page.click("Show the newest")
        page.sees("exported records")
        page.check()

        page.click("Lock")
        page.at("Locked")
        left = page.ask("content")
        assert CLIENT not in left
        assert PART not in left
