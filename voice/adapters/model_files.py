"""Where speech models are on this machine, and whether one that is there can be used."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import platformdirs

from voice.adapters.model_archive import INVENTORY, differences
from voice.adapters.model_probe import probe
from voice.adapters.resources import checkout, resource
from voice.errors import ModelError
from voice.models import Manifest, missing_files, parse_manifest, same_language, speaks_another

FIXTURE: Final = "FIXTURE.md"
"""A model folder with this file is a test fixture: used when its path is given, never found by searching."""


@dataclass(frozen=True)
class Places:
    """Folders that hold model folders. `given` comes from $ONEBREATH_MODELS; None is a place not there."""

    given: tuple[Path, ...]
    checkout: Path | None
    user: Path
    shared: tuple[Path, ...]
    cache: Path

    def in_order(self) -> list[Path]:
        """All of them, the one that is looked into first at the front."""
        middle = [self.checkout] if self.checkout is not None else []
        return [*self.given, *middle, self.user, *self.shared]

    @property
    def download(self) -> Path:
        """Where a fetched model goes: the checkout's models/, else the user's."""
        return self.checkout if self.checkout is not None else self.user


def default_places(environment: Mapping[str, str] | None = None) -> Places:
    """The places of this machine and this user."""
    values = os.environ if environment is None else environment
    base = checkout()
    return Places(
        given=tuple(Path(p).expanduser() for p in values.get("ONEBREATH_MODELS", "").split(os.pathsep) if p),
        checkout=base / "models" if base is not None else None,
        user=platformdirs.user_data_path("onebreath") / "models",
        shared=(Path.home() / ".cache" / "vosk", Path("/usr/share/vosk")),
        cache=platformdirs.user_cache_path("onebreath"),
    )


@dataclass(frozen=True)
class InstalledModel:
    """A model folder on this machine. `language` is None when its name does not say."""

    name: str
    path: Path
    language: str | None
    fixture: bool = False


@cache
def manifest() -> Manifest:
    """The project's own manifest."""
    return parse_manifest(resource("models/manifest.toml").read_text(encoding="utf-8"))


def installed(places: Places, known: Manifest) -> list[InstalledModel]:
    """Every model that a search finds, the first choice at the front; fixtures are left out."""
    order = {model.name: index for index, model in enumerate(known.models)}
    found: list[InstalledModel] = []
    for place in places.in_order():
        here = [describe(folder, known) for folder in _model_folders(place)]
        here.sort(key=lambda model: (order.get(model.name, len(order)), model.name))
        found += [model for model in here if not model.fixture]
    return found


def find_model(
    language: str, explicit: Path | None, places: Places, known: Manifest
) -> InstalledModel | None:
    """The model to use for a language: `explicit` when given, else the first that a search finds.

    ModelError when `explicit` is not a model folder, or is known to speak another language.
    """
    if explicit is not None:
        if not explicit.is_dir():
            raise ModelError(
                f"There is no model folder at {explicit}.", "`onebreath models list` shows them."
            )
        model = describe(explicit.resolve(), known)
        if model.language is not None and not same_language(language, model.language):
            raise _wrong_language(model.path, language)
        return model
    for model in installed(places, known):
        if model.language is not None and language.lower().replace("_", "-") == model.language:
            return model
    return next(
        (m for m in installed(places, known) if m.language and same_language(language, m.language)), None
    )


def check(model: InstalledModel, language: str | None, places: Places, known: Manifest) -> None:
    """Raise ModelError unless libvosk can read the model and it speaks the language (None: any).

    The reading happens in a process of its own, once for each state of the folder; the outcome is remembered.
    """
    spoken = language or model.language
    words = known.words_of(spoken) if spoken else ()
    sizes = _sizes(model.path)
    if problems := missing_files({name: size for name, (size, _) in sizes.items()}):
        raise ModelError(
            f"The speech model in {model.path} is not whole: {'; '.join(problems)}.",
            "Remove that folder and fetch the model again with `onebreath models fetch`.",
        )
    state = json.dumps([sorted(sizes.items()), words])
    memory = places.cache / "checked-models.json"
    remembered = _remembered(memory)
    if remembered.get(str(model.path)) == state:
        return
    answer = probe(model.path, words)
    if spoken is not None and speaks_another(answer.knows, words):
        raise _wrong_language(model.path, spoken)
    still_there = {path: seen for path, seen in remembered.items() if Path(path).is_dir()}
    _remember(memory, {**still_there, str(model.path): state})


def verify(model: InstalledModel, places: Places, known: Manifest) -> str:
    """Check a model as `check` does, and every file against what was fetched; returns what was checked."""
    changed = differences(model.path)
    if changed:
        raise ModelError(
            f"The speech model in {model.path} is damaged: {'; '.join(changed)}.",
            "Remove that folder and fetch the model again with `onebreath models fetch`.",
        )
    check(model, model.language, places, known)
    if changed is None:
        return "libvosk reads it; it was not fetched by `onebreath models fetch`, so its files have no record"
    return "libvosk reads it, and every file is as it was fetched"


def _wrong_language(path: Path, wanted: str) -> ModelError:
    return ModelError(
        f"The speech model in {path} does not speak {wanted!r}.",
        f"Fetch one that does with `onebreath models fetch {wanted}`, or name another folder.",
    )


def describe(folder: Path, known: Manifest) -> InstalledModel:
    """The model in `folder`, whose name tells its language."""
    return InstalledModel(
        folder.name, folder, known.language_of(folder.name), fixture=(folder / FIXTURE).is_file()
    )


def _is_model(folder: Path) -> bool:
    return (folder / "am" / "final.mdl").is_file() or (folder / "final.mdl").is_file()


def _model_folders(place: Path) -> Iterator[Path]:
    with suppress(OSError):
        if _is_model(place):
            yield place
            return
        for folder in sorted(place.glob("[!.]*")):
            # A damaged model is still named here, so that its damage is told and not passed over.
            if folder.is_dir() and (_is_model(folder) or folder.name.startswith("vosk-model-")):
                yield folder


def _sizes(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in {INVENTORY, FIXTURE}:
            status = path.stat()
            found[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found


def _remembered(memory: Path) -> dict[str, str]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}


def _remember(memory: Path, content: Mapping[str, str]) -> None:
    # Only saves time: a disk that cannot take it is no reason to fail.
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh = memory.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(memory)
