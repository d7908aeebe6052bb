"""Unpacks a model's archive so that nothing in it can reach outside its folder or fill the disk."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from voice.errors import ModelError

INVENTORY: Final = "onebreath-model.json"
"""Written into an unpacked model: where it came from, and each file's size and SHA-256."""

MAX_FILES: Final = 1_000
MAX_GROWTH: Final = 20
"""An unpacked model may be this many times its archive; real ones stay under 3."""
SLACK_BYTES: Final = 16_000_000
"""What a small archive may unpack to whatever its growth."""
CHUNK: Final = 1 << 20


def unpacked_bytes(archive: Path) -> int:
    """What the archive says it unpacks to. ModelError when it is no archive, or is not to be trusted."""
    with _open(archive) as opened:
        return sum(entry.file_size for entry in _checked(opened, archive))


def unpack(archive: Path, into: Path) -> Path:
    """Unpack into the existing empty folder `into`; returns the folder inside it that holds the model.

    ModelError when an entry would land outside `into`, is a link or a device, is encrypted, comes twice, or
    is larger than it says.
    """
    try:
        with _open(archive) as opened:
            for entry in _checked(opened, archive):
                _write(opened, entry, into)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"The model's archive is damaged: {error}.", "Fetch it again.") from error
    except FileExistsError as error:
        raise ModelError("The model's archive has one path twice.") from error
    for folder in (into, *sorted(path for path in into.iterdir() if path.is_dir())):
        if (folder / "am" / "final.mdl").is_file() or (folder / "final.mdl").is_file():
            return folder
    raise ModelError("The archive holds no Vosk model (am/final.mdl is missing).")


def write_inventory(folder: Path, url: str, sha256: str) -> None:
    """Record what was unpacked, so that later damage can be seen."""
    files = {
        name: {"size": (folder / name).stat().st_size, "sha256": digest(folder / name)}
        for name in sorted(
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        )
    }
    text = json.dumps({"url": url, "sha256": sha256, "files": files}, indent=1)
    (folder / INVENTORY).write_text(text + "\n", encoding="utf-8")


def differences(folder: Path) -> list[str] | None:
    """How an unpacked model differs from its inventory, in words; None when it has no inventory."""
    try:
        files = json.loads((folder / INVENTORY).read_text(encoding="utf-8"))["files"]
        expected = {str(name): (int(file["size"]), str(file["sha256"])) for name, file in files.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [f"{INVENTORY} cannot be read"]
    found = []
    for name, (size, sha256) in expected.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != size:
            found.append(f"{name} has {path.stat().st_size:,} bytes instead of {size:,}")
        elif digest(path) != sha256:
            found.append(f"{name} has changed since it was fetched")
    return found


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ModelError(f"What was fetched is not a zip archive: {error}.", "Fetch it again.") from error


def _checked(opened: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    entries = opened.infolist()
    if len(entries) > MAX_FILES:
        raise ModelError(f"The model's archive has {len(entries):,} entries; a model has a few dozen.")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_GROWTH * archive.stat().st_size + SLACK_BYTES:
        raise ModelError(f"The model's archive would unpack to {total:,} bytes, far more than a model has.")
    for entry in entries:
        _check(entry)
    return [entry for entry in entries if not entry.is_dir()]


def _check(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = PurePosixPath(name).parts
    mode = entry.external_attr >> 16
    outside = name.startswith("/") or ".." in parts or "\\" in name or ":" in name
    if outside or not parts or any(ord(letter) < 32 for letter in name):
        raise ModelError("The model's archive has a path that leads outside its folder; it was not unpacked.")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ModelError("The model's archive has a link or a device in it; it was not unpacked.")
    if entry.flag_bits & 0x1:
        raise ModelError("The model's archive is encrypted; it was not unpacked.")


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, into: Path) -> None:
    target = into.joinpath(*PurePosixPath(entry.filename).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > entry.file_size:
                raise ModelError("A file in the model's archive is larger than it says; it was not unpacked.")
            file.write(chunk)
