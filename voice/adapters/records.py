"""Where noticings go, for the loop: the outbox, its courier, and the device's standing, under one port."""

from __future__ import annotations

import json
import logging
import random
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from voice.adapters.courier import Courier, CourierState
from voice.adapters.identity import (
    PAIRING_FILE,
    STANDING_FILE,
    load_pairing,
    sealer,
    told_second_reader,
)
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.private_file import write_private
from voice.adapters.recovery import open_store
from voice.adapters.store import Recovery
from voice.adapters.uplink import HttpUplink
from voice.errors import OnebreathError
from voice.noticing import Noticing
from voice.outbox import HOLD_S, DeviceState, Outbox, UnreachableError, Uplink
from voice.ports import Deletion, SecondReader, Standing

log = logging.getLogger(__name__)

_STANDINGS: Final = {
    DeviceState.ACTIVE: Standing.ACTIVE,
    DeviceState.PAUSED: Standing.PAUSED,
    DeviceState.DISCHARGED: Standing.DISCHARGED,
    # A revoked device is nobody's until it is paired anew.
    DeviceState.REVOKED: Standing.UNPAIRED,
}


class DeviceRecords:
    """A `voice.ports.Records` over `<home>`. Opens the outbox at once; raises StorageError.

    With `courier` a thread delivers in the background; without it (`replay`) only `flush` does, and `ask`
    asks the server once, now, how the device stands. What the
    clinician last allowed is kept on disk: a paused device that starts without a network stays paused (S17).
    The courier also tells how many records wait here, and fetches the clinician's cards into `mailbox`.
    """

    def __init__(
        self,
        home: Path,
        *,
        courier: bool = True,
        ask: bool = False,
        hold_s: float = HOLD_S,
        clock: Callable[[], float] = time.monotonic,
        connect: Callable[[Path], Uplink] = HttpUplink.of,
        mailbox: DeviceMailbox | None = None,
    ) -> None:
        self._home = home
        self._mailbox = mailbox
        self._clock = clock
        self._connect = connect
        self._with_courier = courier
        self._store = open_store(home)
        if self._store.recovery is not None:
            log.warning("%s", self._store.recovery)
        self._courier: Courier | None = None
        self._uplink: Uplink | None = None
        self._online = False
        self._device = _last_known(home)
        self._second: SecondReader | None = None
        self._second_as_of: int | None = None
        try:
            self.outbox = Outbox(
                self._store,
                self._seal,
                lambda: secrets.token_bytes(16),
                hold_s=hold_s,
                jitter=random.random,
            )
            self._pair_up()
            if ask:
                self._ask()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def recovery(self) -> Recovery | None:
        """What opening found damaged and mended; None when all was well."""
        return self._store.recovery

    def close(self) -> None:
        """Stop the courier and give the outbox back. What waits goes out at the next start."""
        if self._courier is not None:
            self._courier.stop()
        if isinstance(self._uplink, HttpUplink):
            self._uplink.close()
        self._store.close()

    def save(self, noticing: Noticing, *, hold: bool = False) -> bytes:
        """Seal and commit; the record id once it is on disk. Raises PairingError, StorageError."""
        record_id = self.outbox.save(noticing, hold=hold)
        self._wake()
        return record_id

    def let_go(self, noticing: Noticing | None = None) -> bytes | None:
        """What is held may go, with `noticing` in its place if there is one.

        Raises PairingError, StorageError.
        """
        try:
            return self.outbox.let_go(noticing)
        finally:
            self._wake()

    def delete_last(self) -> Deletion:
        """Take back the last record while no byte of it can have left."""
        if self.outbox.delete_last():
            return Deletion.DELETED
        return Deletion.NOTHING if self.outbox.unused() else Deletion.DELIVERED

    def standing(self) -> Standing:
        """As last known; a device that is paired while it runs notices."""
        if self._uplink is None:
            self._pair_up()
        return Standing.UNPAIRED if self._uplink is None else _STANDINGS[self._device]

    def online(self) -> bool:
        """Whether the server answered when it was last called."""
        return self._online

    def second_reader(self) -> SecondReader | None:
        """As the pairing says; looked up anew when its file was written."""
        with suppress(OnebreathError, OSError):
            written = (self._home / PAIRING_FILE).stat().st_mtime_ns
            if written != self._second_as_of:
                pairing = load_pairing(self._home)
                self._second = None if pairing is None else pairing.second_reader
                self._second_as_of = written
        return self._second

    def told_second_reader(self) -> None:
        """Keep that the client was told; a full disk only means that it is said once more."""
        if self._second is not None:
            self._second = replace(self._second, told=True)
        with suppress(OnebreathError, OSError):
            told_second_reader(self._home)

    def flush(self) -> int:
        """Offer everything now, held or not; how many records still wait."""
        if self._uplink is None:
            return len(self.outbox.pending())
        flushed = self.outbox.flush(self._uplink, self._clock(), ignore_hold=True)
        if flushed.reachable is not None:
            self._online = flushed.reachable
        if flushed.device_state is not None:
            self._allow(flushed.device_state)
        return flushed.waiting

    def _wake(self) -> None:
        if self._courier is not None:
            self._courier.wake()

    def _seal(self, noticing: Noticing, record_id: bytes, sequence: int) -> bytes:
        return sealer(self._home)(noticing, record_id, sequence)

    def _pair_up(self) -> None:
        if not (self._home / PAIRING_FILE).exists() or load_pairing(self._home) is None:
            return
        self._uplink = self._connect(self._home)
        if self._with_courier:
            self._courier = Courier(
                self.outbox,
                self._uplink,
                clock=self._clock,
                on_state=self._saw,
                on_asking=self._tell_depth,
                errand=self._collect,
            )
            self._courier.start()

    def _tell_depth(self, state: CourierState) -> None:
        if isinstance(self._uplink, HttpUplink):
            self._uplink.outbox_depth = state.waiting + state.set_aside

    def _collect(self) -> None:
        if self._mailbox is not None and isinstance(self._uplink, HttpUplink):
            self._mailbox.collect(self._uplink)

    def _ask(self) -> None:
        if self._uplink is None:
            return
        with suppress(UnreachableError):
            self._allow(self._uplink.device_state())
            self._online = True

    def _saw(self, state: CourierState) -> None:
        self._online = state.reachable is True
        if state.device is not None:
            self._allow(state.device)

    def _allow(self, device: DeviceState) -> None:
        if device is not self._device:
            self._device = device
            # A full disk must not end an exchange; the server says it again.
            with suppress(OSError):
                write_private(self._home / STANDING_FILE, json.dumps({"device": device.value}).encode())


def _last_known(home: Path) -> DeviceState:
    try:
        return DeviceState(json.loads((home / STANDING_FILE).read_bytes())["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return DeviceState.ACTIVE
