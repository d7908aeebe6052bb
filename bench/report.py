"""The figures as text, in tables that a README can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from bench import cost
from bench.figures import RATES
from bench.intervals import MANY_NAMES
from bench.latency import BUDGET_S
from bench.measure import CLASSIFIER, OURS
from bench.options import headline
from bench.references import KEYPHRASE

Row = dict[str, Any]


def report(document: dict[str, Any]) -> str:
    """Everything that was measured, for a terminal."""
    rows: list[Row] = document["rows"]
    parts = [_preface(document)]
    for kind in ("names", "near-miss", "own-voice"):
        ours = [row for row in rows if row["kind"] == kind and row["system"] == OURS]
        if not ours:
            continue
        front = headline(kind, {row["takes"] for row in ours})
        parts.append(_heading(kind, front) + _chosen([row for row in ours if row["takes"] == front], kind))
        parts.append(_picked([row for row in rows if row["kind"] == kind], kind, front))
        parts.append(_by_takes(ours, kind))
    parts.append(_words([row for row in rows if row["system"].startswith(("own voice,", "words,", "both,"))]))
    parts.append(_delays(document["delay_after_name"]))
    if document["cost"]:
        parts.append(
            "\n".join(["## Cost (processor seconds a second of sound)", "", *cost.lines(document["cost"])])
        )
    return "\n\n".join(part for part in parts if part)


INTERVALS: Final = (
    "Intervals are 95 %. Of misses: Wilson's, of as many independent tries as vary like a bootstrap over "
    f"enrolments and clips (and names, from {MANY_NAMES} names on); who spoke is not known, so clips stand "
    "for speakers. Of accepts an hour: exact Poisson, over the hours heard by all enrolments together. Hours "
    "are of the clips themselves, without their surroundings. Whisper, far and slow are simulated "
    "(bench/changes.py). PocketSphinx is given its best threshold for each name and condition."
)


def _preface(document: dict[str, Any]) -> str:
    named = [task for task in document["tasks"] if task["kind"] != "own-voice"]
    tasks = ", ".join(f"{t['name']} ({t['clips']} clips, {t['negatives']} others)" for t in named)
    own = len(document["tasks"]) - len(named)
    text = [
        "# Hearing names",
        "",
        f"Names: {tasks or 'none'}{f'; {own} own-voice tasks' if own else ''}.",
        f"{document['trials']} enrolments of each, drawn with seed {document['seed']}. Room noise: "
        f"{document['room_noise']}.",
        INTERVALS,
    ]
    return "\n".join(text + [f"Note: {note}" for note in document["notes"]])


def _heading(kind: str, takes: int) -> str:
    said = {
        "names": "Names, takes from other speakers",
        "near-miss": "Near-misses: the other phrases sound like the name",
        "own-voice": "Own voice: the same speaker's other words are the negatives",
    }[kind]
    return f"## {said}; {takes} takes; at the threshold that enrolment chose\n\n"


def _chosen(rows: Sequence[Row], kind: str) -> str:
    rates = kind == "names"
    heads = "false accepts an hour | accepted |" if rates else "accepted |"
    lines = [
        f"| condition | name | missed | {heads} of the other clips |",
        f"|---|---|---|---|---|{'---|' * rates}",
    ]
    for row in rows:
        if row["name"] == "all" and row["names"] == 1:
            continue
        if row["name"] != "all" and kind == "own-voice":
            continue
        rate = f"{_rate(row)} | " if rates else ""
        lines.append(
            f"| {row['condition']} | {row['name']} | {_share(row['miss'], row['miss_95'])} of {row['tried']} "
            f"| {rate}{row['false_accepts']} in {row['negative_hours']:.2f} h "
            f"({row['distinct_negative_hours']:.2f} h distinct) "
            f"| {_share(row['accepted_share'], row['accepted_share_95'])} of {row['negative_clips']} |"
        )
    return "\n".join(lines)


def _picked(rows: Sequence[Row], kind: str, front: int) -> str:
    """Figures no device could have: thresholds picked afterwards, for each condition, on these clips."""
    by_rate = kind == "names"
    key = "picked_by_rate" if by_rate else "picked_by_share"
    shown = [row for row in rows if row["name"] == "all" and key in row and row["takes"] in (front, 0)]
    shown = [
        row
        for row in shown
        if row["system"] in (OURS, CLASSIFIER, KEYPHRASE) or "pretrained" in row["system"]
    ]
    if not shown:
        return ""
    heads = (
        [f"{r:g} an hour" for r in RATES] if by_rate else [f"{float(s):.1%} accepted" for s in shown[0][key]]
    )
    lines = [
        "Missed at thresholds picked afterwards, for each condition, on these clips (no device has them):",
        "",
        f"| condition | system | names | {' | '.join(heads)} | at its own threshold |",
        f"|---|---|---|{'---|' * len(heads)}---|",
    ]
    for row in sorted(shown, key=lambda row: [r["condition"] for r in shown].index(row["condition"])):
        picked = " | ".join(_share(one["miss"], one["miss_95"]) for one in row[key].values())
        own = f"{row['miss']:.1%}; {_cost(row, kind)}" if row.get("miss") is not None else "has none"
        lines.append(f"| {row['condition']} | {row['system']} | {row['names']} | {picked} | {own} |")
    hours = max(row["negative_hours"] for row in shown)
    if by_rate and 0 < hours * RATES[1] < 1:
        lines.append(
            f"\nWith {hours:.2f} h of other speech, half an accept an hour cannot be told from none."
        )
    return "\n".join(lines)


def _by_takes(rows: Sequence[Row], kind: str) -> str:
    counts = sorted({row["takes"] for row in rows})
    if len(counts) < 2:
        return ""
    lines = [
        f"Missed, and {'false accepts an hour' if kind == 'names' else 'share accepted'}, by takes:",
        "",
        f"| condition | {' | '.join(f'{n}' for n in counts)} |",
        f"|---|{'---|' * len(counts)}",
    ]
    for condition in dict.fromkeys(row["condition"] for row in rows):
        cells = [
            f"{_share(row['miss'], row['miss_95'])}; {_cost(row, kind)}"
            for n in counts
            for row in rows
            if (row["condition"], row["takes"], row["name"]) == (condition, n, "all")
        ]
        lines.append(f"| {condition} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _words(rows: Sequence[Row]) -> str:
    """Own voice, words and both side by side, on the same clips."""
    if not rows:
        return ""
    lines = ["## With a Vosk model, on the names in its vocabulary: missed, and what else was accepted"]
    for model in dict.fromkeys(row["system"].split(", ", 1)[1] for row in rows):
        lines += ["", f"| {model} | name | own voice alone | words alone | both |", "|---|---|---|---|---|"]
        here = [row for row in rows if row["system"].endswith(f", {model}")]
        for kind, condition, name in dict.fromkeys((r["kind"], r["condition"], r["name"]) for r in here):
            same = [r for r in here if (r["kind"], r["condition"], r["name"]) == (kind, condition, name)]
            if name == "all" and same[0]["names"] == 1:
                continue
            by_evidence = {row["system"].split(", ")[0]: row for row in same}
            cells = [
                f"{_share(row['miss'], row['miss_95'])}; {_cost(row, kind)}"
                for row in (by_evidence[evidence] for evidence in ("own voice", "words", "both"))
            ]
            lines.append(f"| {condition} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _delays(delays: dict[str, dict[str, Any]]) -> str:
    def lines() -> Iterator[str]:
        yield f"## From the end of the name to the decision, clean, seconds of audio (budget {BUDGET_S:g})"
        yield ""
        for name, figures in delays.items():
            heard = f"{name}: {figures['heard']} of {figures['clips']} heard"
            if figures["heard"]:
                heard += (
                    f"; median {figures['median_s']:.2f} s, 90 % within {figures['p90_s']:.2f} s, "
                    f"{figures['share_over_budget']:.0%} over the budget"
                )
            if figures["agrees_with_clip_scoring"] is not None:
                heard += f"; as scored clip by clip in {figures['agrees_with_clip_scoring']:.0%}"
            yield heard

    return "\n".join(lines()) if delays else ""


def _share(share: float | None, interval: Sequence[float] | None) -> str:
    if share is None or interval is None:
        return "none tried"
    return f"{share:.1%} ({interval[0]:.1%}-{interval[1]:.1%})"


def _cost(row: Row, kind: str) -> str:
    """What being found costs: accepts an hour, or for phrases chosen to be hard the share accepted."""
    if kind == "names":
        return "not measured" if row.get("an_hour") is None else f"{row['an_hour']:.2f} an hour"
    return "not measured" if row["accepted_share"] is None else f"{row['accepted_share']:.1%} accepted"


def _rate(row: Row) -> str:
    if row.get("an_hour") is None:
        return "not measured"
    low, high = row["an_hour_95"]
    return f"{row['an_hour']:.2f} ({low:.2f}-{high:.2f})"
