"""Word error rate of each transcriber on read sentences, clean and in noise, with its speed and doubt marks.

    python bench/lines.py ../shared/speech/lines [--model PATH] [--json]

DIR holds `transcripts.tsv` (file name, tab, words) and the files, 16 kHz mono. Noise is the room noise in
`../noise` beside DIR where there is any, else white noise; the same for every transcriber.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from voice.adapters.model_files import default_places, find_model, manifest
from voice.adapters.recognisers import usable_model
from voice.adapters.starter import StarterTranscriber
from voice.adapters.vosk import VoskTranscriber, load
from voice.audio import HOP, RATE, Samples
from voice.ports import Transcriber
from voice.transcript import Word

NOISE_DB = 10.0
REFERENCE = "as shipped by the wheel, pocketsphinx: 34 % of words wrong clean, 54 % at 10 dB"


@dataclass(frozen=True)
class Figures:
    """One transcriber on one kind of sound. Shares are 0 to 1; `real_time` is CPU seconds a second of it."""

    transcriber: str
    sound: str
    words: int
    wrong: float
    real_time: float
    wrong_marked: float
    right_marked: float


def aligned(reference: list[str], heard: list[str]) -> tuple[int, list[bool]]:
    """Word edits between the two, and for each heard word whether it is right."""
    rows, columns = len(reference) + 1, len(heard) + 1
    cost = np.zeros((rows, columns), dtype=int)
    cost[:, 0], cost[0, :] = range(rows), range(columns)
    for i in range(1, rows):
        for j in range(1, columns):
            differ = reference[i - 1] != heard[j - 1]
            cost[i, j] = min(cost[i - 1, j - 1] + differ, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    right = [False] * len(heard)
    i, j = len(reference), len(heard)
    while i and j:
        if reference[i - 1] == heard[j - 1] and cost[i, j] == cost[i - 1, j - 1]:
            right[j - 1] = True
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i - 1, j - 1] + 1:
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i, j - 1] + 1:
            j -= 1
        else:
            i -= 1
    return int(cost[-1, -1]), right


def measure(
    name: str, make: Callable[[], Transcriber], sound: str, lines: list[tuple[Samples, list[str]]]
) -> Figures:
    """One fresh transcriber over all lines, a block at a time as on the device."""
    transcriber = make()
    edits = total = 0
    spent = heard_s = 0.0
    marks: list[tuple[bool, Word]] = []
    for samples, reference in lines:
        began = time.process_time()
        dictation = transcriber.begin()
        for at in range(0, len(samples), HOP):
            dictation.hear(samples[at : at + HOP])
        words = dictation.finish().words
        spent += time.process_time() - began
        heard_s += len(samples) / RATE
        edit, right = aligned(reference, [word.text for word in words])
        edits, total = edits + edit, total + len(reference)
        marks += zip(right, words, strict=True)
    return Figures(
        name, sound, total, edits / total, spent / heard_s, _share(marks, False), _share(marks, True)
    )


def _share(marks: list[tuple[bool, Word]], right: bool) -> float:
    of = [word.doubt for was_right, word in marks if was_right == right]
    return sum(of) / len(of) if of else 0.0


def noisy(samples: Samples, noise: Samples, rng: np.random.Generator) -> Samples:
    """The line with noise 10 dB below it, both over the whole line."""
    start = int(rng.integers(0, max(1, len(noise) - len(samples))))
    under = np.resize(noise[start:], len(samples)).astype(np.float64)
    speech = samples.astype(np.float64)
    gain = np.sqrt(np.mean(speech**2) / np.mean(under**2) / 10 ** (NOISE_DB / 10))
    mixed: Samples = np.clip(speech + gain * under, -32768, 32767).astype(np.int16)
    return mixed


def read_lines(folder: Path) -> Iterator[tuple[Samples, list[str]]]:
    """Each file of `transcripts.tsv` with its words."""
    for row in (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines():
        name, text = row.split("\t")
        samples, rate = sf.read(folder / name, dtype="int16")
        if rate != RATE or samples.ndim != 1:
            raise SystemExit(f"{name}: {RATE} Hz mono is needed")
        yield samples, text.split()


def read_noise(folder: Path, rng: np.random.Generator) -> Samples:
    """All room noise there is, one after the other; ten seconds of white noise where there is none."""
    files = sorted(folder.glob("*.flac"))
    if not files:
        return (rng.normal(size=10 * RATE) * 1000).astype(np.int16)
    return np.concatenate([sf.read(file, dtype="int16")[0] for file in files])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--model", type=Path, help="a Vosk model's folder; else the installed one, if any")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    clean = list(read_lines(asked.folder))
    noise = read_noise(asked.folder.parent / "noise", rng)
    sounds = {"clean": clean, "noise 10 dB": [(noisy(samples, noise, rng), text) for samples, text in clean]}
    makers: dict[str, Callable[[], Transcriber]] = {"pocketsphinx en-us": StarterTranscriber}
    if find_model("en", asked.model, default_places(), manifest()) is not None:
        model = usable_model("en", asked.model)
        assert model is not None
        makers[model.name] = lambda: VoskTranscriber(load(model.path))
    figures = [
        measure(name, make, kind, lines) for name, make in makers.items() for kind, lines in sounds.items()
    ]
    if asked.json:
        json.dump([asdict(one) for one in figures], sys.stdout, indent=1)
        print()
        return
    print(f"{sum(len(samples) for samples, _ in clean) / RATE:.0f} s of speech; reference: {REFERENCE}")
    print(f"{'transcriber':<30} {'sound':<12} {'wrong':>6} {'CPU/s':>6} wrong marked right marked")
    for one in figures:
        print(
            f"{one.transcriber:<30} {one.sound:<12} {one.wrong:>6.1%} {one.real_time:>6.2f} "
            f"{one.wrong_marked:>12.0%} {one.right_marked:>12.0%}"
        )


if __name__ == "__main__":
    main()
