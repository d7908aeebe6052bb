"""How long after the end of the name the device decides: its own ears and spotter on whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.clips import load
from voice.adapters.bank import space
from voice.adapters.embedding import SpeechEmbedder
from voice.adapters.takes import TakeMaker
from voice.adapters.vad import SileroActivity
from voice.audio import BLOCK_S, HOP, RATE, Clip, Samples
from voice.ears import Ears
from voice.enrolment import Problem, examine
from voice.ports import Hearing
from voice.scene import Said, scene
from voice.spotting import NameSpotter, Voiceprint

BUDGET_S: Final = 0.4
FALL_DB: Final = 26.0
"""The name is over where its loudness has last been within this of its loudest 10 ms."""

STEP: Final = RATE // 100
SLACK_S: Final = 0.1
"""How far beyond the speech that the voice-activity network sees the end may lie."""

BEFORE_S, AFTER_S = 2.0, 1.5


@dataclass(frozen=True)
class Delay:
    """One clip through the device. `after_s`: seconds of audio from the end of the name to the decision, None
    where it was not heard; `times` how often it was."""

    times: int
    after_s: float | None


def name_end_s(clip: Samples, maker: TakeMaker) -> float | None:
    """Where the name ends in a clean clip, in seconds; None if there is no speech in it.

    The voice-activity network says where the utterance is, to 32 ms and with its own hangover; within that,
    loudness in steps of 10 ms says where it is over.
    """
    span = examine(clip, maker.probabilities(clip), edges_matter=False)
    if isinstance(span, Problem):
        return None
    first = max(0, round((span.start_s - SLACK_S) * RATE)) // STEP
    last = min(len(clip), round((span.end_s + SLACK_S) * RATE)) // STEP
    steps = clip[first * STEP : last * STEP].astype(np.float64).reshape(-1, STEP)
    power = np.mean(steps**2, axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-FALL_DB / 10))
    return (first + int(loud[-1]) + 1) * STEP / RATE


def delay(job: tuple[Voiceprint, Path]) -> Delay | None:
    """One clip in a quiet room, block by block; None where the end of the name cannot be told."""
    known, path = job
    clip = load(path)
    end_s = name_end_s(clip, TakeMaker())
    if end_s is None:
        return None
    said = Said(BEFORE_S, Clip(clip))
    sound = scene([said], said.end_s + AFTER_S).samples
    ears = Ears(SileroActivity(), NameSpotter(SpeechEmbedder(), space(), [known]))
    heard: list[Hearing] = []
    for number in range(len(sound) // HOP):
        heard += ears.hear(sound[number * HOP : (number + 1) * HOP], (number + 1) * BLOCK_S, names=True).names
    return Delay(len(heard), heard[0].decided_s - BEFORE_S - end_s if heard else None)


def summary(delays: Sequence[Delay | None]) -> dict[str, Any]:
    """Median, ninetieth percentile and the share over the budget, of the clips that were heard."""
    late = np.array([d.after_s for d in delays if d is not None and d.after_s is not None])
    figures: dict[str, Any] = {"clips": sum(d is not None for d in delays), "heard": len(late)}
    if len(late):
        figures |= {
            "median_s": float(np.median(late)),
            "p90_s": float(np.percentile(late, 90)),
            "share_over_budget": float(np.mean(late > BUDGET_S)),
            "budget_s": BUDGET_S,
        }
    return figures
