"""Telling the clinician how an enrolment goes, beside the conversation and never in its way.

Each report is sealed, kept in the mailbox and offered to the server by a thread of its own. What comes while
one is under way takes the place of what waits, so that only the newest is kept; without a network it stays,
sealed, and goes out with the next fetch of cards.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from voice.adapters.cards import CardBox
from voice.adapters.identity import load_pairing
from voice.adapters.mailbox import DeviceMailbox
from voice.adapters.uplink import HttpUplink
from voice.errors import OnebreathError
from voice.mailbox import Told, told_of
from voice.outbox import UnreachableError
from voice.progress import Progress, standing
from voice.wire.card_report_content import Report, encode_report

log = logging.getLogger(__name__)

CLOSE_WAIT_S: Final = 3.0
"""How long the end of a program may wait for the last report to arrive; it is kept all the same."""


class CardReports:
    """Reports on one card. `tell` neither waits nor raises. Close it at the end."""

    def __init__(
        self, home: Path, told: Told, *, connect: Callable[[Path], HttpUplink] = HttpUplink.of
    ) -> None:
        self._home = home
        self._told = told
        self._connect = connect
        self._changed = threading.Condition()
        self._next: Report | None = None
        self._closing = False
        self._left = False
        self._thread = threading.Thread(target=self._run, name="card-reports", daemon=True)
        self._thread.start()

    def tell(self, report: Report) -> None:
        """Seal and send this report, unless a newer one comes before its turn."""
        with self._changed:
            self._next = report
            self._changed.notify()

    def close(self, wait_s: float = CLOSE_WAIT_S) -> None:
        """Wait a little for the last report to arrive; it is sealed and kept when this returns."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(wait_s)
        with self._changed:
            last, self._next = self._next, None
            self._left = last is not None
        if last is not None:
            self._keep(last)

    def _run(self) -> None:
        link = None
        try:
            try:
                link = self._connect(self._home)
                with suppress(UnreachableError):
                    link.device_state()  # brings the clinician's newest reading key
            except OnebreathError as error:
                log.warning("the clinician is not told how the enrolment goes: %s", error)
            while True:
                report = self._wait()
                if report is None:
                    return
                if self._keep(report) and link is not None:
                    self._send(report, link)
        finally:
            if link is not None:
                link.close()

    def _wait(self) -> Report | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._next is not None)
            report, self._next = self._next, None
        return report

    def _keep(self, report: Report, *, anew: bool = False) -> bool:
        try:
            DeviceMailbox(self._home).report(self._told, encode_report(report), anew=anew)
        except OnebreathError as error:
            log.warning("how the enrolment goes could not be kept: %s", error)
            return False
        return True

    def _enrolled(self, name: str) -> bytes | None:
        # Of this part's card what is told here is newer than what is enrolled.
        return None if name == self._told.part.name else of_enrolled(self._home)(name)

    def _send(self, report: Report, link: HttpUplink) -> None:
        try:
            mailbox = DeviceMailbox(self._home, self._enrolled)
            if mailbox.deliver(link):
                return
            with self._changed:
                if self._left:
                    return  # what the end of the program kept is newer
            if self._keep(report, anew=True):
                mailbox.deliver(link)
        except UnreachableError as error:
            log.info("how the enrolment goes waits for the network: %s", error)
        except OnebreathError as error:
            log.warning("how the enrolment goes was not sent: %s", error)


def of_enrolled(home: Path) -> Callable[[str], bytes | None]:
    """What is to be reported of a part when a new card for it comes, None of a part that is not enrolled."""
    box = CardBox(home)

    def content(name: str) -> bytes | None:
        with suppress(OnebreathError):
            card = box.get(name)
            return None if card is None else encode_report(standing(card))
        return None

    return content


@contextmanager
def reporting(home: Path, name: str) -> Iterator[Progress]:
    """The progress of an enrolment, reported when a card of the clinician's asks for this part.

    An end that was not told is told when this is left: it was stopped.
    """
    told = None
    # What cannot be read here is said by whoever needs it.
    with suppress(OnebreathError):
        told = None if load_pairing(home) is None else told_of(DeviceMailbox(home).state, name)
    if told is None or told.part.removed:
        yield Progress()
        return
    reports = CardReports(home, told)
    progress = Progress(reports.tell)
    try:
        try:
            yield progress
        finally:
            progress.stopped()
    finally:
        reports.close()
