"""index.html names every module that the page needs at its start, and no other."""

from __future__ import annotations

import re

from tools.page_preloads import PAGE, needed, with_links

INDEX = (PAGE / "index.html").read_text("utf-8")


def test_the_list_is_the_import_graph_of_the_start() -> None:
    listed = re.findall(r'<link rel="modulepreload" href="/page/([^"]+)">', INDEX)
    assert listed == needed(), "write it anew: .venv/bin/python -m tools.page_preloads"
    assert with_links(INDEX) == INDEX
    assert len(listed) == len(set(listed)) > 50
    assert "app.js" not in listed
    assert not [name for name in listed if "worker" in name and name != "workers.js"]


def test_a_list_that_is_old_is_written_anew() -> None:
    whole = with_links(INDEX)
    lacking = whole.replace('<link rel="modulepreload" href="/page/api.js">\n', "")
    assert lacking != whole
    assert with_links(lacking) == whole
    assert with_links(re.sub(r'<link rel="modulepreload"[^\n]*\n', "", whole)) == whole
