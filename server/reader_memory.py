"""What was read before, in a small file beside the key file.

Hashes of sealed records, versions of marks, numbers of reports; no content.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Final

from server.errors import ServerError
from server.reader_sequence import Memory

VERSION: Final = 1


def memory_path(key_file: Path) -> Path:
    """`clinician.key.json` remembers in `clinician.key.json.read`."""
    return key_file.with_name(key_file.name + ".read")


def load_memory(path: Path) -> Memory | None:
    """The memory, empty when there is none yet; None when it is damaged. Raises ServerError."""
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != VERSION:
            return None
        return Memory(
            {
                bytes.fromhex(device): {
                    int(sequence): bytes.fromhex(digest) for sequence, digest in seen.items()
                }
                for device, seen in document["devices"].items()
            },
            {_place(text): int(version) for text, version in document.get("marks", {}).items()},
            {
                _place(text): (int(version), int(number))
                for text, (version, number) in document.get("reports", {}).items()
            },
        )
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise ServerError(f"{path} cannot be read ({error.strerror}).", "Check its owner.") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def keep_memory(path: Path, memory: Memory) -> None:
    """Write it whole or not at all. Raises ServerError."""
    document = {
        "version": VERSION,
        "devices": {
            device.hex(): {str(sequence): digest.hex() for sequence, digest in sorted(seen.items())}
            for device, seen in memory.seen.items()
        },
        "marks": {
            f"{device.hex()}/{record.hex()}": version
            for (device, record), version in sorted(memory.marks.items())
        },
        "reports": {
            f"{device.hex()}/{card.hex()}": seen for (device, card), seen in sorted(memory.reports.items())
        },
    }
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(document).encode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ServerError(
            f"What was read could not be noted in {path} ({error.strerror}).",
            "Check the folder and the free space; the records themselves are on the server.",
        ) from error


def _place(text: str) -> tuple[bytes, bytes]:
    device, record = text.split("/")
    return bytes.fromhex(device), bytes.fromhex(record)
