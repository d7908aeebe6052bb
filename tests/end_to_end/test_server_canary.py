"""What a client named and said is nowhere at the server: no file, page, log, count, or backup.

The line is spoken by a synthesiser, heard by the real device, sealed, sent to a real server that logs all it
can, read, and backed up. Then everything on the server's side is searched in every usual writing; that the
search can fail is shown on the server's own database with the line planted in it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.product import LINE, PART, Product, exchange_scene, write
from tests.end_to_end.traces import files_in, text_in, texts_in_files
from tests.server.postgres import Cluster, binaries

pytestmark = pytest.mark.speech

SAID = LINE.removesuffix(" window")
"""What is looked for: PostgreSQL's own catalogue, and so its log of writes, knows the word "window"."""


@dataclass(frozen=True)
class Kept:
    """What is left on the server's side. `live` was copied while it ran; `stored` is what scans look at."""

    live: Path
    folders: tuple[Path, ...]
    queue: dict[str, Any]
    metrics: str
    backups: tuple[Path, ...]
    log: str
    since: float


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder: Path = tmp_path_factory.mktemp("canary")
    with ExitStack() as stack:
        product = Product(folder)
        data: list[Path] = []
        if request.param == "postgresql":
            programs = binaries()
            if programs is None:
                assert not os.environ.get("CI"), "CI installs PostgreSQL"
                pytest.skip("PostgreSQL is not installed")
            cluster = Cluster.start(programs)
            stack.callback(cluster.stop)
            product.database = cluster.fresh()  # type: ignore[assignment]
            data = [cluster.folder / "data", cluster.folder / "log"]
        yield lived(product, folder, data)


def lived(product: Product, folder: Path, data: list[Path]) -> Kept:
    """From a link to a backup, with all that can be logged and counted."""
    port = free_port()
    product._env[product.practice] |= {
        "ONEBREATH_LOG_LEVEL": "debug",
        "ONEBREATH_LOG_REQUESTS": "true",
        "ONEBREATH_LOG_ADDRESSES": "true",
        "ONEBREATH_METRICS_PORT": str(port),
    }
    marker = folder / "begun"
    marker.touch()
    product.add_clinician()
    with product.serving() as server:
        product.pair(server)
        product.enrol()
        product.replay(write(product.said / "line.wav", exchange_scene(LINE)[0]))
        queue = product.queue(server)
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        (product.practice / "metrics.txt").write_text(metrics)
        backups = product.practice / "backups"
        backups.mkdir()
        database = ("--database", str(product.database))
        product.run(product.practice, "backup", "create", str(backups), *database)
        product.run(product.practice, "audit", "verify", *database)
        live = folder / "live"
        shutil.copytree(product.practice, live)
    unpacked = folder / "unpacked"
    for one in backups.iterdir():
        with tarfile.open(one) as archive:
            archive.extractall(unpacked / one.name, filter="data")
    log = (product.practice / "serve.log").read_text()
    scanned = (live, product.practice, unpacked, *data)
    return Kept(live, scanned, queue, metrics, tuple(backups.iterdir()), log, marker.stat().st_mtime)


def files(kept: Kept) -> list[Path]:
    """Every file of the server's side that was written since it began."""
    alone = [one for one in kept.folders if one.is_file()]
    return [
        path
        for path in [*files_in(*kept.folders), *alone]
        if path.exists() and path.stat().st_mtime >= kept.since
    ]


def test_the_line_arrived_so_that_its_absence_means_something(kept: Kept) -> None:
    opened = json.dumps(kept.queue).encode()
    assert text_in(opened, LINE) == LINE
    assert text_in(opened, PART) == PART
    assert kept.queue["flags"] == []


def test_S19_neither_line_nor_name_is_in_any_file_of_the_server(kept: Kept) -> None:
    scanned = files(kept)
    names = {path.name for path in scanned}
    assert {"serve.log", "metrics.txt", "okafor.key.json"} <= names
    pages = [
        path for path in scanned if path.name in ("server.db", "server.db-wal") or "pg_wal" in path.parts
    ]
    assert sum(path.stat().st_size for path in pages) > 2_272, "the record is in what is looked at"
    assert texts_in_files(scanned, SAID, PART) == []


def test_the_logs_and_counts_are_there_to_be_looked_at(kept: Kept) -> None:
    assert "/v1/records/{record}" in kept.log
    assert 'onebreath_records_total{result="taken"} 1.0' in kept.metrics
    assert len(kept.backups) == 1
    assert kept.backups[0].stat().st_size > 2_000


def test_the_search_finds_the_line_where_it_is_planted(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "clean").write_bytes(kept.backups[0].read_bytes())
    assert texts_in_files(files_in(tmp_path), SAID, PART) == []
    (tmp_path / "log").write_text(kept.log + f'{{"message": "heard {SAID.split()[3]}"}}\n')
    if (kept.live / "server.db").exists():
        shutil.copy(kept.live / "server.db", tmp_path / "planted.db")
        with closing(sqlite3.connect(tmp_path / "planted.db")) as database, database:
            database.execute("UPDATE practices SET name = ?", (PART,))
        found = texts_in_files(files_in(tmp_path), SAID, PART)
        assert [(path.name, text) for path, text in found] == [("log", SAID), ("planted.db", PART)]
    else:
        assert [path.name for path, _ in texts_in_files(files_in(tmp_path), SAID, PART)] == ["log"]
