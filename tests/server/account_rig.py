"""People at browsers, for the tests of accounts. Real secrets, codes and cookies; a clock that is set."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import text

from server.accounts import invite_account
from server.practices import add_practice
from server.second_factor import STEP_S, code_at
from server.sessions import COOKIE
from tests.server.server_rig import ORIGIN, ClinicianParty, Rig
from voice.wire.encoding import b64url
from voice.wire.secrets import Parameters, sign_set_up


def own_page(rig: Rig) -> dict[str, str]:
    """What a browser and our page's script add to each call."""
    origin = rig.settings.public_url or ORIGIN
    return {"Onebreath-Request": "1", "Origin": origin, "Sec-Fetch-Site": "same-origin"}


class Browser:
    """A browser with its cookie, on our own page."""

    def __init__(self, rig: Rig, headers: dict[str, str] | None = None) -> None:
        self.rig = rig
        self.headers = own_page(rig) if headers is None else headers
        self.cookie = ""

    def ask(self, method: str, path: str, document: object = None, **headers: str) -> httpx.Response:
        body = b"" if document is None else json.dumps(document).encode()
        sent = {**self.headers, **headers}
        if self.cookie:
            sent["Cookie"] = f"theme=dark; {COOKIE}={self.cookie}"
        answer = self.rig.call(method, path, body, {k: v for k, v in sent.items() if v})
        given = answer.headers.get("set-cookie")
        if given is not None:
            name, _, rest = given.partition("=")
            assert name == COOKIE
            self.cookie = rest.partition(";")[0]
        return answer

    def post(self, path: str, document: object = None, **headers: str) -> httpx.Response:
        return self.ask("POST", path, {} if document is None else document, **headers)

    def put(self, path: str, document: object, **headers: str) -> httpx.Response:
        return self.ask("PUT", path, document, **headers)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("GET", path, None, **headers)

    def delete(self, path: str, **headers: str) -> httpx.Response:
        return self.ask("DELETE", path, None, **headers)


@dataclass
class Person:
    """Somebody with an account. `secret` and `recovery` are what their passphrase and code became."""

    rig: Rig
    name: str
    role: str
    account_id: bytes
    token: bytes
    practice_id: bytes
    party: ClinicianParty | None = None
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    recovery: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    parameters: Parameters = field(default_factory=lambda: Parameters(secrets.token_bytes(16)))
    totp: bytes = bytes(20)

    def code(self, steps: int = 0) -> str:
        """Their authenticator's code now, or some steps from now."""
        return code_at(self.totp, self.rig.clock.now // STEP_S + steps)

    def next_code(self) -> str:
        """A code that was never used: the clock goes on by a step."""
        self.rig.clock.now += STEP_S
        return self.code()

    def begin(self, browser: Browser) -> httpx.Response:
        answer = browser.post("/v1/set-up/start", {"token": b64url(self.token)})
        if answer.status_code == 200:
            self.totp = totp_of(answer.json()["otpauth"])
        return answer

    def finishing(self, **changes: str) -> dict[str, str]:
        document = {
            "token": b64url(self.token),
            "kdf": self.parameters.text,
            "secret": b64url(self.secret),
            "recovery": b64url(self.recovery),
            "code": self.code(),
        }
        if self.party is not None:
            statement = self.party.statement()
            proof = sign_set_up(self.party.key, self.token, statement)
            document |= {"statement": b64url(statement), "proof": b64url(proof)}
        return {**document, **changes}

    def set_up(self) -> Browser:
        browser = Browser(self.rig)
        assert self.begin(browser).status_code == 200
        answer = browser.post("/v1/set-up/finish", self.finishing())
        assert answer.status_code == 201, answer.text
        return browser

    def signing_in(self, **changes: str) -> dict[str, str]:
        return {"name": self.name, "secret": b64url(self.secret), "code": self.code(), **changes}

    def sign_in(self, browser: Browser | None = None) -> Browser:
        """With a fresh code."""
        browser = browser or Browser(self.rig)
        answer = browser.post("/v1/sign-in/passphrase", self.signing_in(code=self.next_code()))
        assert answer.status_code == 200, answer.text
        return browser


def totp_of(address: str) -> bytes:
    """The secret in an otpauth address, as an authenticator app reads it (base 32)."""
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    asked = parse_qs(parts.query)
    assert (asked["algorithm"], asked["digits"], asked["period"]) == (["SHA1"], ["6"], ["30"])
    spelt = asked["secret"][0]
    return base64.b32decode(spelt + "=" * (-len(spelt) % 8))


def practice(rig: Rig, name: str = "North Street") -> bytes:
    return add_practice(rig.store.database, name, now=rig.clock()).practice_id


def invited(rig: Rig, practice_id: bytes, name: str, role: str = "clinician", **more: Any) -> Person:
    token = secrets.token_bytes(32)
    row = invite_account(
        rig.store.database,
        practice_id,
        name=name,
        role=role,
        token=token,
        now=rig.clock(),
        actor="system",
        **more,
    )
    party = None if role == "administrator" else ClinicianParty.new()
    return Person(rig, name, role, row.account_id, token, practice_id, party)


def member(rig: Rig, practice_id: bytes, name: str, role: str = "clinician") -> tuple[Person, Browser]:
    person = invited(rig, practice_id, name, role)
    return person, person.set_up()


def acts(rig: Rig) -> list[tuple[str, str]]:
    """(act, subject) of the whole audit log, oldest first."""
    with rig.store.database.read() as connection:
        rows = connection.execute(text("SELECT act, subject FROM audit ORDER BY sequence")).all()
    return [(row.act, row.subject) for row in rows]
