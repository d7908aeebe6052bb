"""The mailbox on disk, and the way to it: fetch, take, keep, tell the server.

    <home>/mailbox.json            what was taken; for its owner alone, replaced whole
    <home>/mailbox.<8 hex>.last    the highest version, a second time: were mailbox.json moved away, older
                                   cards would still be refused; the digits begin the device's id

The names of parts are in mailbox.json as they are in the cards. Takes and phrases are not, and nothing of
them is ever sent.
"""

from __future__ import annotations

import fcntl
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from voice.adapters.high_water import HighWater
from voice.adapters.identity import DEVICE_FILE, device_keys, load_pairing
from voice.adapters.private_file import write_private
from voice.errors import StorageError
from voice.mailbox import Mailbox, Told, acknowledged, take
from voice.wire.card_content import decode_card, encode_card
from voice.wire.errors import FrameError, SealError

log = logging.getLogger(__name__)

NAME: Final = "mailbox.json"
VERSION: Final = 1
MOST_PAGES: Final = 64
"""Pages in one go; a server that never ends is asked again at the next."""


@dataclass(frozen=True)
class Page:
    """A page of sealed cards as the server gave them; nothing of it is verified."""

    sealed: tuple[bytes, ...]
    more: bool


class CardLink(Protocol):
    """The way to the mailbox at the server. Both raise `voice.outbox.UnreachableError`."""

    def cards(self, after: int) -> Page:
        """The device's cards with versions above `after`, in their order."""
        ...

    def card_fetched(self, card_id: bytes, version: int) -> None:
        """Say that this version is here; returns when the server knows, or no longer has it."""
        ...


class DeviceMailbox:
    """The mailbox of the device in `home`. Raises StorageError when what was taken cannot be read or kept.

    `state` may be read from any thread. Several processes may use one home: a lock is held while it is
    changed, and never while the network is waited for.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._state = self._load()

    @property
    def state(self) -> Mailbox:
        """What was taken, as this process last saw it; replaced whole, never changed."""
        return self._state

    def collect(self, link: CardLink) -> int:
        """Fetch what is new, take it, and say so to the server; how many cards were taken.

        A card that does not hold is left out and logged; the others are taken. Raises UnreachableError,
        StorageError; what was taken until then is kept.
        """
        taken = 0
        after = self._change(lambda state: state).highest
        for _ in range(MOST_PAGES):
            page = link.cards(after)
            taken += self._take(page.sealed)
            before, after = after, self._state.highest
            if not page.more or after <= before:
                break
        for card_id, version in self._state.owed:
            link.card_fetched(card_id, version)
            self._change(lambda state, one=(card_id, version): acknowledged(state, *one))  # type: ignore[misc]
        return taken

    def _take(self, sealed: Sequence[bytes]) -> int:
        pairing = load_pairing(self._home)
        if pairing is None or not sealed:
            return 0
        keys, identity = device_keys(self._home), pairing.clinician.identity
        count = 0

        def all_of_them(state: Mailbox) -> Mailbox:
            nonlocal count
            for data in sealed:
                try:
                    state = take(state, data, keys.encryption, identity)
                    count += 1
                except (FrameError, SealError) as error:
                    log.warning("a card from the server was refused: %s", error)
            return state

        self._change(all_of_them)
        return count

    def _change(self, change: Callable[[Mailbox], Mailbox]) -> Mailbox:
        with self._locked():
            before = self._load()
            state = change(before)
            if state != before:
                self._keep(state)
            self._state = state
        return state

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._home / "mailbox.lock"
        with self._lock:
            try:
                self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = path.open("w")
            except OSError as error:
                raise _unwritable(path, error) from error
            with file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield

    def _load(self) -> Mailbox:
        """What is on disk, if it is this device's: a device that was paired anew begins with nothing."""
        if not (self._home / DEVICE_FILE).exists():
            return Mailbox(bytes(16))
        fresh = Mailbox(device_keys(self._home).id)
        path = self._home / NAME
        try:
            kept = _read(json.loads(path.read_bytes()))
        except FileNotFoundError:
            kept = fresh
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({error.strerror}).", "Check its owner.") from error
        except (ValueError, KeyError, TypeError, AttributeError, FrameError) as error:
            raise StorageError(
                f"{path} is damaged, or of a newer Onebreath.",
                "It was left as it is. Move it away: parts that are enrolled are still listened for; ask the "
                "clinician to send the rest again.",
            ) from error
        if kept.device_id != fresh.device_id:
            kept = fresh
        return replace(kept, highest=max(kept.highest, self._last(kept.device_id)))

    def _keep(self, state: Mailbox) -> None:
        path = self._home / NAME
        try:
            # In this order: a card whose version was noted, and which was then lost, would never come again.
            write_private(path, _fields(state))
            second = HighWater(self._last_path(state.device_id))
            try:
                second.write(state.highest)
            finally:
                second.close()
        except OSError as error:
            raise _unwritable(path, error) from error

    def _last(self, device_id: bytes) -> int:
        path = self._last_path(device_id)
        if not path.exists():
            return 0
        try:
            second = HighWater(path)
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({error.strerror}).", "Check its owner.") from error
        second.close()
        return second.value

    def _last_path(self, device_id: bytes) -> Path:
        return self._home / f"mailbox.{device_id.hex()[:8]}.last"


def _fields(state: Mailbox) -> bytes:
    fields = {
        "version": VERSION,
        "device": state.device_id.hex(),
        "highest": state.highest,
        "told": [
            {
                "card": told.card_id.hex(),
                "version": told.version,
                "quiet": told.quiet,
                "says": encode_card(told.part).decode(),
            }
            for told in state.told
        ],
        "settings": dict(state.settings),
        "owed": [[card_id.hex(), version] for card_id, version in state.owed],
    }
    return json.dumps(fields, ensure_ascii=False, indent=1).encode()


def _read(fields: Any) -> Mailbox:
    """Raises what a file full of something else makes it raise."""
    if fields["version"] != VERSION:
        raise ValueError("another version")
    return Mailbox(
        device_id=_id(fields["device"]),
        highest=_whole(fields["highest"]),
        told=tuple(
            Told(
                _id(told["card"]),
                _whole(told["version"]),
                decode_card(told["says"].encode()),
                None if told["quiet"] is None else bool(told["quiet"]),
            )
            for told in fields["told"]
        ),
        settings={str(key): value for key, value in fields["settings"].items()},
        owed=tuple((_id(card_id), _whole(version)) for card_id, version in fields["owed"]),
    )


def _id(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != 16:
        raise ValueError("not an id")
    return found


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a version")
    return value


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be written ({error.strerror}).", "Check the folder's owner and the free space."
    )
