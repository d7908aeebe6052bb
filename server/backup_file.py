"""A backup as one file: a plain tar archive of a manifest and the database's copy.

The manifest says what the copy must hold, down to the audit log's head, so that a backup can be checked
without the server that made it. It is not signed: keep backups where nobody else can write, or sign them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from server.errors import ServerError

FORMAT: Final = "onebreath backup 1"
DATA: Final = {"sqlite": "database.sqlite", "postgresql": "database.pgdump"}
_MANIFEST: Final = "manifest.json"
_LARGEST_MANIFEST: Final = 1_000_000
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. `made_at` in Unix seconds, `size` in bytes, digests in hex."""

    kind: str
    made_at: int
    version: str
    revision: str
    sha256: str
    size: int
    counts: Mapping[str, int]
    audit_sequence: int
    audit_digest: str
    format: str = field(default=FORMAT)

    @property
    def data(self) -> str:
        """The name of the database's copy in the archive."""
        return DATA[self.kind]


def write(path: Path, manifest: Manifest, copy: Path) -> None:
    """Write the archive beside its final name, then give it that name. Only this account may read it."""
    partial = path.with_name(f"{path.name}.partial")
    opened = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                said = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode("ascii")
                archive.addfile(_member(_MANIFEST, len(said), manifest.made_at), io.BytesIO(said))
                with copy.open("rb") as data:
                    archive.addfile(_member(manifest.data, manifest.size, manifest.made_at), data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    sync_folder(path.parent)


def extract(path: Path, copy: Path) -> Manifest:
    """Write the database's copy to a new file, whole and as its digest says. Raises ServerError."""
    with _archive(path) as archive:
        manifest = _manifest(path, archive)
        found = hashlib.sha256()
        size = 0
        opened = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with _inside(path, archive, manifest.data) as data, os.fdopen(opened, "wb") as file:
            while chunk := data.read(_CHUNK):
                found.update(chunk)
                size += len(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    if (size, found.hexdigest()) != (manifest.size, manifest.sha256):
        raise damaged(path, "the database's copy is not the one that the manifest names")
    return manifest


def digest_of(path: Path) -> tuple[str, int]:
    """SHA-256 in hex, and size in bytes, of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest(), path.stat().st_size


def sync_folder(folder: Path) -> None:
    """See that the folder's names are on disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def damaged(path: Path, why: str) -> ServerError:
    """A backup that must not be used."""
    return ServerError(
        f"The backup {path} is damaged: {why}.", "Use an earlier one, and find out what happened to this one."
    )


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as archive:
            yield archive
    except tarfile.TarError as error:
        raise damaged(path, "it is not a whole archive") from error
    except OSError as error:
        raise ServerError(
            f"The backup {path} cannot be read: {error.strerror or 'an error'}.",
            "Check the path, who may read it, and the free space.",
        ) from error


def _manifest(path: Path, archive: tarfile.TarFile) -> Manifest:
    with _inside(path, archive, _MANIFEST) as file:
        said = file.read(_LARGEST_MANIFEST)
    try:
        document: Any = json.loads(said)
        manifest = Manifest(**document)
        whole = (
            manifest.format == FORMAT
            and manifest.kind in DATA
            and all(isinstance(count, int) for count in manifest.counts.values())
            and len(bytes.fromhex(manifest.sha256)) == len(bytes.fromhex(manifest.audit_digest)) == 32
            and all(isinstance(n, int) for n in (manifest.made_at, manifest.size, manifest.audit_sequence))
            and all(isinstance(text, str) for text in (manifest.version, manifest.revision))
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, "its manifest cannot be read") from error
    if not whole:
        raise damaged(path, "its manifest is not one that this version knows")
    return manifest


@contextmanager
def _inside(path: Path, archive: tarfile.TarFile, name: str) -> Iterator[IO[bytes]]:
    try:
        member = archive.getmember(name)
    except KeyError as error:
        raise damaged(path, f"it holds no {name}") from error
    file = archive.extractfile(member) if member.isreg() else None
    if file is None:
        raise damaged(path, f"its {name} is not a file")
    with file:
        yield file


def _member(name: str, size: int, made_at: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, made_at, 0o600
    return member
