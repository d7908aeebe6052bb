"""What listening costs: processor, memory, start-up, latency, beside the budgets of the design.

    python bench/cost.py DIR [--json] [--hours 0]

DIR holds recordings of real people in any of the layouts of bench/hearing.py, or in folders of such folders.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from pocketsphinx import Decoder
from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

from bench.clips import ENDINGS, clips, load
from voice.adapters.bank import bank
from voice.adapters.embedding import SpeechEmbedder
from voice.adapters.takes import TakeMaker
from voice.adapters.vad import SileroActivity
from voice.adapters.voices import PEOPLE, speak
from voice.audio import HOP, RATE, Clip, Samples
from voice.ears import Ears
from voice.enrolment import Take, voiceprint
from voice.scene import Said, scene
from voice.spotting import NameSpotter, Voiceprint

NAMES: Final = ("the foreman", "grumbletron", "the little one by the window")
BUDGETS: Final = {
    "someone talks": 0.20,
    "silent room": 0.04,
    "memory_mb": 300.0,
    "start_s": 3.0,
    "after_name_s": 0.4,
}


def enrolled() -> list[Voiceprint]:
    """Three parts, each with five synthetic takes."""
    maker = TakeMaker()
    prints = []
    for name in NAMES:
        takes = [maker.make(speak(name, person).samples) for person in PEOPLE[:5]]
        prints.append(voiceprint(name, [take for take in takes if isinstance(take, Take)], bank())[0])
    return prints


def talk(folder: Path, seconds: float) -> Samples:
    """People talking without a pause: clips of real people, end to end."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    paths = [path for path in paths if "noise" not in path.parts and "digits" not in str(path)]
    order = np.random.default_rng(1).permutation(len(paths))
    spoken: list[Samples] = []
    total = 0
    for index in order:
        spoken.append(load(paths[int(index)]))
        total += len(spoken[-1])
        if total >= seconds * RATE:
            break
    return np.concatenate(spoken)[: round(seconds * RATE)]


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
    """The device's hearing, as the loop runs it."""
    ears = Ears(SileroActivity(), NameSpotter(SpeechEmbedder(), bank().space, prints))

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


def latency(folder: Path) -> dict[str, dict[str, float]]:
    """For each name of DIR/names: how long after the end of real clips of it the device decided.

    Enrolled from the first five clips, tried on the next forty. Seconds of audio; a clip ends where it was
    last louder than a tenth of its peak.
    """
    maker = TakeMaker()
    figures: dict[str, dict[str, float]] = {}
    for name, paths in sorted(_names(folder).items()):
        takes = [take for take in map(maker.make, map(load, paths[:5])) if isinstance(take, Take)]
        if len(takes) < 3:
            continue
        known, _ = voiceprint(name, takes, bank())
        late = [delay for path in paths[5:45] for delay in _delays(known, load(path))]
        if late:
            figures[name] = {
                "heard": len(late),
                "of": len(paths[5:45]),
                "median_s": float(np.median(late)),
                "p90_s": float(np.percentile(late, 90)),
                "share_over_0.4_s": float(np.mean(np.array(late) > BUDGETS["after_name_s"])),
            }
    return figures


def _names(folder: Path) -> dict[str, list[Path]]:
    inside = (folder / "names") if (folder / "names").is_dir() else folder
    return {sub.name: clips(sub) for sub in inside.iterdir() if sub.is_dir() and clips(sub)}


def _delays(known: Voiceprint, clip: Samples) -> list[float]:
    loud = np.flatnonzero(np.abs(clip.astype(np.int32)) > np.abs(clip.astype(np.int32)).max() / 10)
    said = Said(2.0, Clip(clip[loud[0] : loud[-1] + 1]))
    ears = Ears(SileroActivity(), NameSpotter(SpeechEmbedder(), bank().space, [known]))
    heard = [
        ears.hear(block, (number + 1) * HOP / RATE, names=True).names
        for number, block in enumerate(blocks(scene([said], said.end_s + 2.0).samples))
    ]
    return [hearing.decided_s - said.end_s for names in heard for hearing in names][:1]


def memory_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def start_s(home: Path) -> float:
    """From typing `onebreath replay` on a second of silence to its end, once the prompts are rendered."""
    quiet = home / "quiet.wav"
    import soundfile

    soundfile.write(str(quiet), np.zeros(RATE, np.int16), RATE)
    command = [sys.executable, "-m", "voice", "replay", str(quiet), "--home", str(home), "--offline"]
    subprocess.run(command, check=True, capture_output=True)
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def growth(prints: list[Voiceprint], sound: Samples, hours: float) -> dict[str, float]:
    """Resident memory over `hours` of the same talk, replayed."""
    run = listening(prints)
    run(sound)
    before = memory_mb()
    for _ in range(max(1, round(hours * 3600 * RATE / len(sound)))):
        run(sound)
    return {"hours": hours, "before_mb": before, "after_mb": memory_mb()}


def main() -> None:
    """Measure and print."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--seconds", type=float, default=120.0, help="talk to measure on (default: 120)")
    parser.add_argument("--hours", type=float, default=0.0, help="also replay this many hours for memory")
    options = parser.parse_args()
    if not options.folder.is_dir():
        raise SystemExit(f"{options.folder} is not a folder of recordings.")
    prints = enrolled()
    spoken = talk(options.folder, options.seconds)
    if not len(spoken):
        raise SystemExit(f"{options.folder} holds no recordings of people.")
    quiet = scene([], len(spoken) / RATE).samples
    with tempfile.TemporaryDirectory() as home:
        started = start_s(Path(home))
    figures: dict[str, Any] = {
        "someone talks": share(listening(prints), spoken),
        "silent room": share(listening(prints), quiet),
        "reference: wake-word wheel, someone talks": share(wakeword_wheel, spoken),
        "reference: PocketSphinx keyphrase, someone talks": share(keyphrase, spoken),
        "memory_mb": memory_mb(),
        "start_s": started,
        "after_name_s": latency(options.folder),
    }
    if options.hours:
        figures["growth"] = growth(prints, spoken, options.hours)
    figures["processors"] = os.cpu_count()
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        budget = f"  (budget {BUDGETS[name]:g})" if name in BUDGETS else ""
        print(f"{name}: {value:.3f}{budget}" if isinstance(value, float) else f"{name}: {value}")


if __name__ == "__main__":
    main()
