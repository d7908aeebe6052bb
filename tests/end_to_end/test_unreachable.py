"""The outbox as processes: no server, then a server. What was saved arrives once, byte for byte."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.product import LINE, PART, Product, exchange_scene, write
from tests.end_to_end.traces import files_in, texts_in_files
from voice.scene import scene

pytestmark = pytest.mark.speech


ON_DEVICE = "SELECT sealed FROM record ORDER BY sequence"
AT_PRACTICE = "SELECT frame FROM records ORDER BY sequence"


def sealed(database: Path, query: str) -> list[bytes]:
    """The sealed records in a database."""
    with closing(sqlite3.connect(database)) as opened:
        return [row[0] for row in opened.execute(query)]


def test_a_line_said_without_a_server_arrives_once_when_there_is_one(tmp_path: Path) -> None:
    product = Product(tmp_path)
    outbox = product.home / "outbox.sqlite"
    product.add_clinician()
    with product.serving() as server:
        product.pair(server)
        product.enrol()
    sound, _ = exchange_scene(LINE)
    spoken = write(product.said / "spoken.wav", sound)
    quiet = write(product.said / "quiet.wav", scene([], 2.0))

    events = product.replay(spoken)

    (kept,) = (event for event in events if event["event"] == "sealed")
    assert not kept["online"]
    assert [event["prompt"] for event in events if event["event"] == "said"] == [
        "ask.line",
        "close.saved_offline",
    ]
    assert events[-1]["reason"] == "line"
    (waiting,) = sealed(outbox, ON_DEVICE)
    assert "still on this device, to be sent later: 1" in (product.device / "stderr").read_text()
    assert texts_in_files(files_in(product.device), LINE) == []

    with product.serving(port=int(server.rsplit(":", 1)[1])):
        assert product.queue(server)["records"] == []
        product.replay(quiet)
        assert sealed(outbox, ON_DEVICE) == []
        product.replay(quiet)
        queue = product.queue(server)

    assert sealed(product.database, AT_PRACTICE) == [waiting]
    assert queue["flags"] == []
    (record,) = queue["records"]
    assert record["record"] == kept["record"]
    assert record["part"] == PART
    assert record["line"]["text"] == LINE
