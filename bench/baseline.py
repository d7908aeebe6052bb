"""The reference that someone would build from the wake-word wheel: a small network on its embeddings.

openWakeWord's way: a window of the last sixteen embeddings (1.28 s) goes through one hidden layer to a logit.
Trained at enrolment on the takes, their copies moved and in noise (bench/ears.py), against the same bank of
negatives that the device carries; the threshold allows half an accept an hour in those parts of the bank that
the network was not trained on. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyopen_wakeword import Model, OpenWakeWord

from bench.scoring import Outcome, Sound, peaks
from voice.adapters.bank import raw_bank
from voice.audio import BLOCK_S
from voice.enrolment import Take
from voice.ports import Embeddings

Floats = NDArray[np.float32]

WINDOW: Final = 16
HIDDEN: Final = 32
LATE: Final = (0, 1, 2, 3)
"""Blocks after the end of the name at which a window still counts as the name."""

STEPS: Final = 200
BATCH: Final = 256
LEARNING: Final = 2e-3
DECAY: Final = 1e-4
ALLOWED_AN_HOUR: Final = 0.5
PRETRAINED_THRESHOLD: Final = 0.5
"""What openWakeWord recommends for its own models."""


@dataclass(frozen=True)
class Classifier:
    """A trained network. `threshold`: the logit from which it answers."""

    weights: tuple[Floats, Floats, Floats, Floats]
    threshold: float = 0.0

    def logits(self, windows: Floats) -> Floats:
        """For windows of shape (n, WINDOW * 96)."""
        first, first_bias, second, second_bias = self.weights
        hidden = np.maximum(windows @ first + first_bias, 0)
        return np.asarray((hidden @ second + second_bias)[:, 0], np.float32)


def windows(embeddings: Embeddings) -> Floats:
    """Every window, one for each frame, shape (frames, WINDOW * 96), in standard deviations of the bank; the
    first frame stands for what was before."""
    _, mean, scale = _bank()
    return _windows((embeddings - mean) / scale)


def _windows(embeddings: Floats) -> Floats:
    padded = np.concatenate([np.repeat(embeddings[:1], WINDOW - 1, axis=0), embeddings])
    view = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0)
    return np.asarray(view.transpose(0, 2, 1).reshape(len(embeddings), -1), np.float32)


@cache
def _bank() -> tuple[list[Floats], Floats, Floats]:
    """The bank's pieces as windows, and the mean and standard deviation of its embeddings."""
    pieces = raw_bank()
    embeddings = np.concatenate(pieces)
    mean, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + np.float32(1e-3)
    return [_windows((piece - mean) / scale) for piece in pieces if len(piece)], mean, scale


def train(copies: Sequence[Take], seed: int = 0) -> Classifier:
    """A classifier of the name in these takes, threshold and all."""
    positives = np.concatenate([_positives(take) for take in copies])
    pieces, _, _ = _bank()
    halves = [pieces[0::2], pieces[1::2]]
    unseen: list[float] = []
    for number, half in enumerate(halves):
        fitted = fit(positives, np.concatenate(half), seed + number)
        for piece in halves[1 - number]:
            unseen += peaks(fitted.logits(piece))
    hours = sum(len(piece) for piece in pieces) * BLOCK_S / 3600
    allowed = int(ALLOWED_AN_HOUR * hours)
    fitted = fit(positives, np.concatenate(pieces), seed)
    return Classifier(fitted.weights, sorted(unseen, reverse=True)[allowed])


def classified(classifier: Classifier, sounds: Sequence[Sound]) -> list[Outcome]:
    """For each sound what it would do; it listens all the time."""
    return [_outcome(classifier.logits(windows(s.embeddings)), classifier.threshold) for s in sounds]


def pretrained(phrase: str) -> Model | None:
    """The wheel's own word model whose phrase holds these words, if there is one."""
    wanted = set(phrase.split())
    return next((model for model in Model if wanted and wanted <= set(model.value.split("_"))), None)


def pretrained_outcomes(model: Model, sounds: Sequence[Sound]) -> list[Outcome]:
    """For each sound what the wheel's own model would do at its recommended threshold."""
    network, outcomes = OpenWakeWord.from_builtin(model), []
    for sound in sounds:
        network.reset()
        scores = [0.0] * len(sound.embeddings)
        for number, frame in enumerate(sound.embeddings):
            for score in network.process_streaming(frame.reshape(1, 1, 1, -1)):
                scores[number] = float(score)
        outcomes.append(_outcome(np.array(scores, np.float32), PRETRAINED_THRESHOLD))
    return outcomes


def _outcome(scores: Floats, threshold: float) -> Outcome:
    found = tuple(peak - threshold for peak in peaks(scores))
    return Outcome(sum(peak > 0 for peak in found), found)


def _positives(take: Take) -> Floats:
    every = windows(take.embeddings)
    end = round(take.span.end_s / BLOCK_S)
    return every[[min(len(every) - 1, max(0, end + late)) for late in LATE]]


def fit(positives: Floats, negatives: Floats, seed: int) -> Classifier:
    """A network without a threshold, from windows of shape (n, WINDOW * 96).

    Adam on balanced batches; a third of the negatives are those it finds hardest.
    """
    rng = np.random.default_rng(seed)
    size = negatives.shape[1]
    weights: list[Floats] = [
        (rng.normal(size=(size, HIDDEN)) / np.sqrt(size)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        (rng.normal(size=(HIDDEN, 1)) / np.sqrt(HIDDEN)).astype(np.float32),
        np.zeros(1, np.float32),
    ]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    hard = np.empty(0, np.intp)
    for step in range(1, STEPS + 1):
        if step % 40 == 0:
            ranked = Classifier(_four(weights)).logits(negatives)
            hard = np.argsort(ranked)[-BATCH:]
        chosen = rng.integers(len(negatives), size=BATCH)
        if len(hard):
            chosen[: BATCH // 3] = rng.choice(hard, BATCH // 3)
        picked = positives[rng.integers(len(positives), size=min(BATCH, 2 * len(positives)))]
        batch = np.concatenate([picked, negatives[chosen]])
        truth = np.arange(len(batch)) < len(picked)
        each = np.where(truth, 0.5 / len(picked), 0.5 / BATCH).astype(np.float32)
        for index, slope in enumerate(_slopes(weights, batch, truth, each)):
            slope = slope + DECAY * weights[index]
            first[index] = 0.9 * first[index] + 0.1 * slope
            second[index] = 0.999 * second[index] + 0.001 * slope**2
            step_size = LEARNING * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            weights[index] = (
                weights[index] - step_size * first[index] / (np.sqrt(second[index]) + 1e-8)
            ).astype(np.float32)
    return Classifier(_four(weights))


def _slopes(weights: list[Floats], batch: Floats, truth: NDArray[np.bool_], each: Floats) -> list[Floats]:
    inner = batch @ weights[0] + weights[1]
    hidden = np.maximum(inner, 0)
    logit = (hidden @ weights[2] + weights[3])[:, 0]
    wrong = ((1 / (1 + np.exp(-np.clip(logit, -30, 30))) - truth) * each)[:, None]
    back = (wrong @ weights[2].T) * (inner > 0)
    return [batch.T @ back, back.sum(axis=0), hidden.T @ wrong, wrong.sum(axis=0)]


def _four(weights: list[Floats]) -> tuple[Floats, Floats, Floats, Floats]:
    first, first_bias, second, second_bias = weights
    return first, first_bias, second, second_bias
