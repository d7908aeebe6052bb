"""Speech models: the manifest of those that can be fetched, and the rules a model folder must meet. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from voice.errors import ModelError

NAME: Final = re.compile(r"[a-z0-9][a-z0-9.\-]{2,79}")
HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KnownModel:
    """One entry of the manifest.

    `size_bytes` and `sha256` belong to the archive at `url`; both are None for a model whose archive the
    project has not seen. `about_mb` is then the size its page gives. `knows` holds ordinary words of the
    language, by which a model of another language is recognised.
    """

    name: str
    language: str
    title: str
    url: str
    licence: str
    size_bytes: int | None = None
    sha256: str | None = None
    about_mb: int | None = None
    aliases: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()

    @property
    def likely_bytes(self) -> int:
        """The size of the archive as far as it is known."""
        return self.size_bytes if self.size_bytes is not None else (self.about_mb or 0) * 1_000_000


@dataclass(frozen=True)
class Manifest:
    """The models that can be fetched, in the order in which a language chooses among them."""

    models: tuple[KnownModel, ...]

    def named(self, name: str) -> KnownModel | None:
        """The entry with exactly this name."""
        return next((model for model in self.models if model.name == name), None)

    def choose(self, wanted: str) -> KnownModel:
        """The entry for a language ("en", "en-us", "vn") or a model's name. ModelError for any other."""
        key = wanted.strip().lower().replace("_", "-")
        if (named := self.named(key)) is not None:
            return named
        for model in self.models:
            if key == model.language or key in model.aliases:
                return model
        for model in self.models:
            if same_language(key, model.language):
                return model
        raise ModelError(
            f"No model for {wanted!r} is known.",
            f"`onebreath models list` shows these languages: {', '.join(m.language for m in self.models)}.",
        )

    def language_of(self, name: str) -> str | None:
        """The language of a model folder called `name`: from the manifest, else from Vosk's way of naming."""
        if (known := self.named(name)) is not None:
            return known.language
        parts = re.fullmatch(r"vosk-model-(?:small-)?([a-z]{2,3}(?:-[a-z]{2}(?=-))?)-.+", name)
        if parts is None:
            return None
        code = parts.group(1)
        return next((m.language for m in self.models if code == m.language or code in m.aliases), code)

    def words_of(self, language: str) -> tuple[str, ...]:
        """Ordinary words that a model of this language must know; empty where the manifest has none."""
        return next((m.knows for m in self.models if m.knows and same_language(language, m.language)), ())


def same_language(one: str, other: str) -> bool:
    """Whether two codes name one language, whatever the region ("en" and "en-us")."""
    return one.lower().replace("_", "-").split("-")[0] == other.lower().replace("_", "-").split("-")[0]


def parse_manifest(text: str) -> Manifest:
    """Read `models/manifest.toml`. ModelError says which entry does not hold."""
    try:
        entries = tomllib.loads(text).get("model", [])
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"The model manifest is not valid TOML: {error}.") from error
    models = tuple(_entry(entry) for entry in entries)
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise ModelError("The model manifest has two entries with one name.")
    return Manifest(models)


def _entry(entry: Mapping[str, object]) -> KnownModel:
    name = entry.get("name")
    label = name if isinstance(name, str) else "without a name"
    try:
        model = KnownModel(
            name=_text(entry, "name"),
            language=_text(entry, "language"),
            title=_text(entry, "title"),
            url=_text(entry, "url"),
            licence=_text(entry, "licence"),
            size_bytes=_number(entry, "size"),
            sha256=_text(entry, "sha256") if "sha256" in entry else None,
            about_mb=_number(entry, "about_mb"),
            aliases=_texts(entry, "aliases"),
            knows=_texts(entry, "knows"),
        )
        if NAME.fullmatch(model.name) is None or ".." in model.name:
            raise ValueError("its name is not a plain folder name")
        if (model.size_bytes is None) != (model.sha256 is None):
            raise ValueError("size and sha256 come together")
        if model.sha256 is not None and HASH.fullmatch(model.sha256) is None:
            raise ValueError("sha256 is not 64 hexadecimal digits")
        if not acceptable_url(model.url):
            raise ValueError("its url is neither https nor on this machine")
    except ValueError as error:
        raise ModelError(f"The model manifest's entry {label} does not hold: {error}.") from error
    return model


def acceptable_url(url: str) -> bool:
    """Whether a model may come from there: over https, or from this very machine."""
    parts = urlsplit(url)
    loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return parts.scheme == "https" or (parts.scheme == "http" and loopback)


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is missing")
    return value


def _number(entry: Mapping[str, object], key: str) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"{key} is not a positive number")
    return value


def _texts(entry: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key} is not a list of texts")
    return tuple(value)


NEEDED: Final = ("am/final.mdl", "conf/model.conf")
NEEDED_OLD: Final = ("final.mdl", "mfcc.conf", "words.txt")
FEATURES: Final = ("conf/mfcc.conf", "conf/fbank.conf")


def missing_files(sizes: Mapping[str, int]) -> list[str]:
    """What a model folder lacks, in words; empty when libvosk can at least try to read it.

    `sizes` maps each file's path inside the folder ("am/final.mdl") to its bytes. Two layouts exist: files in
    am/, conf/ and graph/, or (old models) all in one folder. Damage inside a file is not seen here: libvosk
    itself has to read it (`voice.adapters.model_probe`).
    """
    old = "final.mdl" in sizes and "am/final.mdl" not in sizes
    root = "" if old else "graph/"
    problems = [_state(sizes, name) for name in (NEEDED_OLD if old else NEEDED)]
    if not old and not any(sizes.get(name) for name in FEATURES):
        problems.append("conf/mfcc.conf is missing")
    if not sizes.get(root + "HCLG.fst"):
        for name in ("HCLr.fst", "Gr.fst", "disambig_tid.int"):
            problems.append(_state(sizes, root + name))
    return [problem for problem in problems if problem] + [
        f"{name} is empty" for name, size in sorted(sizes.items()) if size == 0 and name.endswith(".int")
    ]


def _state(sizes: Mapping[str, int], name: str) -> str:
    if name not in sizes:
        return f"{name} is missing"
    return "" if sizes[name] else f"{name} is empty"


def speaks_another(known: Iterable[str], expected: Iterable[str]) -> bool:
    """Whether a model that has only the words `known` out of `expected` is of another language.

    Half of them is enough: a small vocabulary may lack one or two.
    """
    wanted = set(expected)
    return bool(wanted) and len(wanted & set(known)) * 2 < len(wanted)
