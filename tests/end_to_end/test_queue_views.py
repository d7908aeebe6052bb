"""The queue, the page for the session, the week: in Chromium, on a real server, with records of real devices.

The shell is not in it: a view gets its keys from the test, and its calls are signed like the command line's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from server.keyfile import Clinician
from server.reader import judge
from server.reader_notes import label_for
from tests.clinic_rig import Clinic, noticing, send, serving
from tests.end_to_end.browser import Browser, running
from voice.noticing import Noticing
from voice.transcript import Transcript, Word
from voice.wire.encoding import b64url

HOSTILE = "<img src=x onerror=alert(1)><b>he</b> \u202eyelled\u202c \u2067back\x07"
LONG = " ".join(f"word{at}" for at in range(600))
HOME = timezone(timedelta(hours=13))

HOST = """
(async (given) => {
  const at = (path) => import(`/page/${path}`);
  const [keys, bytes] = [await at("wire/primitives.js"), await at("wire/bytes.js")];
  const identity = await keys.signingKey(bytes.fromB64url(given.identity));
  const own = await Promise.all(given.readings.map((raw) => keys.agreementKey(bytes.fromB64url(raw))));
  const unlocked = {
    reader: { identity: identity.public, keys: own, destroyed: new Map() },
    identity, reading: own[0].public, clinicianId: bytes.fromHex(given.id, 16),
  };
  const text = (data) => btoa(String.fromCharCode(...data));
  const nonce = () => bytes.b64url(keys.random(18));
  async function api(method, path, fields) {
    if (host.offline) {
      const { OfflineError } = await at("api.js");
      throw new OfflineError("The server cannot be reached.");
    }
    if (path.startsWith("/v1/tombstones")) await host.held;
    const body = new TextEncoder().encode(fields === undefined ? "" : JSON.stringify(fields));
    const digest = `sha-256=:${text(await keys.sha256(body))}:`;
    const how = `("@method" "@target-uri" "content-digest");created=${Math.floor(Date.now() / 1000)}` +
      `;keyid="clinician:${given.id}";nonce="${nonce()}";tag="onebreath"`;
    const base = `"@method": ${method}\\n"@target-uri": ${location.origin}${path}\\n` +
      `"content-digest": ${digest}\\n"@signature-params": ${how}`;
    const signature = text(await keys.sign(identity, new TextEncoder().encode(base)));
    const headers = { "Content-Digest": digest, "Signature-Input": `onebreath=${how}`,
      Signature: `onebreath=:${signature}:`, "Content-Type": "application/json" };
    const answer = await fetch(path, { method, headers, ...(fields === undefined ? {} : { body }) });
    const said = await answer.json();
    if (!answer.ok) throw new RangeError(said.message);
    return said;
  }
  const announce = (said) => host.announced.push(said);
  const context = { api, keys: () => unlocked, announce, now: () => given.now };
  const style = document.createElement("link");
  [style.rel, style.href] = ["stylesheet", "/page/views.css"];
  const styled = new Promise((resolve) => style.addEventListener("load", resolve));
  document.head.append(style);
  await styled;
  document.title = "Onebreath";
  const main = document.querySelector("main");
  main.className = "";
  globalThis.host = {
    announced: [], offline: false, held: null, down: () => {}, from: Infinity, moved: 0,
    async mount(name) {
      host.down();
      main.replaceChildren(document.createElement("div"));
      const { mount } = await at(`views/${name}.js`);
      host.down = mount(main.firstChild, context);
      main.querySelector("h1").focus();
      // From the view's first frame on: how the test brought it here does not count.
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      [host.from, host.moved] = [performance.now(), 0];
    },
  };
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput && one.startTime > host.from) {
      host.moved += one.value;
          }
  }).observe({ type: "layout-shift" });
})
"""


def said(*words: Word, at: datetime, part: str = "the foreman") -> Noticing:
    return Noticing(part, at, Transcript(words, "vosk"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as made:
        yield made


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with serving(tmp_path / "server.db") as url:
        yield Clinic(tmp_path, url)


def name_device(clinic: Clinic, name: str) -> str:
    """Name the client of the only device there is; the device's id in hex."""
    [entry] = clinic.listed()[0]
    with clinic.client() as client:
        client.label(entry.device_id, label_for(judge(entry, clinic.clinician), clinic.clinician, name))
    return entry.device_id.hex()


def host(browser: Browser, clinic: Clinic, view: str, *, now: datetime) -> None:
    """A tab with the view in it, by the page's own policy."""
    clinician: Clinician = clinic.clinician
    given: dict[str, Any] = {
        "identity": b64url(clinician.identity.private_bytes_raw()),
        "readings": [b64url(one.private_bytes_raw()) for one in clinician.readings],
        "id": clinician.id.hex(),
        "now": int(now.timestamp() * 1000),
    }
    browser.fresh()
    browser.open(f"{clinic.url}/pair/0")
    evaluate(browser, f"({HOST.strip()})({json.dumps(given)})")
    evaluate(browser, f"host.mount({json.dumps(view)})")


def evaluate(browser: Browser, code: str) -> Any:
    return browser.ask("evaluate", code=code)


def until(browser: Browser, code: str) -> None:
    """Wait until it holds; for half a minute at most."""
    again = "await new Promise((resolve) => setTimeout(resolve, 50));"
    tries = f"for (let left = 600; left > 0 && !({code}); left--) {again}"
    assert evaluate(browser, f"(async () => {{ {tries} return Boolean({code}); }})()"), code


MOVED = "new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(host.moved))))"
"""The layout shift so far, once what was just done is painted."""
MARCH = datetime(2026, 3, 20, tzinfo=UTC)


def test_the_queue_is_read_marked_copied_and_forgotten(browser: Browser, clinic: Clinic) -> None:
    ana = clinic.device("ana")
    name = name_device(clinic, "Ana <i>")
    bo = clinic.device("bo")
    night = datetime(2026, 3, 1, 22, 10, tzinfo=HOME)
    runs = [replace(noticing(0), at=night + timedelta(minutes=30 * step)) for step in range(3)]
    doubt = said(Word("he"), Word("yelled", doubt=True), at=night + timedelta(hours=30))
    send(ana, *runs, doubt)
    send(
        bo,
        noticing(0, "plain", "words"),
        said(Word(HOSTILE), Word(LONG), at=night + timedelta(hours=40), part="\u202e<script>"),
    )
    with sqlite3.connect(clinic.folder / "server.db") as database:
        database.execute("DELETE FROM records WHERE device_id = ? AND sequence = 2", (bytes.fromhex(name),))
    host(browser, clinic, "queue", now=MARCH)
    until(browser, "document.querySelectorAll('article').length === 4")
    # Not innerText, which leaves out what is not on the screen yet.
    shown = evaluate(browser, "document.querySelector('main').textContent")
    assert "Ana <i>" in shown
    assert "2 times, no line" in shown
    assert "22:10, 23:10" in shown or "23:10, 22:10" in shown
    assert "he yelled (?) (unsure)" in shown
    assert "Tuesday 3 March 2026" in shown
    assert "A record is missing on Sunday 1 March, between 22:10 and 23:10." in shown
    assert "1 flag." in shown
    assert shown.count("new") >= 3
    assert "<img src=x onerror=alert(1)><b>he</b> \ufffdyelled\ufffd \ufffdback\ufffd" in shown
    assert "word599" in shown
    assert evaluate(browser, "document.querySelectorAll('main img, main b, main script, main i').length") == 0
    assert evaluate(browser, "document.documentElement.scrollWidth <= innerWidth")
    assert evaluate(browser, MOVED) < 0.01
    browser.check()
    asked = [one["url"] for one in browser.ask("requests")]
    assert any(url.endswith("/page/views/queue_worker.js") for url in asked), "opened in a worker"

    # By the keyboard alone: to the second entry, marked, and taken back.
    evaluate(browser, "document.querySelector('article').focus()")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Home", "ArrowDown", "d"):
        browser.ask("press", key=key)
    until(browser, "host.announced.at(-1) === 'Marked as discussed.'")
    pressed = "[...document.querySelectorAll('.discuss')].map((one) => one.getAttribute('aria-pressed'))"
    assert evaluate(browser, pressed) == ["false", "true", "false", "false"]
    assert evaluate(browser, "document.activeElement === document.querySelectorAll('article')[1]")
    browser.ask("press", key="d")
    until(browser, "host.announced.at(-1) === 'No longer marked as discussed.'")
    browser.ask("press", key="d")
    until(browser, "host.announced.filter((one) => one === 'Marked as discussed.').length === 2")
    with clinic.client() as client:
        assert len(client.call("GET", "/v1/marks")["marks"]) == 1

    # The page for the session, as text.
    evaluate(browser, "document.querySelectorAll('section.client button.page-for')[1].click()")
    browser.ask("wait", heading="Page for the session")
    browser.check()
    browser.click("Copy as text")
    until(browser, "host.announced.at(-1) === 'Copied.'")
    copied = evaluate(browser, "navigator.clipboard.readText()").splitlines()
    assert copied[0] == "Ana <i>"
    assert "22:10, 23:10  the foreman: 2 times, no line" in copied
    browser.ask("media", dark=False, print=True)
    assert "Copy as text" not in browser.text("body")
    assert "2 times, no line" in browser.text("body")
    assert evaluate(browser, "getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    browser.ask("media", dark=False)
    browser.click("Back to the list")
    browser.ask("wait", heading="Since the last session")

    # What stays in the browser says nothing; what was shown is gone with the view.
    kept = evaluate(
        browser,
        "JSON.stringify({ ...localStorage, ...sessionStorage, title: document.title, url: location.href })",
    )
    assert "onebreath.read." in kept
    assert not any(word in kept for word in ("yelled", "foreman", "Ana", "word599"))
    evaluate(browser, "host.down()")
    assert "yelled" not in browser.ask("content")
    assert browser.ask("errors") == []


def test_the_week_is_a_table_with_a_plain_sentence(browser: Browser, clinic: Clinic) -> None:
    home = clinic.device("ana")
    nights = [datetime(2026, 3, day, 22, 30, tzinfo=HOME) for day in (1, 1, 3, 8, 10)]
    send(home, *[replace(noticing(0), at=at) for at in nights])
    host(browser, clinic, "week", now=MARCH)
    until(browser, "document.querySelector('table')")
    assert browser.text(".sentence") == "Mostly Tuesday and Sunday nights, after ten."
    assert browser.text("caption") == (
        "5 noticings by day and hour, from Sunday 1 March 2026 to Tuesday 10 March 2026."
    )
    table = (
        "[...document.querySelectorAll('tr')].map((row) => [...row.cells].map((one) => one.innerText.trim()))"
    )
    rows = evaluate(browser, table)
    assert [len(row) for row in rows] == [9] * 26
    assert rows[23] == ["22:00", "0", "2", "0", "0", "0", "0", "3", "5"]
    browser.check()
    browser.ask("media", dark=True, width=360)
    assert evaluate(browser, "document.documentElement.scrollWidth <= innerWidth")
    browser.ask("media", dark=False)


def test_empty_offline_and_long_queues(browser: Browser, clinic: Clinic) -> None:
    home = clinic.device("ana")
    host(browser, clinic, "queue", now=MARCH)
    browser.sees("No records yet.")
    browser.check()
    evaluate(browser, "host.offline = true; host.mount('queue')")
    browser.sees("The server cannot be reached.")
    browser.check()
    send(home, *[noticing(step // 10, "he", f"yelled{step}") for step in range(130)])
    with sqlite3.connect(clinic.folder / "server.db") as database:
        database.execute("DELETE FROM records WHERE sequence = 2")
    # The end is held back: the newest can be read, and stay where they are when the rest has come.
    evaluate(
        browser, "host.offline = false; host.held = new Promise((resolve) => { host.release = resolve; }); 0"
    )
    browser.click("Try again")
    until(browser, "document.querySelectorAll('article').length === 20")
    until(browser, "document.querySelector('.far').textContent === 'Opening 129 of 129'")
    evaluate(browser, "document.querySelectorAll('article')[3].focus()")
    browser.ask("press", key="d")
    until(browser, "host.announced.at(-1) === 'Marks can be set once everything was opened.'")
    assert "50 noticings, 50 new." in browser.text("main")
    evaluate(browser, "host.moved = 0; host.release(); 0")
    until(browser, "host.announced.at(-1) === 'Everything was opened. 1 flag.'")
    assert browser.text(".far") == "Opened: 129."
    assert evaluate(browser, MOVED) < 0.01
    assert evaluate(browser, "document.activeElement === document.querySelectorAll('article')[3]")
    browser.check()
    browser.click("Show everything that was opened")
    assert "129 noticings, 129 new. 1 flag." in browser.text("main")
    assert "! A record is missing on Monday 2 March" in browser.text("main")
    assert evaluate(browser, "document.querySelectorAll('article').length") == 20
    browser.click("Show 20 more of 109")
    assert evaluate(browser, "document.querySelectorAll('article').length") == 40
    assert evaluate(browser, "document.activeElement === document.querySelectorAll('article')[20]")
    assert browser.ask("errors") == []
