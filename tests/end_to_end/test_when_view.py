"""S20 on the page: the client's own words for when they noticed, week by week, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.clinic_rig import Clinic, noticing, send, serving
from tests.end_to_end.browser import Browser, running
from tests.end_to_end.test_queue_views import evaluate, host, name_device, until
from voice.noticing import Noticing, When

HOME = timezone(timedelta(hours=13))
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
"""A Friday."""

TABLE = (
    "[...document.querySelectorAll('table.when tr')]"
    ".map((row) => [...row.cells].map((one) => one.textContent.trim()))"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as made:
        yield made


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with serving(tmp_path / "server.db") as url:
        yield Clinic(tmp_path, url)


def on(day: int, when: When | None, month: int = 3) -> Noticing:
    return replace(noticing(0), at=datetime(2026, month, day, 22, 30, tzinfo=HOME), when=when)


ANSWERED = (
    on(26, When.AFTER, month=2),
    on(9, When.STARTING),
    on(10, When.IN),
    on(11, When.IN),
    on(12, None),
    on(16, When.STARTING),
    on(17, When.STARTING),
    on(18, When.IN),
    on(19, When.STARTING),
)


def test_S20_a_little_earlier_each_week_counts_the_clients_own_words(
    browser: Browser, clinic: Clinic
) -> None:
    send(clinic.device("ana"), *ANSWERED)
    name_device(clinic, "Ana")
    host(browser, clinic, "week", now=NOW)
    until(browser, "document.querySelector('table.when')")
    assert evaluate(browser, TABLE) == [
        ["Week", "starting", "in it", "after", "all"],
        ["This week, from Monday 16 March 2026", "3", "1", "0", "4"],
        ["The week before, from Monday 9 March 2026", "1", "2", "0", "4"],
        ["From Monday 2 March 2026", "0", "0", "0", "0"],
        ["From Monday 23 February 2026", "0", "0", "1", "1"],
    ]
    said = "This week: 3 times starting, 1 time in it. The week before: 1 starting, 2 in it."
    browser.sees("A little earlier each week")
    browser.sees(said)
    assert said in evaluate(browser, "host.announced.at(-1)")
    heads: Any = evaluate(browser, "[...document.querySelectorAll('table.when th')].map((one) => one.scope)")
    assert heads == ["col"] * 5 + ["row"] * 4
    browser.check()
    for dark, width in ((True, 360), (False, 1100)):
        browser.ask("media", dark=dark, width=width)
        browser.check()
        assert evaluate(browser, "document.documentElement.scrollWidth <= innerWidth")
    browser.ask("media", dark=False)

    evaluate(
        browser,
        "(() => { const chosen = document.querySelectorAll('select')[1]; chosen.value = 'week';"
        " chosen.dispatchEvent(new Event('change')); })()",
    )
    weeks = [row[0].split(",")[0] for row in evaluate(browser, TABLE)[1:]]
    assert weeks == ["This week", "The week before"]
    evaluate(browser, "host.down()")
    assert "in it" not in browser.ask("content")
    assert browser.ask("errors") == []


def test_S20_nothing_of_it_is_shown_where_nobody_was_asked(browser: Browser, clinic: Clinic) -> None:
    send(clinic.device("ana"), *(replace(one, when=None) for one in ANSWERED))
    host(browser, clinic, "week", now=NOW)
    until(browser, "document.querySelector('table')")
    assert evaluate(browser, "document.querySelectorAll('table').length") == 1
    assert "earlier" not in browser.ask("content").lower()
    assert not any("time" in said for said in evaluate(browser, "host.announced"))
    browser.check()
