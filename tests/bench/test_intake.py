"""The benchmark of intake as a person runs it, small; and its parts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bench.intake_load import percentile
from bench.intake_practice import FRAME_BYTES, Practice
from bench.intake_report import ratio, report
from server.schema import Record
from server.settings import database_url
from server.store import Store
from voice.wire.envelope import parse_frame

pytestmark = pytest.mark.hard

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / "intake.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    done = run(
        *("--database", "sqlite", "--devices", "1,4", "--seconds", "1.2", "--stored", "10100", "--json")
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_both_servers_are_measured_in_every_way_and_nothing_fails(document: dict[str, Any]) -> None:
    rows = document["rows"]
    found = {(row["stored"], row["load"], row["devices"], row["system"]) for row in rows}
    for stored in (10_000, 10_100):
        for devices in (1, 4):
            for system in ("onebreath", "bare"):
                assert (stored, "closed", devices, system) in found
        assert (stored, "paced", 4, "onebreath") in found
        assert (stored, "page", 1, "onebreath") in found
    for row in rows:
        assert row["failed"] == {}
        assert row["answered"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["highest_ms"]
        assert row["server_ms"] >= 0
        assert row["client_ms"] > 0


def test_the_report_names_the_budgets(document: dict[str, Any]) -> None:
    text = report(document)
    assert "of the bare handler's rate (budget 50%)" in text
    assert "10,100 records kept" in text
    rows = [row for row in document["rows"] if row["stored"] == 10_000]
    beside = ratio(rows, 4)
    assert beside is not None
    assert f"4 devices: {beside:.0%}" in text
    assert ratio(rows, 7) is None


def test_what_is_filled_in_has_a_records_shape(tmp_path: Path) -> None:
    url = database_url(str(tmp_path / "server.db"))
    practice = Practice.found(url, 12)
    assert practice.fill(url, 60) == 10, "the second clinician has two devices of five records"
    store = Store.open(url)
    try:
        with store.database.read() as connection:
            assert connection.execute(select(func.count()).select_from(Record)).scalar_one() == 60
        for clinician, count in zip(practice.clinicians, (50, 10), strict=True):
            rows = store.records(clinician.clinician_id, after=0, limit=100)
            assert [row.cursor for row in rows] == list(range(1, count + 1))
            for row in rows:
                assert len(row.frame) == FRAME_BYTES
                assert parse_frame(row.frame).device_id == row.device_id
    finally:
        store.close()


def test_percentiles() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0


def test_help_and_what_cannot_be_done() -> None:
    assert "--stored" in run("--help").stdout
    for arguments in (("--devices", "0"), ("--database", "oracle"), ("--stored", "-1")):
        done = run(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
