"""Two kinds of error: what is said to the person at this machine, and what is answered to a caller."""

from __future__ import annotations

import click


class ServerError(click.ClickException):
    """Something the person who runs the server can act on: what happened, and what to do about it."""

    exit_code = 1

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(f"{cause}\n       {remedy}" if remedy else cause)
        self.cause = cause
        self.remedy = remedy


class RefusedError(Exception):
    """A call that is answered with an error. `code` is the contract (FORMAT.md section 7)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        remedy: str = "",
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.remedy = remedy
        self.headers = headers or {}
        self.extra = extra or {}

    @property
    def body(self) -> dict[str, str]:
        """The answer, as JSON."""
        return {"error": self.code, "message": self.message, "remedy": self.remedy, **self.extra}


def no_device() -> RefusedError:
    """The refusal for a device that is not here, and for another clinician's alike."""
    return RefusedError(404, "device", "There is no such device.", "See GET /v1/devices.")


def not_paired() -> RefusedError:
    """The refusal for a caller that signs as a device that is not here."""
    return RefusedError(401, "unknown_device", "This device is not paired here.", "Pair it anew.")
