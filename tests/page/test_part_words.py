"""What the page says the device does by itself is what the device does."""

from __future__ import annotations

import json
import re

from tests.page.page_peer import ROOT
from voice.settings import HEARS, PROFILES, Settings

WORDS = (ROOT / "server" / "page" / "parts" / "settings.js").read_text("utf-8")


def said(name: str) -> dict[str, object]:
    """A constant of plain words and numbers, as data."""
    found = re.search(rf"{name} = (\{{.*?\}});", WORDS)
    assert found is not None
    told: dict[str, object] = json.loads(re.sub(r"(\w+):", r'"\1":', found[1]))
    return told


def test_the_defaults_are_those_of_the_device() -> None:
    own = Settings()
    assert said("BY_ITSELF") == {
        "danger_number": own.danger_number,
        "hears": own.hears,
        "language": own.language,
        "pace": next(name for name, timing in PROFILES.items() if timing == own.timing),
        "talk_number": own.talk_number,
    }
    assert own.quiet_hours is None
    assert own.reads_on == ()
    assert not own.asks_when


def test_the_paces_are_those_of_the_device() -> None:
    paces = {name: [timing.wait_s, timing.end_silence_s] for name, timing in PROFILES.items()}
    assert said("PACES") == paces


def test_who_is_heard_is_what_the_device_knows() -> None:
    assert re.findall(r'^  \["(\w+)", ".*"\],$', WORDS, re.MULTILINE)[: len(HEARS)] == list(HEARS)
