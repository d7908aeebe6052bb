"""Recordings to measure on: which names the folders hold, and which clips are not of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from voice.adapters.files import read_clip
from voice.audio import Samples
from voice.errors import AudioError

ENDINGS: Final = {".flac", ".wav", ".ogg"}
NOISE: Final = "noise"
"""A folder of this name holds rooms without speech."""


@dataclass(frozen=True)
class Task:
    """One name to hear: its clips, and clips in which it is not said."""

    name: str
    kind: str
    positives: tuple[Path, ...]
    negatives: tuple[Path, ...]

    @property
    def phrase(self) -> str:
        """The name as words, read off its folder."""
        return self.name.replace("-", " ").replace("_", " ").casefold()


@dataclass
class Corpus:
    """Everything that the folders on the command line hold. `notes`: what a person should know about them."""

    tasks: list[Task] = field(default_factory=list)
    noise: list[Path] = field(default_factory=list)
    voices: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[Path]:
        """Every clip that some task needs."""
        return sorted({path for task in self.tasks for path in (*task.positives, *task.negatives)})


def clips(folder: Path) -> list[Path]:
    """The recordings directly in a folder, in order."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith("."))


def corpus(folders: Sequence[Path], most: int | None = None) -> Corpus:
    """Read the layout of each folder; `most` keeps the first so many clips of each folder.

    - one folder of clips per name: each name is to be found, the others are its negatives;
    - a folder `not-NAME` beside NAME: phrases that sound like it, a task of its own kind (near-miss);
    - one folder per speaker, files `LABEL-TAKE.flac` with a number for TAKE and several labels: each
      speaker's labels, enrolled with their own voice, the speaker's other labels as negatives (own-voice);
    - clips directly in the folder: negatives for every name; a folder called "noise" is also room noise;
    - a folder of such folders.

    Files that cannot be read are left out with a note. SystemExit where nothing can be measured.
    """
    found = Corpus()
    loose: dict[Path, list[Path]] = {}
    for folder in _spread(folders):
        here = _readable(clips(folder), found.notes)
        here = here if most is None else here[:most]
        inside = {
            sub.name: _readable(clips(sub), found.notes) for sub in sorted(folder.iterdir()) if sub.is_dir()
        }
        inside = {name: files[: most or None] for name, files in inside.items() if files}
        if not inside and not here:
            found.notes.append(
                f"{folder} holds no recordings that can be read ({', '.join(sorted(ENDINGS))})."
            )
        if here:
            loose[folder] = here
        found.tasks += _tasks(inside)
        rooms = here if folder.name == NOISE else []
        if not rooms and (folder.parent / NOISE).is_dir():
            rooms = _readable(clips(folder.parent / NOISE), [])
        found.noise += rooms
    if not found.tasks:
        for folder in [folder for folder in loose if folder.name != NOISE]:
            found.notes.append(f"{folder} is taken for a name, since no folder of names was given.")
            found.tasks += _tasks({folder.name: loose.pop(folder)})
    others = [path for files in loose.values() for path in files]
    found.noise = sorted(set(found.noise))
    found.tasks = [_with(task, others) if task.kind == "names" else task for task in found.tasks]
    found.tasks = [task for task in found.tasks if _possible(task, found.notes)]
    if not found.tasks:
        raise SystemExit("\n".join([*found.notes, "No name with two recordings was found; see --help."]))
    found.voices = [p for task in found.tasks if task.kind == "names" for p in task.positives] or found.paths
    return found


@lru_cache(maxsize=256)
def load(path: Path) -> Samples:
    """A recording as int16 mono at 16 kHz. Raises AudioError."""
    return read_clip(path).samples


def _spread(folders: Sequence[Path]) -> list[Path]:
    """The folders, or what is in those that hold folders of folders."""
    spread: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise SystemExit(f"{folder} is not a folder of recordings.")
        subs = sorted(sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith("."))
        deep = not clips(folder) and any(
            clips(leaf) for sub in subs for leaf in sub.iterdir() if leaf.is_dir()
        )
        spread += (
            [sub for sub in subs if clips(sub) or any(x.is_dir() for x in sub.iterdir())]
            if deep
            else [folder]
        )
    return list(dict.fromkeys(spread))


def _readable(paths: Sequence[Path], notes: list[str]) -> list[Path]:
    good = []
    for path in paths:
        try:
            if len(read_clip(path).samples):
                good.append(path)
            else:
                notes.append(f"{path} holds no sound; left out.")
        except AudioError as error:
            notes.append(f"{error.cause} Left out.")
    return good


def _tasks(inside: dict[str, list[Path]]) -> list[Task]:
    if _speakers(inside):
        return _own_voice(inside)
    near = {name for name in inside if f"not-{name}" in inside}
    names = {
        name: fs for name, fs in inside.items() if name not in near and name.removeprefix("not-") not in near
    }
    return [
        *(
            Task(name, "near-miss", tuple(inside[name]), tuple(inside[f"not-{name}"]))
            for name in sorted(near)
        ),
        *(
            Task(name, "names", tuple(files), tuple(p for o, fs in inside.items() if o != name for p in fs))
            for name, files in names.items()
        ),
    ]


def _speakers(inside: dict[str, list[Path]]) -> bool:
    """Whether the folders are speakers: numbered takes of several labels in one of them."""
    stems = [[path.stem.rpartition("-") for path in files] for files in inside.values()]
    if not all(label and take.isdigit() for folder in stems for label, _, take in folder):
        return False
    return any(len({label for label, _, _ in folder}) > 1 for folder in stems)


def _own_voice(inside: dict[str, list[Path]]) -> list[Task]:
    tasks = []
    for speaker, files in inside.items():
        for label in sorted({path.stem.rpartition("-")[0] for path in files}):
            same = tuple(path for path in files if path.stem.rpartition("-")[0] == label)
            rest = tuple(path for path in files if path not in same)
            tasks.append(Task(f"{speaker}/{label}", "own-voice", same, rest))
    return tasks


def _with(task: Task, others: Sequence[Path]) -> Task:
    return replace(task, negatives=tuple(dict.fromkeys((*task.negatives, *others))))


def _possible(task: Task, notes: list[str]) -> bool:
    if len(task.positives) < 2:
        notes.append(f'"{task.name}" has one recording: nothing is left to look for. Left out.')
        return False
    if not task.negatives:
        notes.append(f'"{task.name}" has no recordings of anything else: false accepts cannot be counted.')
    return True
