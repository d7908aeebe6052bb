"""Logs: one line for each event, and nothing in them that a caller wrote."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from server import logs
from server.app import create_app
from tests.server.server_rig import ORIGIN, Rig

CANARY = "the foreman by the window"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Logging as the server configures it, and afterwards as it was."""
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    names = [logs.OWN, *logs._QUIET]
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    written = io.StringIO()
    try:
        yield written
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.raiseExceptions = raising
        for logger, old in before:
            logger.setLevel(old)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object(stream: io.StringIO) -> None:
    logs.configure("json", "info", stream)
    log = logging.getLogger("onebreath.server")
    log.info("worker %d\nstarted", 7, extra={"fields": {"status": 200}})
    log.debug("not wanted")
    [line] = lines(stream)
    assert line.items() >= {"level": "info", "logger": "onebreath.server", "status": 200}.items()
    assert line["event"] == "worker 7\nstarted"
    assert line["time"].endswith("+00:00")


def test_plain_lines_are_single_and_printable(stream: io.StringIO) -> None:
    logs.configure("plain", "info", stream)
    logging.getLogger("onebreath.server").warning("two\nlines\x1b[31m", extra={"fields": {"status": 503}})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert text.rstrip().endswith("status=503")


def test_auto_is_plain_on_a_terminal_only(stream: io.StringIO) -> None:
    logs.configure("auto", "info", stream)
    logging.getLogger("onebreath.server").info("x")
    assert lines(stream)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    logs.configure("auto", "info", terminal)
    logging.getLogger("onebreath.server").info("x")
    assert terminal.getvalue().startswith("2")


def test_what_other_libraries_would_write_of_values_is_left_out(stream: io.StringIO) -> None:
    logs.configure("json", "debug", stream)
    logging.getLogger("sqlalchemy.engine").error("parameters %r", CANARY)
    logging.getLogger("uvicorn.error").error("Exception in ASGI application\n%s", CANARY)
    logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: {CANARY}")
    logging.getLogger("uvicorn.error").info(CANARY)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(CANARY, UserWarning, stacklevel=1)
    try:
        raise OperationalError("INSERT", {"part": CANARY}, ValueError(CANARY))
    except OperationalError:
        logging.getLogger("onebreath.server").exception("the database failed")
    try:
        raise KeyError(CANARY)
    except KeyError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    assert CANARY not in stream.getvalue()
    found = lines(stream)
    assert found[0]["event"] == "parameters %r"
    assert found[-2]["error"] == "OperationalError"
    assert found[-1]["at"][0].startswith("test_logs.py:")


def canaried(rig: Rig, **changes: Any) -> str:
    """Every place a caller can write to holds the canary; all kinds of answers, a fault among them."""
    written = io.StringIO()
    logs.configure("json", "debug", written)
    rig.settings = replace(rig.settings, **changes)
    rig.app = create_app(rig.settings, clock=rig.clock, store=rig.store)

    def fault(word: str) -> None:
        raise RuntimeError(word)

    rig.app.add_api_route("/fault/{word}", fault)
    word = CANARY.replace(" ", "-")
    device = rig.paired()
    frame = device.record(rig.clinician, 1)
    with pytest.raises(RuntimeError, match=word):
        rig.call("GET", f"/fault/{word}")
    headers = {
        "X-Part": CANARY,
        "User-Agent": CANARY,
        "Authorization": f"Bearer {word}",
        "Cookie": f"a={word}",
    }
    rig.call("POST", f"/v1/{word}?part={word}", CANARY.encode(), headers)
    rig.call(word.upper(), "/v1/device", CANARY.encode(), headers)
    rig.call("PUT", f"/v1/records/{word}", CANARY.encode(), headers)
    rig.call("POST", "/v1/invitations", json.dumps({"invitation": CANARY}).encode(), headers)
    rig.signed(device, "PUT", f"/v1/records/{frame[24:40].hex()}", CANARY.encode())
    rig.deliver(device, frame)
    with rig.store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE records RENAME TO gone")
    rig.deliver(device, device.record(rig.clinician, 2))
    text = written.getvalue()
    assert "the database failed" in text
    for secret in (
        CANARY,
        word,
        word.upper(),
        device.device_id.hex(),
        frame[24:40].hex(),
        rig.clinician.clinician_id.hex(),
        ORIGIN.removeprefix("http://"),
    ):
        assert secret not in text
    return text


def test_canaries_reach_no_log(rig: Rig, stream: io.StringIO) -> None:
    text = canaried(rig, log_requests=True)
    events = [json.loads(line) for line in text.splitlines()]
    answered = [event for event in events if event["logger"] == "onebreath.request"]
    assert {"/fault/{word}", "unmatched", "/v1/records/{record}"} <= {event["route"] for event in answered}
    assert {200, 201, 404, 500, 503} <= {event["status"] for event in answered} | {200}
    assert all("address" not in event for event in answered)
    assert all(event["duration_ms"] >= 0 for event in answered)
    taken = next(event for event in answered if event["status"] == 201 and "record" in event["route"])
    assert taken["bytes_in"] > 2000


def test_calls_are_not_logged_unless_asked_for(file_rig: Rig, stream: io.StringIO) -> None:
    assert "onebreath.request" not in canaried(file_rig)


def test_addresses_only_when_turned_on(file_rig: Rig, stream: io.StringIO) -> None:
    logs.configure("json", "info", stream)
    for wanted in (False, True):
        file_rig.settings = replace(file_rig.settings, log_requests=True, log_addresses=wanted)
        file_rig.app = create_app(file_rig.settings, clock=file_rig.clock, store=file_rig.store)
        file_rig.call("GET", "/health")
    off, on = lines(stream)
    assert "address" not in off
    assert on["address"] == "127.0.0.1"


def test_a_log_that_cannot_be_written_stops_nothing(file_rig: Rig, stream: io.StringIO) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    logs.configure("json", "info", Full())
    file_rig.settings = replace(file_rig.settings, log_requests=True)
    file_rig.app = create_app(file_rig.settings, clock=file_rig.clock, store=file_rig.store)
    answer: httpx.Response = file_rig.call("GET", "/health")
    assert answer.status_code == 200
