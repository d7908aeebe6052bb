"""Folders of synthetic speech in the layout of bench/hearing.py, for where no recordings of people are.

    python bench/synthetic.py OUT [--names "the foreman,the soldier,little one"] [--clips 24]

Writes OUT/names/<name>/NN.wav and OUT/talk/NN.wav. The voices are espeak-ng's and flite's, some of which the
tiny Vosk model and the bank of negatives were made with: figures on them say that things work, not how well.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from voice.adapters.voices import PEOPLE, Speaker, speak, write_clip
from voice.audio import RATE, Clip
from voice.scene import Said, scene

NAMES: Final = ("the foreman", "the soldier", "little one")
TALK: Final = (
    "my mother called me today and we talked about the house",
    "i want to go home and sleep before it is too late",
    "we walk to the school every morning when it is warm",
    "the window was open and i could hear the birds",
    "he said that the work would be done by monday",
    "do you know where the other one is",
    "there was a man in front of the door for a while",
    "please put the little box on the big table",
)
AROUND_S: Final = 0.6


def people(count: int) -> list[Speaker]:
    """So many ways of speaking: the synthetic people, then the same a little faster and higher, and so on."""
    everyone = []
    for index in range(count):
        round_, place = divmod(index, len(PEOPLE))
        person = PEOPLE[place]
        everyone.append(
            replace(person, rate=person.rate + 12 * round_, pitch=min(99, person.pitch + 8 * round_))
        )
    return everyone


def write(
    folder: Path, names: Sequence[str] = NAMES, clips: int = 24, talk: Sequence[str] = TALK
) -> list[Path]:
    """Write the folders `names` and `talk` in `folder`; answers with both."""
    speakers = people(clips)
    for name in names:
        for number, person in enumerate(speakers):
            _write(folder / "names" / name.replace(" ", "-") / f"{number:02}.wav", name, person, number)
    for number, sentence in enumerate(talk):
        for place, person in enumerate(speakers[:: max(1, len(speakers) // 4)]):
            _write(folder / "talk" / f"{number:02}-{place}.wav", sentence, person, number)
    return [folder / "names", folder / "talk"]


def _write(path: Path, text: str, person: Speaker, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # flite knows no pitch or rate here: a slightly other speed of the sound makes another voice of it.
    spoken = speak(text, person).samples.astype(np.float64)
    if person.engine == "flite":
        factor = 1 + 0.004 * (person.pitch - 50)
        spoken = np.interp(np.arange(0, len(spoken) - 1, factor), np.arange(len(spoken)), spoken)
    clip = Clip(spoken.astype(np.int16))
    write_clip(path, scene([Said(AROUND_S, clip)], clip.seconds + 2 * AROUND_S, seed=seed))


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="OUT")
    parser.add_argument("--names", default=",".join(NAMES), help="with commas (default: %(default)s)")
    parser.add_argument("--clips", type=int, default=24, help="of each name (default: 24)")
    options = parser.parse_args()
    made = write(options.folder, [name.strip() for name in options.names.split(",")], options.clips)
    print(f"{' and '.join(map(str, made))}: {RATE} samples a second")


if __name__ == "__main__":
    main()
