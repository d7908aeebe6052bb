"""Fetches a model: resumes, checks size and SHA-256, unpacks beside its place, then puts it there."""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

import httpx

from voice.adapters import model_archive
from voice.adapters.model_files import InstalledModel, Places, check
from voice.errors import ModelError
from voice.models import KnownModel, Manifest, acceptable_url, missing_files

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes there will be (None while unknown)."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=15.0)
ATTEMPTS: Final = 3
"""Connections for one fetch; a further one is made only when the last one brought something."""
UNKNOWN_LIMIT: Final = 2_000_000_000
"""Bytes at which an archive of unknown size is given up."""
ROOM: Final = 4
"""Free space asked for before starting, in archive sizes: the archive itself and what it unpacks to."""


@dataclass(frozen=True)
class Fetched:
    """A model in place; `already` when it was there before."""

    path: Path
    already: bool = False
    pinned: bool = False


def fetch(
    model: KnownModel,
    places: Places,
    known: Manifest,
    progress: Progress,
    trust_first: bool = False,
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> Fetched:
    """Put `model` into `places.download`. ModelError says why it could not be, and what to do.

    A model without a SHA-256 in the manifest is fetched only with `trust_first`; what came is then pinned in
    the user's models folder, and every later fetch must match it.
    """
    pins = places.user / "pins.json"
    expected = pinned(model, pins)
    if expected.sha256 is None and not trust_first:
        raise ModelError(
            f"{model.name} has no SHA-256 in the manifest, so nothing could tell a forged download.",
            f"If you trust {model.url}, add --trust-first-download; what comes first is then pinned.",
        )
    into = places.download
    target = into / model.name
    with _disk_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        with _alone(into / f".{model.name}.lock", model.name):
            if _usable(target, model, places, known):
                return Fetched(target, already=True)
            archive = into / f".{model.name}.zip.part"
            _room(into, expected, archive, free_bytes)
            try:
                _download(expected, archive, progress)
                digest = _matches(expected, archive)
                _install(expected, archive, digest, target, places, known)
            except ModelError as error:
                if not isinstance(error, _InterruptedError):
                    _forget(archive)
                raise
            except OSError:
                _forget(archive)
                raise
            size = archive.stat().st_size
            _forget(archive)
            if expected.sha256 is None:
                _pin(pins, model, size, digest)
            return Fetched(target, pinned=expected.sha256 is None)


def pinned(model: KnownModel, pins: Path) -> KnownModel:
    """The entry with the size and SHA-256 that an earlier first download pinned, where it had none."""
    if model.sha256 is not None:
        return model
    pin = _read_pins(pins).get(model.name)
    if pin is None or pin.get("url") != model.url:
        return model
    return replace(model, size_bytes=int(str(pin["size"])), sha256=str(pin["sha256"]))


class _InterruptedError(ModelError):
    """The connection ended early; what came is kept for the next try."""


def _download(model: KnownModel, archive: Path, progress: Progress) -> None:
    for attempt in range(ATTEMPTS):
        before = _size(archive)
        try:
            _receive(model, archive, progress)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            brought = _size(archive) > before
            if attempt + 1 < ATTEMPTS and brought:
                continue
            raise _interrupted(model, archive, error) from error


def _receive(model: KnownModel, archive: Path, progress: Progress) -> None:
    have = _size(archive)
    if have and have == model.size_bytes:
        return
    tag = _read(archive.with_suffix(".etag"))
    headers = {"Accept-Encoding": "identity"}
    if have and tag:
        # Without a validator the rest could be of another file: then the download starts over.
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    with (
        httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client,
        client.stream("GET", model.url, headers=headers) as response,
    ):
        if not acceptable_url(str(response.url)):
            raise ModelError(f"{model.url} leads to an address without encryption; nothing was fetched.")
        if response.status_code == 416:
            _forget(archive)
            raise httpx.RemoteProtocolError("the server has less than was fetched before")
        if response.status_code not in (200, 206):
            raise ModelError(
                f"{model.url} answered {response.status_code} {response.reason_phrase}.",
                "Try again later; if it stays so, the model has moved: get it by hand and name its folder.",
            )
        have = have if _continues(response, have) else 0
        length = response.headers.get("content-length", "")
        total = have + int(length) if length.isdigit() else None
        if model.size_bytes is not None and total is not None and total != model.size_bytes:
            raise ModelError(
                f"{model.url} has {total:,} bytes where {model.size_bytes:,} were expected; it was refused.",
                "The file there is not the one this version knows. Nothing was kept.",
            )
        _keep_tag(archive, response)
        limit = model.size_bytes or UNKNOWN_LIMIT
        with archive.open("ab" if have else "wb") as file:
            for chunk in response.iter_raw():
                have += len(chunk)
                if have > limit:
                    raise ModelError(f"{model.url} sends more than {limit:,} bytes; it was refused.")
                file.write(chunk)
                progress(have, total or model.size_bytes)
    if total is not None and have < total:
        raise httpx.RemoteProtocolError("the connection ended early")


def _continues(response: httpx.Response, have: int) -> bool:
    return response.status_code == 206 and response.headers.get("content-range", "").startswith(
        f"bytes {have}-"
    )


def _keep_tag(archive: Path, response: httpx.Response) -> None:
    tag = response.headers.get("etag", "")
    if tag.startswith("W/") or not tag:
        tag = response.headers.get("last-modified", "")
    archive.with_suffix(".etag").write_text(tag, encoding="ascii", errors="ignore")


def _matches(model: KnownModel, archive: Path) -> str:
    """The archive's SHA-256. ModelError when size or hash are not the expected ones."""
    size, digest = _size(archive), model_archive.digest(archive)
    if model.sha256 is not None and (size != model.size_bytes or digest != model.sha256):
        raise ModelError(
            f"What came from {model.url} is not the expected model: {size:,} bytes, SHA-256 {digest[:16]}…, "
            f"expected {model.size_bytes:,} bytes, {model.sha256[:16]}….",
            "It was refused and removed. Try again from another network.",
        )
    return digest


def _install(
    model: KnownModel, archive: Path, digest: str, target: Path, places: Places, known: Manifest
) -> None:
    model_archive.unpacked_bytes(archive)
    with tempfile.TemporaryDirectory(prefix=f".{model.name}.", dir=target.parent) as scratch:
        unpacked = Path(scratch) / "new"
        unpacked.mkdir()
        folder = model_archive.unpack(archive, unpacked)
        check(InstalledModel(model.name, folder, model.language), model.language, places, known)
        model_archive.write_inventory(folder, model.url, digest)
        if target.exists():
            target.rename(Path(scratch) / "old")
        folder.rename(target)


def _usable(target: Path, model: KnownModel, places: Places, known: Manifest) -> bool:
    if not target.is_dir():
        return False
    sizes = {p.relative_to(target).as_posix(): p.stat().st_size for p in target.rglob("*") if p.is_file()}
    if missing_files(sizes) or model_archive.differences(target):
        return False
    try:
        check(InstalledModel(model.name, target, model.language), model.language, places, known)
    except ModelError:
        return False
    return True


def _room(into: Path, model: KnownModel, archive: Path, free_bytes: Callable[[Path], int]) -> None:
    needed = model.likely_bytes * ROOM - _size(archive)
    free = free_bytes(into)
    if free < needed:
        raise _full(into, f"{free / 1e6:,.0f} MB are free, about {needed / 1e6:,.0f} MB are needed")


def _full(into: Path, why: str) -> ModelError:
    return ModelError(
        f"There is not enough room in {into}: {why}.",
        "Free some space, or set ONEBREATH_MODELS to a folder on another disk and unpack the model there.",
    )


def _interrupted(model: KnownModel, archive: Path, error: Exception) -> _InterruptedError:
    have = _size(archive)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        cause = f"{httpx.URL(model.url).host} cannot be reached."
    else:
        cause = f"The download of {model.name} broke off: {error or type(error).__name__}."
    so_far = f" {have / 1e6:.1f} MB are kept, and it goes on from there." if have else ""
    return _InterruptedError(cause, f"Check the network and run the same command again.{so_far}")


@contextmanager
def _disk_errors(into: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(into, "the disk is full") from error
        raise ModelError(
            f"{into} cannot be written: {error.strerror or error}.",
            "Check who owns that folder, or run from where you may write.",
        ) from error


@contextmanager
def _alone(lock: Path, name: str) -> Iterator[IO[bytes]]:
    with lock.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelError(f"{name} is being fetched by another process.", "Let it finish.") from None
        try:
            yield file
        finally:
            lock.unlink(missing_ok=True)


def _forget(archive: Path) -> None:
    archive.unlink(missing_ok=True)
    archive.with_suffix(".etag").unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip() if path.is_file() else ""


def _read_pins(pins: Path) -> dict[str, dict[str, object]]:
    try:
        content = json.loads(pins.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"The pins in {pins} cannot be read.", "Look at that file, or remove it.") from error
    return dict(content)


def _pin(pins: Path, model: KnownModel, size: int, digest: str) -> None:
    pins.parent.mkdir(parents=True, exist_ok=True)
    content = {**_read_pins(pins), model.name: {"url": model.url, "size": size, "sha256": digest}}
    fresh = pins.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    with suppress(OSError):
        fresh.chmod(0o600)
    fresh.replace(pins)
