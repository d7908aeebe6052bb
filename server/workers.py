"""Worker processes over sockets that are already bound: forked, restarted when they die, ended together.

The parent does no work of its own and holds no database, thread or event loop, so that forking is safe.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

_log = logging.getLogger("onebreath.workers")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
_WINDOW_S: Final = 60.0
_DEATHS_PER_WORKER: Final = 5
_KILL_AFTER_S: Final = 5.0


def hopeless(deaths: list[float], workers: int, now: float) -> bool:
    """Whether workers die so often that starting more is of no use; times in seconds of one clock."""
    recent = [at for at in deaths if now - at < _WINDOW_S]
    return len(recent) >= _DEATHS_PER_WORKER * workers


class Supervisor:
    """Keeps `count` workers. `work` is all of a worker's life; `drain_s` is what it gets to end calls."""

    def __init__(self, count: int, work: Callable[[], None], drain_s: float) -> None:
        self._count = count
        self._work = work
        self._drain_s = drain_s
        self._workers: set[int] = set()
        self._deaths: list[float] = []
        # Workers see the end of this pipe when the parent is gone, however it went.
        self._held, self._alive = os.pipe()

    def run(self) -> int:
        """Until SIGINT or SIGTERM: 0. Until workers can't be kept alive, or had to be killed: 1."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for _ in range(self._count):
                self._start(before)
            while True:
                number = signal.sigwaitinfo(_SIGNALS).si_signo
                if number == signal.SIGHUP:
                    self._tell(signal.SIGHUP)
                elif number == signal.SIGCHLD:
                    for _ in range(self._reap()):
                        if hopeless(self._deaths, self._count, time.monotonic()):
                            _log.error("workers die as soon as they start; giving up")
                            self._end()
                            return 1
                        self._start(before)
                else:
                    return 0 if self._end() else 1
        finally:
            os.close(self._held)
            os.close(self._alive)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start(self, mask: set[int | signal.Signals]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        worker = os.fork()
        if worker:
            self._workers.add(worker)
            _log.info("worker started", extra={"fields": {"worker": worker}})
            return
        status = 1
        try:
            status = self._be_a_worker(mask)
        except BaseException:
            _log.exception("the worker failed")
        finally:
            # Not sys.exit: what the parent's frames would do on the way out is the parent's to do.
            os._exit(status)

    def _be_a_worker(self, mask: set[int | signal.Signals]) -> int:
        os.close(self._alive)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        threading.Thread(target=_end_with_parent, args=(self._held,), daemon=True).start()
        try:
            self._work()
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else 1
        return 0

    def _reap(self) -> int:
        """Take leave of workers that ended; how many of ours did."""
        ended = 0
        while self._workers:
            worker, status = os.waitpid(-1, os.WNOHANG)
            if worker == 0:
                break
            if worker in self._workers:
                self._workers.discard(worker)
                self._deaths = [*self._deaths, time.monotonic()][-1000:]
                ended += 1
                code = os.waitstatus_to_exitcode(status)
                _log.warning("worker ended", extra={"fields": {"worker": worker, "exit": code}})
        return ended

    def _tell(self, number: signal.Signals) -> None:
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, number)

    def _end(self) -> bool:
        """End all workers after their calls under way; False when some had to be killed."""
        self._tell(signal.SIGTERM)
        until = time.monotonic() + self._drain_s + _KILL_AFTER_S
        while self._workers and time.monotonic() < until:
            signal.sigtimedwait((signal.SIGCHLD,), max(until - time.monotonic(), 0.0))
            self._collect(os.WNOHANG)
        killed = bool(self._workers)
        self._tell(signal.SIGKILL)
        self._collect(0)
        return not killed

    def _collect(self, how: int) -> None:
        for worker in list(self._workers):
            if os.waitpid(worker, how)[0]:
                self._workers.discard(worker)


def _end_with_parent(held: int) -> None:
    """Wait until nobody holds the other end, then end as if told to."""
    os.read(held, 1)
    os.kill(os.getpid(), signal.SIGTERM)
