"""A server with a public name, a browser with passkeys, and a look at what the server keeps: for accounts."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from server.key_slots import WrongSecretError, open_recovery_slot, open_wrapping_slot
from server.sign_in import same_secret
from tests.end_to_end import browser
from tests.end_to_end.browser import Authenticator
from tests.end_to_end.page_practice import Practice
from tests.end_to_end.product import Product, until
from voice.wire.secrets import derive, parse_parameters, recovery_sign_in

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@contextmanager
def opened(folder: Path) -> Iterator[Practice]:
    """The server by its public name, as passkeys need it, and the browser; until the block ends."""
    browser.chromium()
    product = Product(folder)
    product.run(
        product.practice, "practice", "add", "--name", "North Street", "--database", str(product.database)
    )
    with ExitStack() as stack:
        url = stack.enter_context(serving(product))
        yield Practice(product, url, stack.enter_context(browser.running()))


@contextmanager
def serving(product: Product) -> Iterator[str]:
    """The server at http://localhost, which a browser takes for a secure origin; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://localhost:{port}"
    log = product.practice / "serve.log"
    arguments = ("--port", str(port), "--database", str(product.database), "--public-url", url)
    with (
        log.open("a") as kept,
        product.start(product.practice, "serve", *arguments, stdout=kept, stderr=kept) as server,
    ):
        try:
            until(
                lambda: re.search(r"http://127\.0\.0\.1:\d+|http://localhost:\d+", log.read_text()), "server"
            )
            yield url
        finally:
            server.terminate()
            ended = server.wait(20)
    assert ended == 0, log.read_text()


def set_up(
    there: Practice, name: str, passphrase: str, *, role: str = "clinician"
) -> tuple[str, Authenticator]:
    """Everything of set-up but its last press; the recovery code, and the authenticator."""
    page = there.browser
    page.open(there.invite(name, role))
    page.click("Begin")
    page.ask("wait", heading="Choose a passphrase")
    if role != "administrator":
        page.fill("What devices call you", "Dr Okafor")
    page.fill("New passphrase", passphrase)
    page.fill("The same again", passphrase)
    page.click("Continue")
    page.ask("wait", heading="Print your recovery code")
    code = page.text("[data-recovery]")
    page.click("I have it on paper")
    page.fill("Recovery code, from the paper", code)
    page.click("Continue")
    page.ask("wait", heading="Add your authenticator")
    app = Authenticator(page.text("[data-secret]"))
    page.fill("Code of your authenticator", app.code())
    return code, app


def rows(there: Practice, wanted: str, *values: Any) -> list[Any]:
    """What the server's database holds, or a change to it: a clock that goes on, for what waits a day."""
    with closing(sqlite3.connect(there.product.database, timeout=20)) as connection, connection:
        return connection.execute(wanted, values).fetchall()


def slots(there: Practice, kind: str) -> list[dict[str, Any]]:
    """The key slots of a kind."""
    found = rows(there, "SELECT fields FROM key_slots WHERE kind = ? ORDER BY created_at, id", kind)
    return [json.loads(fields) for (fields,) in found]


def signs_in(there: Practice, name: str, passphrase: str) -> bool:
    """Whether the server takes this passphrase."""
    [(kdf, verifier)] = rows(there, "SELECT kdf, verifier FROM accounts WHERE name = ?", name)
    return same_secret(verifier, derive(passphrase, parse_parameters(kdf.decode())).sign_in)


def unlocks(there: Practice, passphrase: str) -> bool:
    """Whether a slot opens with this passphrase."""
    return any(
        _opens(lambda one=one: open_wrapping_slot(one, passphrase)) for one in slots(there, "passphrase")
    )


def recovers(there: Practice, name: str, printed: str) -> tuple[bool, bool]:
    """Whether this printed code is the account's, and whether it opens a slot."""
    [(verifier,)] = rows(there, "SELECT recovery_verifier FROM accounts WHERE name = ?", name)
    number = 0
    for letter in printed.replace("-", ""):
        number = number << 5 | ALPHABET.index(letter)
    known = same_secret(verifier, recovery_sign_in((number >> 2).to_bytes(16, "big")))
    opens = any(_opens(lambda one=one: open_recovery_slot(one, printed)) for one in slots(there, "recovery"))
    return known, opens


def _opens(open_: Any) -> bool:
    try:
        open_()
    except WrongSecretError:
        return False
    return True
