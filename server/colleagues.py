"""Whom a clinician shares with, and whose shares they read: identities confirmed between people.

The server says who is a colleague; whose key that is, it cannot be asked. Two people compare a fingerprint by
voice or on paper once, by typing it, and the key file keeps it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.clinician_keys import Clinician
from server.errors import ServerError
from server.keyfile import change
from server.keys_client import ServedColleague
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import Statement, fingerprint, parse_statement

LEAST_HEX: Final = 32
"""Digits of a fingerprint that must be compared: 128 bits, which no second key can be made to share."""


@dataclass(frozen=True)
class Colleague:
    """A colleague whose statement holds; `confirmed` when the key file has their fingerprint."""

    stated: Statement
    confirmed: bool

    @property
    def id(self) -> bytes:
        """The clinician id, 16 bytes."""
        return self.stated.clinician_id

    @property
    def identity(self) -> Ed25519PublicKey:
        """Their identity key, as the server says until it was confirmed."""
        return self.stated.identity


def spoken_fingerprint(identity: Ed25519PublicKey) -> str:
    """128 bits of a fingerprint in groups of four, to be read out and typed."""
    text = fingerprint(identity).hex()[:LEAST_HEX]
    return " ".join(text[at : at + 4] for at in range(0, LEAST_HEX, 4))


def known(clinician: Clinician, served: Iterable[ServedColleague]) -> Mapping[bytes, Colleague]:
    """The colleagues whose statements hold, by id, without one whose identity is not the confirmed one."""
    found: dict[bytes, Colleague] = {}
    for one in served:
        try:
            stated = parse_statement(one.statement)
        except (FrameError, SealError):
            continue
        if stated.clinician_id != one.clinician_id:
            continue
        pinned = clinician.colleagues.get(one.clinician_id)
        if pinned is None or hmac.compare_digest(pinned, fingerprint(stated.identity)):
            found[one.clinician_id] = Colleague(stated, pinned is not None)
    return found


def named(clinician: Clinician, served: Iterable[ServedColleague], wanted: str) -> Colleague:
    """The colleague of this name, or with an id that begins so. Raises ServerError."""
    served = list(served)
    found = known(clinician, served)
    said = wanted.strip().casefold()
    matching = [
        one
        for one in found.values()
        if said and (one.stated.name.casefold() == said or one.id.hex().startswith(said))
    ]
    if len(matching) == 1:
        return matching[0]
    if not matching and any(
        one.clinician_id in clinician.colleagues for one in served if one.clinician_id not in found
    ):
        raise ServerError(
            "The server shows a colleague with another identity than you confirmed. They are left out.",
            "Do not share through this server until you have spoken with your colleague and whoever runs it.",
        )
    if not matching:
        names = ", ".join(sorted(one.stated.name for one in found.values())) or "none"
        raise ServerError(f"There is no colleague {wanted!r}.", f"Colleagues of your practice: {names}.")
    raise ServerError(f"{wanted!r} is {len(matching)} colleagues.", "Give the beginning of the id instead.")


def confirm(
    path: Path, clinician: Clinician, colleague: Colleague, typed: str | None, ask: Callable[[str], str]
) -> Clinician:
    """Confirm a colleague's identity by a fingerprint that was typed, and keep it; the clinician then.

    `ask` is given the question and returns what the person types. Raises ServerError when it does not match.
    """
    if colleague.confirmed and typed is None:
        return clinician
    if typed is None:
        typed = ask(
            f"Ask {colleague.stated.name} for the fingerprint that `onebreath keys list` shows to them, by "
            "voice or on paper, and type it"
        )
    given = "".join(letter for letter in typed.casefold() if letter not in " :-\n\t")
    whole = fingerprint(colleague.identity).hex()
    if len(given) < LEAST_HEX or not hmac.compare_digest(whole[: len(given)].encode(), given.encode()):
        raise ServerError(
            f"That is not the fingerprint of the key that the server shows for {colleague.stated.name}.",
            "Check it with your colleague once more. If it stays so, the server shows another key: share "
            "nothing.",
        )
    if colleague.confirmed:
        return clinician
    pins = {**clinician.colleagues, colleague.id: fingerprint(colleague.identity)}
    return change(path, clinician, colleagues=pins)
