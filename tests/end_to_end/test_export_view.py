"""Exporting chosen lines from the page: in Chromium, on a real server, with records of real devices.

What is saved is taken as the browser's download; FHIR is read by fhir.resources and taken by a FHIR server.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from server import audit
from server.fhir import bundle, spell
from server.reader import read
from server.reader_sequence import Memory
from server.store import Store
from tests.clinic_rig import Clinic, noticing, send, serving
from tests.end_to_end.browser import Browser, running
from tests.end_to_end.test_queue_views import HOME, HOSTILE, evaluate, host, name_device, said, until
from tests.server.fhir_rig import TOKEN, fhir_server, parsed
from voice.adapters.identity import device_keys
from voice.transcript import Word

NOW = datetime(2026, 3, 5, tzinfo=UTC)
NIGHT = datetime(2026, 3, 1, 22, 10, tzinfo=HOME)
CHECKED = "[...document.querySelectorAll('.picking input')].map((one) => one.checked)"
TEXT = "document.querySelectorAll('textarea')[0].value"
FHIR = "document.querySelectorAll('textarea')[1].value"
PATIENT = "The client on the FHIR server (optional)"
COUNT = "document.querySelector('.picking ~ p').textContent"

pytestmark = pytest.mark.hard


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as made:
        yield made


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with serving(tmp_path / "server.db") as url:
        yield Clinic(tmp_path, url)


@pytest.fixture
def name(browser: Browser, clinic: Clinic) -> str:
    """A client with four noticings, one taken out by the server; the queue is shown. The device's id."""
    ana = clinic.device("ana")
    name = name_device(clinic, "Ana <i>")
    send(
        ana,
        replace(noticing(0), at=NIGHT),
        replace(noticing(0), at=NIGHT + timedelta(minutes=5)),
        said(Word("he"), Word("yelled", doubt=True), at=NIGHT + timedelta(hours=30)),
        said(Word(HOSTILE), at=NIGHT + timedelta(hours=31), part="\u202e<script>"),
    )
    with sqlite3.connect(clinic.folder / "server.db") as database:
        database.execute("DELETE FROM records WHERE sequence = 2")
    host(browser, clinic, "queue", now=NOW)
    # A queue that took longer than a moment is shown whole when it is asked for.
    until(browser, "host.announced.at(-1) === 'Everything was opened. 1 flag.'")
    evaluate(browser, "document.querySelector('.queue-status button')?.click()")
    until(browser, "document.querySelector('button.lines-of') !== null")
    assert name == device_keys(ana).id.hex()
    return name


def exports(clinic: Clinic) -> list[str]:
    store = Store.open(f"sqlite:///{clinic.folder / 'server.db'}")
    try:
        with store.database.read() as connection:
            entries = audit.entries(connection, limit=1000)
    finally:
        store.close()
    return [entry.subject.split()[-1] for entry in entries if entry.act == "records.exported"]


def saved(browser: Browser, button: str) -> tuple[str, bytes]:
    file = browser.ask("saved", name=button)
    return file["name"], base64.b64decode(file["bytes"])


def test_lines_are_chosen_by_keyboard_shown_and_saved(browser: Browser, clinic: Clinic, name: str) -> None:
    evaluate(browser, "document.querySelector('button.lines-of').click()")
    browser.ask("wait", heading="Export lines")
    browser.check()
    assert evaluate(browser, "document.activeElement.textContent") == "Export lines"
    assert "no longer sealed" in browser.text("p.warning")
    assert evaluate(browser, CHECKED) == [False] * 3
    assert evaluate(browser, TEXT) == ""
    assert evaluate(browser, "document.querySelectorAll('main i, main script, main img').length") == 0

    # Nothing is chosen: nothing is accounted for, and nothing goes out.
    browser.click("Save as FHIR")
    browser.sees("Choose at least one line first.")
    assert exports(clinic) == []

    # By the keyboard alone: the first and the last.
    evaluate(browser, "document.querySelector('.picking input').focus()")
    for key in (" ", "ArrowDown", " ", " ", "End", " "):
        browser.ask("press", key=key)
    assert evaluate(browser, CHECKED) == [True, False, True]
    assert evaluate(browser, COUNT) == "2 noticings chosen, 1 of them without a line."
    shown = evaluate(browser, TEXT)
    assert shown.splitlines() == [
        "Ana <i>",
        "2 noticings, in the client's own time",
        "",
        "Sunday 1 March 2026",
        "22:10  the foreman: no line",
        "",
        "Tuesday 3 March 2026",
        "05:10  \ufffd<script>: <img src=x onerror=alert(1)><b>he</b> \ufffdyelled\ufffd \ufffdback\ufffd",
        "",
        "! A record is missing between Sunday 1 March and Tuesday 3 March.",
    ]

    title, data = saved(browser, "Save as text")
    assert data.decode("utf-8") == shown
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    assert title == f"onebreath-{name[:8]}-{day}.txt"
    browser.sees("where your browser keeps downloads")
    assert exports(clinic) == ["count:2"]

    # By hand nothing is copied that is not accounted for.
    evaluate(browser, "navigator.clipboard.writeText('mine')")
    browser.unfold("As FHIR")
    until(browser, f"{FHIR} !== ''")
    for at in (0, 1):
        area = f"document.querySelectorAll('textarea')[{at}]"
        for keys in ("Control+c", "Control+x"):
            evaluate(
                browser,
                f"document.querySelector('.problem').textContent = ''; {area}.focus(); {area}.select()",
            )
            browser.ask("press", key=keys)
            if keys == "Control+c":
                browser.sees("Nothing was copied. Use the buttons below")
        dragged = f"{area}.dispatchEvent(new DragEvent('dragstart', {{ cancelable: true }}))"
        assert evaluate(browser, dragged) is False
    assert evaluate(browser, "navigator.clipboard.readText()") == "mine"
    assert exports(clinic) == ["count:2"]
    browser.check()

    # Where the browser does not let the button copy, what was accounted for may be copied by hand.
    evaluate(browser, "navigator.clipboard.writeText = async () => { throw new Error('no'); }; 0")
    browser.click("Copy as text")
    browser.sees("The browser did not allow copying.")
    evaluate(browser, "delete navigator.clipboard.writeText")
    assert exports(clinic) == ["count:2", "count:2"]
    evaluate(browser, "document.querySelectorAll('textarea')[0].focus()")
    browser.ask("press", key="Control+c")
    assert evaluate(browser, "navigator.clipboard.readText()") == shown

    # All of them, with their doubt marks, to the clipboard.
    browser.click("Choose all")
    by_hand = "dispatchEvent(new ClipboardEvent('copy', { cancelable: true }))"
    assert evaluate(browser, f"document.querySelectorAll('textarea')[0].{by_hand}") is False
    assert evaluate(browser, "host.announced.at(-1)") == "3 noticings chosen, 1 of them without a line."
    browser.click("Copy as text")
    until(browser, "(host.announced.at(-1) ?? '').startsWith('Copied.')")
    copied = evaluate(browser, "navigator.clipboard.readText()")
    assert "04:10  the foreman: he yelled (?)\n" in copied
    assert copied.endswith("\n\n(?) after a word: the recogniser was unsure of it.\n")
    assert exports(clinic) == ["count:2", "count:2", "count:3"]
    browser.check()
    browser.click("Choose none")
    assert evaluate(browser, CHECKED) == [False] * 3
    assert browser.ask("errors") == []


def test_fhir_is_the_same_as_the_command_lines_and_holds(browser: Browser, clinic: Clinic, name: str) -> None:
    # By way of the page for the session.
    evaluate(browser, "document.querySelector('button.page-for').click()")
    browser.ask("wait", heading="Page for the session")
    browser.check()
    browser.click("Export lines")
    browser.ask("wait", heading="Export lines")
    browser.click("Choose all")
    browser.fill(PATIENT, "Bob")
    browser.click("Save as FHIR")
    browser.sees("Give the client on the FHIR server such as Patient/123, or leave the field empty.")
    assert exports(clinic) == []
    browser.fill(PATIENT, "Patient/123")
    browser.unfold("As FHIR")
    until(browser, f"{FHIR}.includes('Patient/123')")
    assert "! A record is missing" in browser.text("details")
    browser.check()

    title, data = saved(browser, "Save as FHIR")
    assert title.startswith(f"onebreath-{name[:8]}-")
    assert title.endswith(".fhir.json")
    assert exports(clinic) == ["count:3"]
    assert len(parsed(data).entry or ()) == 3
    document = json.loads(data)
    reading = read(clinic.clinician, *clinic.listed(), Memory())
    records = reading.records[::-1]
    at = document["timestamp"]
    assert data == spell(bundle(records, reading.flags, exported_at=at, patient="Patient/123"))
    shown = json.loads(evaluate(browser, FHIR))
    assert undated(shown) == undated(document)
    assert b"Ana" not in data

    # A real FHIR server takes it, once.
    with fhir_server() as fhir:
        assert fhir.validate(document) == []
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"}
        for status in ("201", "200"):
            answer = httpx.post(f"{fhir.url}/", content=data, headers=headers)
            assert answer.status_code == 200, answer.text
            assert {one["response"]["status"] for one in answer.json()["entry"]} == {status}
        assert len(fhir.stored()[0]) == 3

    # The way back, and back again; what was shown is gone with the view, and nothing was kept.
    browser.ask("media", dark=True, width=360)
    assert evaluate(browser, "document.documentElement.scrollWidth <= innerWidth")
    browser.ask("media", dark=False)
    browser.click("Back")
    browser.ask("wait", heading="Page for the session")
    browser.click("Back to the list")
    browser.ask("wait", heading="Since the last session")
    kept = evaluate(
        browser,
        "(async () => JSON.stringify({ ...localStorage, ...sessionStorage, title: document.title, "
        "url: location.href, caches: await caches.keys(), bases: await indexedDB.databases() }))()",
    )
    assert not any(word in kept for word in ("yelled", "foreman", "Ana", "DocumentReference"))
    evaluate(browser, "host.down()")
    assert "yelled" not in browser.ask("content")
    assert browser.ask("errors") == []


@pytest.mark.usefixtures("name")
def test_nothing_goes_out_that_is_not_accounted_for(browser: Browser, clinic: Clinic) -> None:
    evaluate(browser, "document.querySelector('button.lines-of').click()")
    browser.ask("wait", heading="Export lines")
    browser.click("Choose all")
    evaluate(browser, "navigator.clipboard.writeText('mine')")
    evaluate(browser, "host.offline = true; 0")
    evaluate(
        browser,
        "globalThis.made = 0; const make = URL.createObjectURL; "
        "URL.createObjectURL = (one) => (made++, make(one)); 0",
    )
    for button in ("Copy as text", "Save as text", "Save as FHIR"):
        browser.click(button)
        browser.sees("The server cannot be reached.")
    assert evaluate(browser, "navigator.clipboard.readText()") == "mine"
    assert evaluate(browser, "made") == 0
    assert exports(clinic) == []
    browser.check()
    # Taken down while the server is asked: nothing goes out afterwards either.
    evaluate(browser, "host.offline = false; 0")
    save = "[...document.querySelectorAll('button')].find((one) => one.textContent === 'Save as text')"
    evaluate(browser, f"{save}.click(); host.down()")
    assert evaluate(browser, "new Promise((done) => setTimeout(() => done(made), 500))") == 0
    assert browser.ask("errors") == []


def undated(document: dict[str, Any]) -> dict[str, Any]:
    """Without the time of the export, which is the server's when it is saved."""
    entries = [{**one, "resource": {**one["resource"], "date": None}} for one in document["entry"]]
    return {**document, "timestamp": None, "entry": entries}
