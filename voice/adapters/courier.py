"""The courier: a thread that carries the outbox to the server, on waking and on schedule."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from voice.errors import OnebreathError
from voice.outbox import DeviceState, Outbox, UnreachableError, Uplink

ASK_EVERY_S = 900.0
"""Seconds between questions for the device's state, and for cards, while nothing else is sent."""


@dataclass(frozen=True)
class CourierState:
    """What the courier last saw. `reachable` and `device` are None until the first answer.

    `problem` is the last failure in plain words, without content; None when all is well.
    """

    reachable: bool | None = None
    device: DeviceState | None = None
    waiting: int = 0
    set_aside: int = 0
    problem: str | None = None


class Courier:
    """Flushes the outbox in its own thread; `state` may be read from any thread.

    `clock` is any steady clock in seconds. Call `wake` after each save, so that the record's hold begins, and
    when the network came back. `on_asking` is called before each question for the state, `errand` after each
    answer (to fetch cards), unless the device was revoked; both in the courier's thread.
    """

    def __init__(
        self,
        outbox: Outbox,
        uplink: Uplink,
        *,
        clock: Callable[[], float] = time.monotonic,
        ask_every_s: float = ASK_EVERY_S,
        on_state: Callable[[CourierState], None] = lambda state: None,
        on_asking: Callable[[CourierState], None] = lambda state: None,
        errand: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox = outbox
        self._uplink = uplink
        self._clock = clock
        self._ask_every_s = ask_every_s
        self._on_state = on_state
        self._on_asking = on_asking
        self._errand = errand
        self._ask_at: float | None = None
        self._state = CourierState()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> CourierState:
        """What was last seen; replaced whole, never changed."""
        return self._state

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at the outbox now."""
        self._woken.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Finish the send that is on its way, if it ends in time, and no other. Nothing is lost."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def round(self, now: float) -> float:
        """One flush, and the question for the state when it is due; seconds until the next round."""
        state, stuck = self._state, False
        try:
            flushed = self._outbox.flush(self._uplink, now, keep_going=lambda: not self._stopping.is_set())
            state = replace(state, waiting=flushed.waiting, set_aside=flushed.set_aside)
            if flushed.reachable is not None:
                state = replace(state, reachable=flushed.reachable, problem=flushed.problem)
            if flushed.device_state is not None:
                state = replace(state, device=flushed.device_state)
            due = flushed.next_try_at
        except OnebreathError as error:
            state, due, stuck = replace(state, problem=error.cause), now + 60.0, True
        if self._ask_at is None or now >= self._ask_at:
            state = self._ask(state, stuck)
            self._ask_at = now + self._ask_every_s
        self._publish(state)
        return max(0.0, min(self._ask_at, self._ask_at if due is None else due) - now)

    def _ask(self, state: CourierState, stuck: bool) -> CourierState:
        self._on_asking(state)
        try:
            device = self._uplink.device_state()
        except UnreachableError as failure:
            return replace(state, reachable=False, problem=str(failure))
        except OnebreathError as error:
            return replace(state, problem=error.cause)
        problem = state.problem if stuck or state.waiting else None
        state = replace(state, reachable=True, device=device, problem=problem)
        if device is DeviceState.REVOKED:
            return state
        try:
            self._errand()
        except UnreachableError as failure:
            return replace(state, problem=str(failure))
        except OnebreathError as error:
            return replace(state, problem=error.cause)
        return state

    def _publish(self, state: CourierState) -> None:
        if state != self._state:
            self._state = state
            self._on_state(state)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                wait_s = self.round(self._clock())
            except Exception as error:  # the thread must outlive a mistake of ours; the state says so
                self._publish(replace(self._state, problem=f"the courier failed ({type(error).__name__})"))
                wait_s = 60.0
            self._woken.wait(wait_s)
