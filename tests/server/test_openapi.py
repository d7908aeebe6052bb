"""The OpenAPI document has every call, and the server answers nothing that it does not tell of."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.limits import Buckets, Throttle
from server.openapi import codes, document
from server.openapi_calls import CALLS, CLINICIAN, DEVICE, PAGE, SESSION, Call
from server.routes import ROUTERS
from server.settings import database_url
from tests.server.account_rig import Browser, Person, invited, own_page, practice
from tests.server.conforming import conforms
from tests.server.server_rig import ORIGIN, DeviceParty, Rig, record_path
from tests.server.test_server_contract import codes as codes_in_sources

EXAMPLES = int(os.environ.get("ONEBREATH_EXAMPLES", "8"))
SCHEMA = schemathesis.openapi.from_dict(document())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_it_has_exactly_the_app_s_calls() -> None:
    routes = {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    listed = [(call.method, call.path) for call in CALLS]
    assert len(listed) == len(set(listed))
    assert set(listed) == routes


def test_every_code_of_the_sources_is_in_it() -> None:
    told = {(status, code) for call in CALLS for status, listed in codes(call).items() for code in listed}
    said = {(status, code) for _, status, code in codes_in_sources()}
    # What belongs to the page's own files and to no call of the table is none of its business.
    assert said - told == set()


def test_it_is_whole_and_written_by_its_command() -> None:
    written = subprocess.run(
        [sys.executable, "-m", "server.openapi"], capture_output=True, text=True, check=True
    )
    assert json.loads(written.stdout) == json.loads(json.dumps(document()))
    names = [one["operationId"] for methods in document()["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names)) == len(CALLS)
    SCHEMA.validate()


@dataclass(frozen=True)
class World:
    """One server with everyone on it who can call."""

    rig: Rig
    device: DeviceParty
    reader: Person
    head: Person
    clinician: Browser
    administrator: Browser

    def sign_in(self) -> None:
        """Whoever was signed out signs in again."""
        for person, browser in ((self.reader, self.clinician), (self.head, self.administrator)):
            if browser.get("/v1/account").status_code != 200:
                person.sign_in(browser)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("openapi")
    rig = Rig(database_url(str(folder / "server.db")), public_url=ORIGIN)
    roomy = Buckets(burst=10**9)
    roomy.take("anyone", rig.clock())
    rig.app.state.throttle = Throttle((), roomy)
    device = rig.paired()
    rig.deliver(device, device.record(rig.clinician, 1))
    north = practice(rig)
    reader, head = invited(rig, north, "okafor"), invited(rig, north, "head", "administrator")
    yield World(rig, device, reader, head, reader.set_up(), head.set_up())
    rig.close()


def callers(world: World, call: Call) -> dict[str, Any]:
    """Who may try this call, by name: a function from (method, path, body) to headers."""
    rig = world.rig

    def browser(one: Browser, *_: object) -> dict[str, str]:
        return {**own_page(rig), "Cookie": f"__Host-onebreath={one.cookie}"}

    everyone: dict[str, Any] = {"nobody": lambda *_: {}, "page": lambda *_: own_page(rig)}
    if call.by in (DEVICE, CLINICIAN):
        everyone["device"] = partial(rig.headers, world.device)
        everyone["clinician"] = partial(rig.headers, rig.clinician)
    if call.by in (CLINICIAN, SESSION, PAGE):
        everyone["signed in"] = partial(browser, world.clinician)
        everyone["administrator"] = partial(browser, world.administrator)
    return everyone


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_schemathesis_gets_no_answer_that_is_not_documented(
    world: World, call: Call, mode: GenerationMode
) -> None:
    if mode is GenerationMode.NEGATIVE and "{" not in call.path and not call.query and call.asks is None:
        return  # nothing is asked, so that nothing can be asked wrongly
    world.sign_in()
    operation = SCHEMA[call.path][call.method]
    known = callers(world, call)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=operation.as_strategy(generation_mode=mode), who=st.sampled_from(sorted(known)))
    def ask(case: Any, who: str) -> None:
        wanted = case.as_transport_kwargs(base_url=ORIGIN)
        wanted["headers"] = {
            name: value
            for name, value in (wanted.get("headers") or {}).items()
            if "schemathesis" not in name.lower()
        }
        prepared = requests.Request(
            **{k: v for k, v in wanted.items() if k in ("method", "url", "headers", "params", "data", "json")}
        ).prepare()
        path = (prepared.url or "").removeprefix(ORIGIN)
        body = prepared.body or b""
        assert isinstance(body, str | bytes)
        sent = body.encode() if isinstance(body, str) else body
        signed = known[who](call.method, path, sent)
        answer = world.rig.call(call.method, path, sent, {**prepared.headers, **signed})
        case.validate_response(answer, checks=CHECKS)

    ask()


def test_what_everyone_really_asks_is_documented_too(world: World) -> None:
    """Valid keys, frames and ids, which no random search finds."""
    world.sign_in()
    rig, clinician = world.rig, world.rig.clinician
    device = rig.paired()
    name = device.device_id.hex()

    def ask(party: Any, method: str, path: str, asks: object = b"", status: int = 200) -> Any:
        body = asks if isinstance(asks, bytes) else json.dumps(asks).encode()
        answer = rig.signed(party, method, path, body)
        conforms(method, path, answer)
        assert answer.status_code == status, answer.text
        return answer.json()

    frame, later = device.record(clinician, 1), device.record(clinician, 2)
    ask(device, "PUT", record_path(frame), frame, 201)
    ask(device, "PUT", record_path(frame), frame, 200)
    ask(device, "PUT", record_path(frame), later, 400)
    ask(device, "GET", "/v1/device?outbox=2")
    ask(device, "GET", "/v1/cards")
    ask(clinician, "GET", "/v1/clinician")
    ask(clinician, "GET", "/v1/devices")
    ask(clinician, "GET", "/v1/records?limit=1")
    ask(clinician, "GET", f"/v1/records?before=99&device={name}")
    ask(clinician, "GET", f"/v1/devices/{name}/records")
    ask(clinician, "GET", f"/v1/devices/{name}/cards")
    ask(clinician, "PUT", f"/v1/devices/{name}/state", {"state": "paused"})
    ask(device, "PUT", record_path(later), later, 403)
    ask(clinician, "PUT", f"/v1/devices/{name}/state", {"state": "active"})
    ask(clinician, "POST", "/v1/exports", {"device": name, "count": 1}, 201)
    ask(clinician, "DELETE", f"/v1/records/{name}/{frame[24:40].hex()}")
    ask(clinician, "DELETE", f"/v1/records/{name}/{secrets.token_hex(16)}", status=404)
    ask(clinician, "GET", "/v1/tombstones")
    ask(clinician, "GET", "/v1/marks")
    ask(clinician, "GET", "/v1/keys")
    ask(clinician, "GET", "/v1/colleagues")
    ask(clinician, "GET", "/v1/shares")
    ask(clinician, "GET", "/v1/audit")
    ask(clinician, "DELETE", f"/v1/devices/{name}/records")
    for browser in (world.clinician, world.administrator):
        for path in ("/v1/account", "/v1/account/passkeys", "/v1/practice"):
            answer = browser.get(path)
            conforms("GET", path, answer)
            assert answer.status_code == 200, answer.text
    for path in ("/v1/practice/accounts", "/v1/audit"):
        answer = world.administrator.get(path)
        conforms("GET", path, answer)
        assert answer.status_code == 200, answer.text
