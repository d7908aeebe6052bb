"""A practice with a server, a browser and one client's device, for the tests of the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end import browser
from tests.end_to_end.browser import Authenticator, Browser
from tests.end_to_end.product import Product


@dataclass
class Practice:
    """A server, a browser and a device's folder; what was learnt on the way is kept in `notes`."""

    product: Product
    url: str
    browser: Browser
    notes: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    authenticator: Authenticator | None = None

    def code(self) -> str:
        assert self.authenticator is not None
        return self.authenticator.code()

    def invite(self, name: str, role: str) -> str:
        options = ("--name", name, "--role", role, "--server", self.url)
        done = self.product.run(
            self.product.practice, "account", "invite", *options, "--database", str(self.product.database)
        )
        return done.stdout.strip()

    def sign_in(self, passphrase: str) -> None:
        self.browser.fill("Name", "okafor")
        self.browser.fill("Passphrase", passphrase)
        self.browser.fill("Code of your authenticator", self.code())
        self.browser.click("Sign in")

    def unlock(self, passphrase: str) -> None:
        self.browser.fill("Passphrase", passphrase)
        self.browser.click("Unlock")

    def asked(self) -> list[dict[str, Any]]:
        """Every request of the browser so far."""
        self.requests += self.browser.ask("requests")
        return self.requests


@contextmanager
def opened(folder: Path) -> Iterator[Practice]:
    """The server and the browser, until the block ends; skips where there is no browser."""
    browser.chromium()
    product = Product(folder)
    product.run(
        product.practice, "practice", "add", "--name", "North Street", "--database", str(product.database)
    )
    with ExitStack() as stack:
        url = stack.enter_context(product.serving()).replace("127.0.0.1", "localhost")
        yield Practice(product, url, stack.enter_context(browser.running()))
