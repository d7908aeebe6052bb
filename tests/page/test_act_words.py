"""Each act of the audit chain has words of its own in the access log."""

from __future__ import annotations

import re

from server.audit import Act
from tests.page.page_peer import ROOT

ACTS = (ROOT / "server" / "page" / "views" / "acts.js").read_text("utf-8")


def test_every_act_has_words() -> None:
    said = dict(re.findall(r'\["([a-z_.]+)", "([^"]+)"\]', ACTS))
    assert list(said) == list(Act)
    assert len(set(said.values())) == len(said)
