"""The mailbox on disk, and the way to it: fetch, take, keep, tell the server.

    <home>/mailbox.json            what was taken; for its owner alone, replaced whole
    <home>/mailbox.<8 hex>.last    the highest version, a second time: were mailbox.json moved away, older
                                   cards would still be refused; the digits begin the device's id

The names of parts are in mailbox.json as they are in the cards. Takes and phrases are not, and nothing of
them is ever sent. How an enrolment went is there as it is sent: sealed for the clinician.
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
from voice.adapters.identity import DEVICE_FILE, device_keys, load_pairing, not_paired
from voice.adapters.private_file import write_private
from voice.errors import StorageError
from voice.mailbox import Mailbox, Reported, Told, acknowledged, settled, take, with_report
from voice.wire.card_content import decode_card, encode_card
from voice.wire.card_reports import seal_report
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError, SealError

log = logging.getLogger(__name__)

NAME: Final = "mailbox.json"
VERSION: Final = 1
MOST_PAGES: Final = 64
"""Pages in one go; a server that never ends is asked again at the next."""

_TRIES: Final = 2
"""How often a report is offered in one go: the first refusal tells the number to count on from."""


@dataclass(frozen=True)
class Page:
    """A page of sealed cards as the server gave them; nothing of it is verified."""

    sealed: tuple[bytes, ...]
    more: bool


class CardLink(Protocol):
    """The way to the mailbox at the server. All raise `voice.outbox.UnreachableError`."""

    def cards(self, after: int) -> Page:
        """The device's cards with versions above `after`, in their order."""
        ...

    def card_fetched(self, card_id: bytes, version: int) -> None:
        """Say that this version is here; returns when the server knows, or no longer has it."""
        ...

    def card_report(self, card_id: bytes, version: int, sealed: bytes) -> int | None:
        """Offer a sealed report; None when the server has it now, or never will. When it has one with the
        same number or a greater one: that number."""
        ...


class DeviceMailbox:
    """The mailbox of the device in `home`. Raises StorageError when what was taken cannot be read or kept.

    `state` may be read from any thread. Several processes may use one home: a lock is held while it is
    changed, and never while the network is waited for. `enrolled` gives what there is to report of a part
    that is enrolled already when a card for it is taken, None of any other: a new version of a card has no
    report.
    """

    def __init__(self, home: Path, enrolled: Callable[[str], bytes | None] = lambda name: None) -> None:
        self._home = home
        self._enrolled = enrolled
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
        for _ in range(_TRIES):
            if self.deliver(link):
                break
        return taken

    def report(self, told: Told, plaintext: bytes, *, anew: bool = False) -> None:
        """Seal how the enrolment of this card goes, and keep it until it is delivered, in place of what was
        kept before. `anew`: unless a newer one waits. Raises PairingError, StorageError."""
        pairing = load_pairing(self._home)
        if pairing is None:
            raise not_paired()
        keys, reading = device_keys(self._home), pairing.clinician.reading

        def seal(number: int) -> bytes:
            return seal_report(
                plaintext,
                signer=keys.signing,
                card_id=told.card_id,
                version=told.version,
                number=number,
                recipient=reading,
            )

        self._change(lambda state: with_report(state, told, seal, anew=anew))

    def deliver(self, link: CardLink) -> bool:
        """Send the reports that wait; whether the server has all of them.

        False: it has a greater number than this device counted to, which now counts on from there. Of a part
        that is enrolled the report then waits anew; any other is for whoever made it to make again. Raises
        UnreachableError, StorageError.
        """
        refused = set()
        for report in self._change(lambda state: state).reports:
            if report.sealed is None:
                continue
            number = link.card_report(report.card_id, report.version, report.sealed)
            self._change(lambda state, one=report, seen=number or 0: settled(state, one, seen))  # type: ignore[misc]
            if number is not None:
                refused.add((report.card_id, report.version))
        for told in self._state.told:
            if (told.card_id, told.version) in refused:
                self._report_enrolled(told, anew=True)
        return not refused

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

        known = {(told.card_id, told.version) for told in self._state.told}
        for told in self._change(all_of_them).told:
            if (told.card_id, told.version) not in known:
                self._report_enrolled(told)
        return count

    def _report_enrolled(self, told: Told, *, anew: bool = False) -> None:
        content = None if told.part.removed else self._enrolled(told.part.name)
        if content is not None:
            self.report(told, content, anew=anew)

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
        "reports": [
            {
                "card": report.card_id.hex(),
                "version": report.version,
                "number": report.number,
                "sealed": None if report.sealed is None else b64url(report.sealed),
            }
            for report in state.reports
        ],
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
        reports=tuple(
            Reported(
                _id(report["card"]),
                _whole(report["version"]),
                _whole(report["number"]),
                None if report["sealed"] is None else from_b64url(report["sealed"]),
            )
            for report in fields.get("reports", ())
        ),
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
