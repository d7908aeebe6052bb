"""Several people at one browser, one after the other, each with their own secrets."""

from __future__ import annotations

from dataclasses import dataclass

from tests.end_to_end.browser import Authenticator
from tests.end_to_end.page_practice import Practice
from tests.end_to_end.product import PASSPHRASE


@dataclass
class Person:
    """Somebody of a practice who has set up their account. `spoken` is what devices call them."""

    there: Practice
    name: str
    spoken: str
    app: Authenticator
    code: str

    def comes(self) -> None:
        """They sign in, in a browser where nobody was before."""
        page = self.there.browser
        page.fresh()
        page.open(self.there.url)
        page.fill("Name", self.name)
        page.fill("Passphrase", PASSPHRASE)
        page.fill("Code of your authenticator", self.app.code())
        page.click("Sign in")
        page.ask("wait", heading="Since the last session" if self.spoken else "Practice")

    def goes_to(self, view: str, heading: str) -> None:
        """Go to a view by its address, as a link does."""
        self.there.browser.ask("evaluate", code=f"void (location.hash = {view!r})")
        self.there.browser.ask("wait", heading=heading)


def set_up(there: Practice, name: str, spoken: str, role: str = "clinician", *, link: str = "") -> Person:
    """From the invitation to the first view, in a browser where nobody was before."""
    page = there.browser
    page.fresh()
    page.open(link or there.invite(name, role))
    page.click("Begin")
    page.ask("wait", heading="Choose a passphrase")
    if spoken:
        page.fill("What devices call you", spoken)
    page.fill("New passphrase", PASSPHRASE)
    page.fill("The same again", PASSPHRASE)
    page.click("Continue")
    page.ask("wait", heading="Print your recovery code")
    code = page.text("[data-recovery]")
    page.click("I have it on paper")
    page.fill("Recovery code, from the paper", code)
    page.click("Continue")
    page.ask("wait", heading="Add your authenticator")
    app = Authenticator(page.text("[data-secret]"))
    page.fill("Code of your authenticator", app.code())
    page.click("Finish")
    page.ask("wait", heading="Since the last session" if spoken else "Practice")
    return Person(there, name, spoken, app, code)
