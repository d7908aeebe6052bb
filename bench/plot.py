"""Missed against false accepts an hour, drawn: one panel for each condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from bench.measure import CLASSIFIER, OURS
from bench.options import headline
from bench.references import KEYPHRASE

Row = dict[str, Any]

ORDER: Final = (
    *("clean", "pink-10", "room-10", "babble-10", "music-10", "far", "quiet", "whisper", "slow"),
    *("pink-5", "room-5", "babble-5", "music-5"),
)
"""Panels in this order, as far as they were measured; anything else follows."""

COLUMNS: Final = 3

TITLES: Final = {
    "quiet": "20 dB softer",
    "whisper": "whispered (simulated)",
    "slow": "slow, 1.4 times (simulated)",
    "far": "3 m away (simulated room)",
}
STYLES: Final[dict[str, dict[str, Any]]] = {
    OURS: {"color": "#10395b", "linewidth": 2.4, "linestyle": "-"},
    CLASSIFIER: {"color": "#c0561f", "linewidth": 1.7, "linestyle": (0, (6, 2))},
    KEYPHRASE: {"color": "#7f8a94", "linewidth": 1.7, "linestyle": (0, (1.5, 1.5))},
}
LABELS: Final = {
    OURS: "Onebreath",
    CLASSIFIER: "classifier on the wake-word wheel's embeddings",
    KEYPHRASE: "PocketSphinx keyphrase search",
}
OTHER: Final[dict[str, Any]] = {"color": "#4b7d3f", "linewidth": 1.5, "linestyle": (0, (4, 1.5, 1, 1.5))}
BUDGETS: Final = {"clean": 0.03, "pink-10": 0.03, "room-10": 0.03, "babble-10": 0.10}
BUDGET_AN_HOUR: Final = 0.5
MOST_AN_HOUR: Final = 60.0
MISS_TICKS: Final = (0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1)
RATE_TICKS: Final = (0, 0.5, 1, 2, 5, 10, 20, 50)


def plot(document: dict[str, Any], path: Path) -> list[Path]:
    """Draw the names of this document to `path`.png and `path`.svg; answers with both. Deterministic."""
    rows = [
        row for row in document["rows"] if row["kind"] == "names" and row["name"] == "all" and "curve" in row
    ]
    if not rows:
        raise SystemExit("Nothing to draw: no name was listened for with other speech beside it.")
    front = headline("names", {row["takes"] for row in rows if row["system"] == OURS})
    rows = [row for row in rows if row["takes"] in (front, 0)]
    grid = _grid(list(dict.fromkeys(row["condition"] for row in rows)))
    columns = max(map(len, grid))
    with mpl.rc_context({"svg.hashsalt": "onebreath", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(3.6 * columns + 0.6, 2.9 * len(grid) + 1.5), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(len(grid), columns, squeeze=False)
        for line, conditions in zip(panels, grid, strict=True):
            for index, panel in enumerate(line):
                if index >= len(conditions):
                    panel.set_axis_off()
                    continue
                here = [row for row in rows if row["condition"] == conditions[index]]
                _panel(panel, conditions[index], here)
        for line in panels:
            line[0].set_ylabel("missed")
        for index, conditions in enumerate(grid):
            for column in range(len(conditions)):
                if index + 1 == len(grid) or column >= len(grid[index + 1]):
                    panels[index][column].set_xlabel("false accepts an hour")
        figure.suptitle(
            f"{rows[0]['names']} names, each enrolled {document['trials']} times with {front} takes of other "
            f"people; {rows[0]['distinct_negative_hours']:.2f} h of other speech",
            fontsize=11.5,
        )
        figure.legend(handles=_key(rows), loc="outside lower center", ncols=2, frameon=False)
        made = [path.with_name(f"{path.name}.{ending}") for ending in ("png", "svg")]
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(made[0], dpi=130)
        figure.savefig(made[1], metadata={"Date": None})
    return made


def _grid(conditions: list[str]) -> list[list[str]]:
    ordered = sorted(conditions, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return [ordered[start : start + COLUMNS] for start in range(0, len(ordered), COLUMNS)]


def _panel(panel: Axes, condition: str, rows: list[Row]) -> None:
    kind, _, decibels = condition.partition("-")
    panel.set_title(f"{kind}, {decibels} dB" if decibels else TITLES.get(kind, kind), fontsize=11)
    if condition in BUDGETS:
        box = Rectangle((0, 0), BUDGET_AN_HOUR, BUDGETS[condition], facecolor="#d9e6d3", edgecolor="none")
        panel.add_patch(box)
    for row in sorted(rows, key=lambda row: row["system"] == OURS):
        curve = np.array(row["curve"])
        style = STYLES.get(row["system"], OTHER)
        panel.step(curve[:, 0], curve[:, 1], where="post", **style)
        if row["system"] == KEYPHRASE or row.get("an_hour") is None:
            continue
        low, high = row["miss_95"]
        ours = row["system"] == OURS
        panel.errorbar(
            row["an_hour"],
            row["miss"],
            yerr=[[max(0.0, row["miss"] - low)], [max(0.0, high - row["miss"])]],
            fmt="o" if ours else "s" if row["system"] == CLASSIFIER else "^",
            markersize=8 if ours else 6,
            markerfacecolor=style["color"] if ours else "white",
            color=style["color"],
            elinewidth=1,
            capsize=2,
            clip_on=False,
            zorder=5 if ours else 4,
        )
    panel.set_xscale("symlog", linthresh=0.5, linscale=0.6)
    panel.set_xlim(0, MOST_AN_HOUR)
    panel.set_xticks(RATE_TICKS, [f"{tick:g}" for tick in RATE_TICKS])
    panel.set_xticks([], minor=True)
    panel.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0)), np.square))
    panel.set_ylim(0, 1)
    panel.set_yticks(MISS_TICKS, [f"{tick:.0%}" for tick in MISS_TICKS])
    panel.grid(color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _key(rows: list[Row]) -> list[Line2D | Patch]:
    systems = list(dict.fromkeys(row["system"] for row in rows))
    lines: list[Line2D | Patch] = []
    for system in systems:
        style = STYLES.get(system, OTHER)
        mark = "o" if system == OURS else "s" if system == CLASSIFIER else "^"
        lines.append(
            Line2D(
                [],
                [],
                label=LABELS.get(system, system),
                marker="" if system == KEYPHRASE else mark,
                markerfacecolor=style["color"] if system == OURS else "white",
                **style,
            )
        )
    point = Line2D([], [], linestyle="", marker="o", color="#555555", label="at its own threshold")
    return [*lines, point, Patch(facecolor="#d9e6d3", label="budget")]
