"""What the client agreed to: `<home>/consents.json`, for its owner alone.

A consent is to one clinician: on a device that is paired with another it is none. A file that is absent or
damaged is no consent.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from voice.adapters.identity import load_pairing
from voice.adapters.private_file import write_private
from voice.errors import OnebreathError, StorageError

NAME: Final = "consents.json"
ASKS_WHEN: Final = "asks_when"


class FileConsents:
    """{"asks_when": FINGERPRINT}: the question of S20, for the clinician with this identity key, in hex."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def asks_when(self) -> bool:
        """Whether the client agreed to the question of S20. Never fails: what cannot be read is no yes."""
        try:
            given = json.loads((self._home / NAME).read_bytes()).get(ASKS_WHEN)
            return isinstance(given, str) and given == self._clinician()
        except (OSError, ValueError, AttributeError, OnebreathError):
            return False

    def keep_asks_when(self, given: bool) -> None:
        """Keep that it was given, or taken back; on disk when this returns.

        Raises StorageError, PairingError.
        """
        kept = {ASKS_WHEN: self._clinician()} if given else {}
        try:
            write_private(self._home / NAME, json.dumps(kept).encode())
        except OSError as error:
            raise StorageError(
                f"The consent could not be kept ({error.strerror}).",
                "Check who may write to the device's folder, and that the disk has room.",
            ) from error

    def _clinician(self) -> str:
        pairing = load_pairing(self._home)
        return "" if pairing is None else pairing.fingerprint.hex()
