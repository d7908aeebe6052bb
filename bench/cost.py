"""What listening costs: processor, memory, start-up, beside the budgets of the design.

    python bench/cost.py DIR... [--json] [--hours 24 --talk-share 0.05]

DIR holds recordings of people in any of the layouts of bench/hearing.py, which prints a short form of this.
Runs the device's own listening code (voice activity, gate, embeddings, alignment with three enrolled parts),
and beside it two references on the same sound: the wake-word extractor of the pyopen-wakeword wheel as its
authors run it, and PocketSphinx keyphrase search. Figures are processor seconds per second of sound.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from pocketsphinx import Decoder
from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

from bench.clips import corpus, load
from voice.adapters import word_evidence
from voice.adapters.bank import bank, space
from voice.adapters.embedding import SpeechEmbedder
from voice.adapters.takes import TakeMaker
from voice.adapters.vad import SileroActivity
from voice.adapters.voices import PEOPLE, speak
from voice.audio import HOP, RATE, Samples
from voice.ears import Ears
from voice.enrolment import Take, voiceprint
from voice.scene import scene
from voice.spotting import NameSpotter, Voiceprint

NAMES: Final = ("the foreman", "grumbletron", "the little one by the window")
BUDGETS: Final = {
    "someone talks": 0.20,
    "silent room": 0.04,
    "memory_mb": 300.0,
    "start_s": 3.0,
}


def enrolled() -> list[Voiceprint]:
    """Three parts, each with five synthetic takes."""
    maker = TakeMaker()
    prints = []
    for name in NAMES:
        takes = [maker.make(speak(name, person).samples) for person in PEOPLE[:5]]
        prints.append(voiceprint(name, [take for take in takes if isinstance(take, Take)], bank())[0])
    return prints


def talk(paths: Sequence[Path], seconds: float) -> Samples:
    """People talking without a pause: clips cut to where someone speaks, repeated if few."""
    maker = TakeMaker()
    order = np.random.default_rng(1).permutation(len(paths))
    spoken: list[Samples] = []
    total = 0
    for index in order:
        if total >= seconds * RATE:
            break
        clip = load(paths[int(index)])
        speech = np.flatnonzero(np.array(maker.probabilities(clip)) > 0.5)
        if len(speech):
            spoken.append(clip[speech[0] * 512 : (speech[-1] + 1) * 512])
            total += len(spoken[-1])
    if not spoken:
        return np.empty(0, np.int16)
    return np.resize(np.concatenate(spoken), round(seconds * RATE))


def blocks(sound: Samples) -> Iterator[Samples]:
    """Whole blocks of 80 ms."""
    for start in range(0, len(sound) - HOP + 1, HOP):
        yield sound[start : start + HOP]


def share(work: Callable[[Samples], object], sound: Samples) -> float:
    """Processor seconds per second of sound, of all threads."""
    began = time.process_time()
    work(sound)
    return (time.process_time() - began) / (len(sound) / RATE)


def listening(prints: list[Voiceprint]) -> Callable[[Samples], object]:
    """The device's hearing, as the loop runs it, with the words that it carries as second witness."""
    words = word_evidence.words("en", [(known.part, None) for known in prints])
    ears = Ears(SileroActivity(), NameSpotter(SpeechEmbedder(), space(), prints, words))

    def run(sound: Samples) -> None:
        for number, block in enumerate(blocks(sound)):
            ears.hear(block, (number + 1) * HOP / RATE, names=True)

    return run


def wakeword_wheel(sound: Samples) -> None:
    """The reference: the wheel's extractor and one of its word models, always on."""
    features, model = OpenWakeWordFeatures.from_builtin(), OpenWakeWord.from_builtin(Model.HEY_JARVIS)
    for block in blocks(sound):
        for embedding in features.process_streaming(block.tobytes()):
            list(model.process_streaming(embedding))


def keyphrase(sound: Samples) -> None:
    """The reference: PocketSphinx looking for one phrase, always on."""
    decoder = Decoder(keyphrase="computer", kws_threshold=1e-20, loglevel="FATAL")
    decoder.start_utt()
    for block in blocks(sound):
        decoder.process_raw(block.tobytes())
    decoder.end_utt()


def memory_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def start_s() -> float | None:
    """From typing `onebreath replay` on a second of silence to its end, once prompts are rendered; None
    if that does not work here."""
    with tempfile.TemporaryDirectory() as home:
        quiet = Path(home) / "quiet.wav"
        soundfile.write(str(quiet), np.zeros(RATE, np.int16), RATE)
        command = [sys.executable, "-m", "voice", "replay", str(quiet), "--home", home, "--offline"]
        if subprocess.run(command, capture_output=True).returncode:
            return None
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - began


def growth(prints: list[Voiceprint], sound: Samples, hours: float, talk_share: float) -> dict[str, float]:
    """Resident memory over `hours` of sound, the same talk over and over with silence between.

    "settled_mb" is after the first tenth of them, "highest_mb" of what came later.
    """
    run = listening(prints)
    silence = (
        scene([], len(sound) / RATE * (1 - talk_share) / talk_share).samples if talk_share < 1 else sound[:0]
    )
    round_hours = (len(sound) + len(silence)) / RATE / 3600
    rounds = max(10, round(hours / round_hours))
    levels = []
    for _ in range(rounds):
        run(sound)
        run(silence)
        levels.append(memory_mb())
    settled = rounds // 10
    return {
        "hours": round(rounds * round_hours, 2),
        "talk_share": talk_share,
        "settled_mb": levels[settled - 1],
        "highest_mb": max(levels[settled:]),
        "last_mb": levels[-1],
    }


def measure(
    paths: Sequence[Path], seconds: float = 60.0, hours: float = 0.0, talk_share: float = 1.0
) -> dict[str, Any]:
    """All of it, on `seconds` of talk made of these clips, none of which is a part's name. Memory is
    that of this process, so call it in a fresh one."""
    prints = enrolled()
    spoken = talk(paths, seconds)
    if not len(spoken):
        return {"note": "no clip holds speech"}
    quiet = scene([], len(spoken) / RATE).samples
    figures: dict[str, Any] = {
        "someone talks": share(listening(prints), spoken),
        "silent room": share(listening(prints), quiet),
        "memory_mb": memory_mb(),
    }
    if hours:
        figures["growth"] = growth(prints, spoken, hours, talk_share)
    figures |= {
        "reference: wake-word wheel, someone talks": share(wakeword_wheel, spoken),
        "reference: PocketSphinx keyphrase, someone talks": share(keyphrase, spoken),
        "start_s": start_s(),
        "processors": os.cpu_count(),
    }
    return figures


def lines(figures: dict[str, Any]) -> list[str]:
    """The figures for a terminal, each beside its budget."""
    shown = []
    for name, value in figures.items():
        budget = f"  (budget {BUDGETS[name]:g})" if name in BUDGETS else ""
        shown.append(f"{name}: {value:.3f}{budget}" if isinstance(value, float) else f"{name}: {value}")
    return shown


def main() -> None:
    """Measure and print."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--seconds", type=float, default=120.0, help="talk to measure on (default: 120)")
    parser.add_argument("--hours", type=float, default=0.0, help="also replay this many hours for memory")
    parser.add_argument("--talk-share", type=float, default=1.0, help="of those hours (default: 1)")
    options = parser.parse_args()
    found = corpus(options.folders)
    figures = measure(found.paths, options.seconds, options.hours, options.talk_share)
    print(json.dumps(figures, indent=1) if options.json else "\n".join(lines(figures)))


if __name__ == "__main__":
    main()
