"""Pictures of each state of the clinician's page, from a real server, device and browser, into docs/page/.

    .venv/bin/python -m tools.page_pictures

What is shown was made up for the pictures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.clinic_rig import noticing, send
from tests.end_to_end import browser
from tests.end_to_end.browser import Authenticator, Browser
from tests.end_to_end.product import PASSPHRASE, Product

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "page"
LINES: Final = (
    (150, "my brother was shouting about the kitchen window"),
    (149, ""),
    (125, "the meeting ran late and nobody said anything"),
    (77, "i could not answer the phone"),
    (8, ""),
    (7, "it wanted everybody to stop"),
)
"""How many hours ago, and what was said."""


def main() -> None:
    """Go through the states in order, and take a picture of each."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder))
        database = ("--database", str(product.database))
        product.run(product.practice, "practice", "add", "--name", "North Street", *database)
        with product.serving() as address, browser.running() as page:
            url = address.replace("127.0.0.1", "localhost")
            invite = ("--name", "okafor", "--role", "clinician", "--server", url, *database)
            link = product.run(product.practice, "account", "invite", *invite).stdout.strip()
            page.fresh(without="X25519")
            page.open(url)
            taken(page, "This browser cannot be used", "unsupported")
            page.fresh()
            page.open(url)
            taken(page, "Sign in", "sign-in")
            set_up(page, link)
            pair(page, product)
            part(page)
            read(page, product)
            keep(page)
            page.click("Lock")
            taken(page, "Locked", "locked")
            page.fresh()
            page.open(url)
            page.click("I have lost my authenticator")
            taken(page, "A lost authenticator", "lost-authenticator")
            manage(page, product, (url, *database))


def taken(page: Browser, heading: str, name: str, **how: object) -> None:
    """A picture of this state, once it is there."""
    page.ask("wait", heading=heading)
    page.ask("media", **how)
    page.ask("screenshot", path=str(FOLDER / f"{name}.png"))
    page.ask("media")


def set_up(page: Browser, link: str) -> None:
    """From the invitation to the first, empty queue."""
    page.open(link)
    enrol(page, "Dr Okafor")
    page.sees("No records yet")
    taken(page, "Since the last session", "queue-empty")


def enrol(page: Browser, spoken: str) -> None:
    """The steps of an invitation. `spoken`: what devices call them; "" for who reads nothing."""
    page.click("Begin")
    if spoken:
        page.fill("What devices call you", spoken)
    page.fill("New passphrase", PASSPHRASE)
    page.fill("The same again", PASSPHRASE)
    taken(page, "Choose a passphrase", "set-up-passphrase")
    page.click("Continue")
    taken(page, "Print your recovery code", "set-up-code")
    code = page.text("[data-recovery]")
    page.click("I have it on paper")
    page.fill("Recovery code, from the paper", code)
    page.click("Continue")
    taken(page, "Add your authenticator", "set-up-authenticator")
    page.fill("Code of your authenticator", Authenticator(page.text("[data-secret]")).code())
    page.click("Finish")


def pair(page: Browser, product: Product) -> None:
    """A device with a client's name, and its records."""
    page.click("Clients and devices", "link")
    page.click("Make a pairing link")
    link = page.ask("value", selector="input[readonly]")
    product.run(product.device, "pair", "-", "--home", str(product.home), stdin=link)
    page.click("Hide it")
    page.click("Account", "link")
    page.click("Clients and devices", "link")
    page.click(f"Approve: {page.text('.card h2')}")
    page.sees("is approved")
    page.unfold("Give it a client’s name")
    page.fill("Client’s name", "Ana Oliveira")
    page.click("Keep the name")
    page.sees("The name is kept")
    taken(page, "Clients and devices", "devices")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    said = [(now - timedelta(hours=hours), noticing(0, *line.split())) for hours, line in LINES]
    send(product.home, *(replace(one, at=at) for at, one in said))


def part(page: Browser) -> None:
    """A part, set up together and sent to the device."""
    page.click("Parts", "link")
    page.click("Set up a part")
    page.fill("The client’s own name for the part", "the foreman")
    page.fill("What happens just before", "jaw set, shoulders up")
    page.fill("Age, as the client tells it", "about nine")
    taken(page, "Parts", "part")
    page.click("Send the part to the device")
    page.sees("the foreman")
    taken(page, "Parts", "parts")


def read(page: Browser, product: Product) -> None:
    """What there is to read, and to look up."""
    page.click("Queue", "link")
    page.sees(LINES[0][1])
    taken(page, "Since the last session", "queue")
    taken(page, "Since the last session", "queue-dark", dark=True)
    taken(page, "Since the last session", "queue-phone", width=360)
    page.click("Page for the session")
    taken(page, "Page for the session", "session-print", print=True)
    page.click("Export lines")
    page.sees("What goes out")
    taken(page, "Export lines", "export")
    page.click("Week", "link")
    page.sees("by day and hour")
    taken(page, "The week of 167 hours", "week")
    page.click("Account", "link")
    page.click("Show the newest")
    page.sees("Newest first")
    taken(page, "Account", "account")
    page.ask("offline", offline=True)
    page.click("Show the newest")
    taken(page, "Account", "offline")
    page.ask("offline", offline=False)


def keep(page: Browser) -> None:
    """Keys, colleagues, and what was agreed with the client."""
    page.click("Make a new one, or look at all of them", "link")
    taken(page, "Reading keys", "reading-keys")
    page.click("Account", "link")
    page.click("Colleagues and cover", "link")
    taken(page, "Colleagues and cover", "colleagues")
    page.click("Clients and devices", "link")
    page.click("Make a pairing link")
    taken(page, "Clients and devices", "pairing")
    page.click("Hide it")
    page.click("What was agreed: Ana Oliveira")
    taken(page, "What was agreed", "agreed")


def manage(page: Browser, product: Product, where: Sequence[str]) -> None:
    """What an administrator sees, who reads nothing."""
    url, *database = where
    invite = ("--name", "office", "--role", "administrator", "--server", url, *database)
    link = product.run(product.practice, "account", "invite", *invite).stdout.strip()
    page.fresh()
    page.open(link)
    enrol(page, "")
    taken(page, "Practice", "practice")


if __name__ == "__main__":
    main()
