"""The reference: PocketSphinx keyphrase search, given its best threshold on the clips it is tested on."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from pocketsphinx import Decoder

from bench.clips import Corpus, load
from voice.audio import RATE

THRESHOLDS: Final = (1e-15, 1e-25, 1e-35)
ALLOWED_AN_HOUR: Final = 0.5


def _hits(job: tuple[str, float, tuple[Path, ...]]) -> list[int]:
    phrase, threshold, paths = job
    decoder = Decoder(keyphrase=phrase, kws_threshold=threshold, loglevel="FATAL")
    counts = []
    for path in paths:
        quiet = np.zeros(RATE // 2, np.int16)
        decoder.start_utt()
        decoder.process_raw(np.concatenate([quiet, load(path), quiet]).tobytes(), full_utt=True)
        decoder.end_utt()
        counts.append(sum(1 for _ in decoder.seg() or ()))
    return counts


def keyphrase_figures(found: Corpus, jobs: int) -> dict[str, dict[str, Any]]:
    """For each name whose words PocketSphinx knows: the fewest missed at no more than 0.5 accepts an hour."""
    words = Decoder(loglevel="FATAL")
    figures: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        for task in found.tasks:
            phrase = task.name.replace("-", " ")
            if task.kind != "names" or not all(words.lookup_word(word) for word in phrase.split()):
                continue
            hours = sum(len(load(path)) for path in task.negatives) / RATE / 3600
            work = [(phrase, bar, files) for bar in THRESHOLDS for files in (task.positives, task.negatives)]
            counted = list(pool.map(_hits, work))
            rows = []
            for index, bar in enumerate(THRESHOLDS):
                hits, false = counted[2 * index], sum(counted[2 * index + 1])
                miss = sum(count == 0 for count in hits) / len(hits)
                rows.append({"miss": miss, "false_accepts": false, "negative_hours": hours, "threshold": bar})
            allowed = [row for row in rows if row["false_accepts"] <= ALLOWED_AN_HOUR * hours]
            figures[task.name] = min(allowed or rows[:1], key=lambda row: float(row["miss"]))
    return figures
