"""The edge: headers on every answer, limits before anything is read, health and readiness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from server.app import create_app
from server.settings import Settings, database_url
from tests.server.server_rig import ORIGIN, Rig, refused

EXPECTED = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def with_settings(rig: Rig, **changes: Any) -> Rig:
    """The same server, run in another way."""
    rig.settings = replace(rig.settings, **changes)
    rig.app = create_app(rig.settings, clock=rig.clock, store=rig.store)
    return rig


async def _ask(app: Any, calls: list[tuple[str, str, Any]], *, faults: bool = True) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=faults)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        return await asyncio.gather(*(client.request(m, path, content=body) for m, path, body in calls))


def ask(app: Any, *calls: tuple[str, str, Any], faults: bool = True) -> list[httpx.Response]:
    return asyncio.run(_ask(app, list(calls), faults=faults))


def test_every_answer_has_the_headers_even_a_fault(file_rig: Rig) -> None:
    def fault() -> Response:
        raise RuntimeError

    file_rig.app.add_api_route("/fault", fault)
    answers = ask(
        file_rig.app,
        ("GET", "/health", b""),
        ("GET", "/nowhere", b""),
        ("DELETE", "/health", b""),
        ("GET", "/v1/device", b""),
        ("POST", "/v1/invitations", b"x" * 300_000),
        ("GET", "/fault", b""),
        faults=False,
    )
    assert [answer.status_code for answer in answers] == [200, 404, 405, 401, 413, 500]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'none'; frame-ancestors 'none'"
        )
        assert "microphone=()" in answer.headers["permissions-policy"]
        assert answer.headers.get_list("date") == [answer.headers["date"]]
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers
        assert answer.headers["content-type"] == "application/json"


def test_https_is_asked_for_where_callers_come_by_https(file_rig: Rig) -> None:
    with_settings(file_rig, public_url="https://clinic.example")
    for answer in ask(file_rig.app, ("GET", "/health", b""), ("GET", "/nowhere", b"")):
        assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


def test_a_page_keeps_a_policy_of_its_own(file_rig: Rig) -> None:
    def page() -> Response:
        return Response(
            "x", headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "private"}
        )

    file_rig.app.add_api_route("/page", page)
    [answer] = ask(file_rig.app, ("GET", "/page", b""))
    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert answer.headers["cache-control"] == "private"
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_body_over_the_limit_is_not_read(file_rig: Rig) -> None:
    with_settings(file_rig, body_limit_bytes=65_536)
    read: list[int] = []

    async def eager(request: Request) -> Response:
        read.append(len(await request.body()))
        return Response()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000

    file_rig.app.add_api_route("/eager", eager, methods=["POST"])
    [whole, over, streamed] = ask(
        file_rig.app,
        ("POST", "/eager", b"x" * 65_536),
        ("POST", "/eager", b"x" * 65_537),
        ("POST", "/eager", endless()),
    )
    assert whole.status_code == 200
    refused(over, 413, "too_large")
    refused(streamed, 413, "too_large")
    assert over.headers["connection"] == "close"
    assert read == [65_536]


def test_a_length_that_is_no_length_is_refused(file_rig: Rig) -> None:
    for said in ("-1", "1e3", "9" * 30, "\u0661"):
        headers = {"Content-Length": said.encode("utf-8")}
        refused(file_rig.call("POST", "/v1/invitations", b"", headers), 413, "too_large")


def test_more_calls_than_it_can_take_are_sent_away_and_health_is_not(file_rig: Rig) -> None:
    with_settings(file_rig, concurrency=2)

    async def run() -> list[httpx.Response]:
        arrived, go_on = asyncio.Event(), asyncio.Event()
        waiting = 0

        async def slow() -> Response:
            nonlocal waiting
            waiting += 1
            if waiting == 2:
                arrived.set()
            await go_on.wait()
            return Response("done")

        file_rig.app.add_api_route("/slow", slow)
        transport = httpx.ASGITransport(file_rig.app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            first = [asyncio.create_task(client.get("/slow")) for _ in range(2)]
            await arrived.wait()
            busy, alive = await client.get("/v1/nonce"), await client.get("/health")
            go_on.set()
            done = [await one for one in first]
            return [busy, alive, *done, await client.get("/v1/nonce")]

    busy, alive, one, two, after = asyncio.run(run())
    refused(busy, 503, "busy")
    assert busy.headers["retry-after"] == "5"
    assert [answer.status_code for answer in (alive, one, two, after)] == [200] * 4


def test_a_body_that_does_not_come_is_not_waited_for(file_rig: Rig) -> None:
    """The deadline is set to now; nothing waits for real."""
    with_settings(file_rig)
    object.__setattr__(file_rig.settings, "request_timeout_s", 0)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    [answer] = ask(file_rig.app, ("POST", "/v1/invitations", never()))
    refused(answer, 408, "timeout")
    assert answer.headers["connection"] == "close"


def test_ready_says_what_is_missing(rig: Rig) -> None:
    assert rig.call("GET", "/ready").json() == {"status": "ok"}
    with rig.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    refused(rig.call("GET", "/ready"), 503, "schema")
    with rig.store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE alembic_version RENAME TO gone")
    refused(rig.call("GET", "/ready"), 503, "storage")
    assert rig.call("GET", "/health").json() == {"status": "ok"}


def test_ready_says_when_the_disk_is_nearly_full(file_rig: Rig) -> None:
    with_settings(file_rig, disk_free_mb=1_000_000_000)
    answer = file_rig.call("GET", "/ready")
    refused(answer, 503, "disk")
    assert answer.headers["retry-after"] == "30"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/metrics"])
def test_nothing_more_is_shown(tmp_path: Path, path: str) -> None:
    app = create_app(Settings(database_url(str(tmp_path / "x.db"))))
    [answer] = ask(app, ("GET", path, b""))
    refused(answer, 404, "not_found")
    app.state.context.store.close()
