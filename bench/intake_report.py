"""The figures of intake as text, each beside its reference and its budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Row = dict[str, Any]

RATE_BUDGET: Final = 0.5
P99_BUDGET_MS: Final = 50.0
PACED_AT: Final = 100


def report(document: dict[str, Any]) -> str:
    """Everything that was measured, for a terminal or a README."""
    rows: list[Row] = document["rows"]
    parts = [
        f"# Intake\n\n{document['machine']}; a record is {document['frame_bytes']} bytes. "
        "ms: processor time of each record, all threads. Load average at the end: "
        f"{document['load_average'][0]:.1f}."
    ]
    for database in dict.fromkeys(row["database"] for row in rows):
        mine = [row for row in rows if row["database"] == database]
        for stored in dict.fromkeys(row["stored"] for row in mine):
            here = [row for row in mine if row["stored"] == stored]
            parts.append(f"## {database}, {stored:,} records kept\n\n{_table(here)}\n\n{_verdicts(here)}")
    return "\n\n".join(parts)


def ratio(rows: Sequence[Row], devices: int) -> float | None:
    """Our rate over the bare handler's, at so many devices."""
    rates = {
        row["system"]: row["per_second"]
        for row in rows
        if row["load"] == "closed" and row["devices"] == devices
    }
    return rates["onebreath"] / rates["bare"] if rates.get("bare") else None


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "| load | devices | system | a second | of bare | p50 ms | p99 ms | server ms | client ms | failed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        beside = ratio(rows, row["devices"]) if _is(row, "closed") else None
        cells = [
            row["load"],
            row["devices"],
            row["system"],
            f"{row['per_second']:.0f}",
            "" if beside is None else f"{beside:.0%}",
            _number(row["p50_ms"]),
            _number(row["p99_ms"]),
            f"{row['server_ms']:.2f}",
            f"{row['client_ms']:.2f}",
            ", ".join(f"{count} x {status}" for status, count in row["failed"].items()) or "0",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _verdicts(rows: Sequence[Row]) -> str:
    said = []
    for devices in dict.fromkeys(row["devices"] for row in rows if row["load"] == "closed"):
        beside = ratio(rows, devices)
        if beside is not None:
            said.append(
                f"{devices} devices: {beside:.0%} of the bare handler's rate (budget {RATE_BUDGET:.0%})"
            )
    for row in rows:
        if _is(row, "paced"):
            budget = f" (budget {P99_BUDGET_MS:.0f} ms)" if row["devices"] == PACED_AT else ""
            said.append(
                f"{row['devices']} devices, one record a second each: p99 {_number(row['p99_ms'])} ms{budget}"
            )
    return "\n".join(said)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _is(row: Row, load: str) -> bool:
    return (row["load"], row["system"]) == (load, "onebreath")
