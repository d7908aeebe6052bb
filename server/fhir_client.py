"""Posting documents to a FHIR R4 server, each created once: conditional create by its identifier.

A conditional create may be sent again: the server answers with what is there. So a failure on the way is
tried again, and so may be the whole command.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from server.clinician_client import plain
from server.errors import ServerError
from server.fhir import MEDIA_TYPE

TRIES: Final = 4
FIRST_WAIT_S: Final = 1.0
MOST_WAIT_S: Final = 60.0
TIMEOUT_S: Final = 30.0
MOST_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""A server's statement of what it can do may be long."""

_PASSING: Final = frozenset({429, 502, 503, 504})
_VERSIONS: Final = ("4.0.", "4.3.")


class Outcome(StrEnum):
    """What became of one document."""

    CREATED = "created"
    THERE = "there"
    """The server had it already; it was left as it is."""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class FhirServer:
    """One FHIR R4 server at `base`, such as https://fhir.example/r4. `sleep` waits that many seconds.

    `token` goes as a bearer token, to this server alone: redirects are not followed.
    Raises ServerError for an address that is neither https nor on this machine.
    """

    def __init__(self, base: str, token: str | None, *, sleep: Callable[[float], None]) -> None:
        self.base = _checked(base)
        headers = {"Accept": MEDIA_TYPE, **({} if token is None else {"Authorization": f"Bearer {token}"})}
        # What goes to this machine in the clear goes through no proxy that the environment names.
        self._client = httpx.Client(
            headers=headers,
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=self.base.startswith("https:"),
        )
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def check(self) -> None:
        """Ask what the server can do. Raises ServerError unless it is R4 and has conditional create."""
        answer = self._ask("GET", "metadata", b"", {})
        if answer.status in (401, 403):
            raise self._not_allowed()
        try:
            statement: Any = json.loads(answer.body)
            version = str(statement["fhirVersion"])
            resources = [one for rest in statement["rest"] for one in rest.get("resource", ())]
            kinds = [one for one in resources if one.get("type") == "DocumentReference"]
            creates = any(one.get("conditionalCreate") is True for one in kinds)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ServerError(
                f"What answers at {self.base} is not a FHIR server.",
                "Give its base address: the one that `/metadata` comes after.",
            ) from error
        if answer.status != 200 or not version.startswith(_VERSIONS):
            raise ServerError(
                f"The FHIR server at {self.base} is of version {plain(version)}; the documents are of R4.",
                "Give the address of its R4 interface.",
            )
        if not creates:
            raise ServerError(
                f"The FHIR server at {self.base} does not say that it knows conditional create; "
                "posted twice, a line could be there twice.",
                "Write a file with --format fhir instead, and let whoever runs that server take it in.",
            )

    def create(self, resource: Mapping[str, Any], if_none_exist: str) -> Outcome:
        """Create one document unless it is there. Raises ServerError when the server did not take it."""
        body = json.dumps(resource, ensure_ascii=False).encode("utf-8")
        headers = {
            "Content-Type": f"{MEDIA_TYPE}; charset=utf-8",
            "If-None-Exist": if_none_exist,
            "Prefer": "return=minimal",
        }
        answer = self._ask("POST", str(resource["resourceType"]), body, headers)
        if answer.status == 201:
            return Outcome.CREATED
        if answer.status in (200, 304):
            return Outcome.THERE
        if answer.status in (401, 403):
            raise self._not_allowed()
        if answer.status == 412:
            raise ServerError(
                "The FHIR server has several documents with this record's identifier, and created none.",
                "Let whoever runs that server look for doubles.",
            )
        raise ServerError(
            f"The FHIR server refused a document (status {answer.status}{_issue(answer.body)}).",
            "Let whoever runs that server look; --patient must name a patient that is there.",
        )

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> _Answer:
        """Send it, up to four times while the fault may pass. Raises ServerError without an answer."""
        wait = FIRST_WAIT_S
        for left in reversed(range(TRIES)):
            try:
                answer = self._once(method, path, body, headers)
            except httpx.HTTPError as error:
                if not left:
                    raise ServerError(
                        f"The FHIR server at {self.base} did not answer ({type(error).__name__}).",
                        "Check the address and the network, and run this again: nothing is created twice.",
                    ) from error
            else:
                if answer.status not in _PASSING or not left:
                    return answer
                wait = _asked_wait(answer.headers.get("retry-after"), wait)
            self._sleep(wait)
            wait = min(2 * wait, MOST_WAIT_S)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> _Answer:
        url = f"{self.base}/{path}"
        with self._client.stream(method, url, content=body, headers=dict(headers)) as response:
            data = bytearray()
            for part in response.iter_bytes():
                data += part
                if len(data) > MOST_ANSWER_BYTES:
                    raise ServerError(f"The answer of the FHIR server at {self.base} does not end.")
            return _Answer(response.status_code, response.headers, bytes(data))

    def _not_allowed(self) -> ServerError:
        return ServerError(
            f"The FHIR server at {self.base} does not let you in.",
            "Check that the token in --token-file is new enough, and may create DocumentReference.",
        )


def _checked(base: str) -> str:
    """The address without a closing slash. Raises ServerError."""
    try:
        parts = urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or port == 0:
        raise ServerError(f"{plain(base)} is not an address.", "Give one such as https://fhir.example/r4")
    if parts.username is not None or parts.query or parts.fragment:
        raise ServerError(
            "The FHIR server's address holds more than an address.",
            "Give it without a name, a password, a query or a fragment; a token goes into --token-file.",
        )
    if parts.scheme != "https" and not _on_this_machine(host):
        raise ServerError(
            f"{plain(base)} is not https: the lines would cross the network in the clear.",
            "Give the https address.",
        )
    return base.rstrip("/")


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _asked_wait(said: str | None, otherwise: float) -> float:
    """What the server asks for in seconds, within bounds."""
    if said is None or not said.isascii() or not said.isdecimal():
        return otherwise
    return min(float(said[:6]), MOST_WAIT_S)


def _issue(body: bytes) -> str:
    """The server's own reason, from its OperationOutcome; empty without one.

    The code and the place alone: its words could hold those of the line, and what is said here may be logged.
    """
    try:
        issue = json.loads(body)["issue"][0]
        said = " ".join([str(issue["code"]), *map(str, issue.get("expression", ()))])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
    return f": {plain(said[:200])}"
