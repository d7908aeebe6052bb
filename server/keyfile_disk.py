"""The key file on disk: read whole, written whole or not at all, and never over what was not looked at."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from server.errors import ServerError


def read_fields(path: Path) -> Any:
    """The JSON at `path`. Raises ServerError: not there, not readable, not JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ServerError(
            f"There is no key file at {path}.",
            "Name yours with --key-file, or make one: onebreath clinician add --name 'Dr Okafor'",
        ) from error
    except OSError as error:
        raise ServerError(
            f"The key file {path} cannot be read ({error.strerror}).", "Check its owner."
        ) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path) from error


def damaged(path: Path) -> ServerError:
    """The error of a file that is not what was written."""
    return ServerError(
        f"{path} is not a whole key file: it was damaged or changed.",
        "Use a backup of it. It was left as it is.",
    )


def backup_path(path: Path) -> Path:
    """Where the file of before is while a new one is put in its place."""
    return path.with_name(f".{path.name}.before")


@contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """One writer at a time: from reading what is there to having replaced it."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_new(path: Path, fields: dict[str, Any]) -> None:
    """Written beside, made durable, then linked in: never half, and never over another key file.

    Raises ServerError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = _beside(path, fields)
        try:
            os.link(fresh, path)
            _sync(path.parent)
        finally:
            fresh.unlink()
    except FileExistsError as error:
        raise ServerError(
            f"There is a key file at {path} already; it was left as it is.",
            "Give another place with --key-file, or move that one away.",
        ) from error
    except OSError as error:
        raise _unwritable(path, error) from error


def replace(path: Path, fields: dict[str, Any]) -> None:
    """Put `fields` in the place of what is at `path`, in one step; the file of before is kept until the new
    one was read back, then overwritten and removed. Raises ServerError; the file is then as before."""
    backup = backup_path(path)
    try:
        fresh = _beside(path, fields)
        try:
            remove_backup(path)
            os.link(path, backup)
            fresh.replace(path)
            _sync(path.parent)
        finally:
            fresh.unlink(missing_ok=True)
        if json.loads(path.read_bytes()) != fields:
            backup.replace(path)
            _sync(path.parent)
            raise OSError(5, "what was written does not come back")
        remove_backup(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def remove_backup(path: Path) -> None:
    """Overwrite and remove a backup, if one was left by a run that was cut short. Raises OSError.

    A backup that has another name of its owner's is theirs, and is only unlinked here.
    """
    backup = backup_path(path)
    try:
        handle = os.open(backup, os.O_WRONLY)
    except FileNotFoundError:
        return
    try:
        status = os.fstat(handle)
        if status.st_nlink == 1:
            os.pwrite(handle, bytes(status.st_size), 0)
            os.fsync(handle)
    finally:
        os.close(handle)
    backup.unlink()
    _sync(path.parent)


def _beside(path: Path, fields: dict[str, Any]) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps(fields, ensure_ascii=False, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> ServerError:
    return ServerError(
        f"The key file {path} cannot be written ({error.strerror}).",
        "Check the folder and the free space.",
    )
