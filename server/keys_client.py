"""The clinician's side of the calls about keys and shares. Nothing that comes back is verified here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from server.clinician_client import ClinicianClient, Pages, entries_of, plain
from voice.wire.encoding import b64url, from_b64url
from voice.wire.errors import FrameError

BATCH: Final = 100
"""Shares that one call takes."""


@dataclass(frozen=True)
class ServedEpoch:
    """An epoch as the server lists it. `shredded_at` is the server's text, None while it is not shredded."""

    epoch: int
    statement: bytes | None
    wrapped: bytes | None
    shredded_at: str | None


@dataclass(frozen=True)
class ServedKeys:
    """What the server keeps of the clinician's keys; `slots` holds each slot's type."""

    epochs: tuple[ServedEpoch, ...]
    slots: tuple[str, ...]
    rotation_days: int | None


@dataclass(frozen=True)
class ServedColleague:
    """Another clinician of the practice, as the server says."""

    clinician_id: bytes
    statement: bytes


@dataclass(frozen=True)
class SharedEntry:
    """A shared record as the server lists it."""

    from_id: bytes
    share: bytes
    frame: bytes
    received_at: str


@dataclass(frozen=True)
class SharedListing:
    """All pages. `broken` counts entries without the right shape; not `whole`: the pages did not go on."""

    entries: tuple[SharedEntry, ...]
    broken: int = 0
    whole: bool = True


class KeysClient:
    """Calls about keys, as one clinician. Every call raises ServerError with cause and remedy."""

    def __init__(self, client: ClinicianClient) -> None:
        self._client = client

    def keys(self) -> ServedKeys:
        """Epochs and slots; entries without the right shape are left out."""
        answer = self._client.call("GET", "/v1/keys")
        epochs = [_epoch(fields) for fields in entries_of(answer, "epochs")]
        slots = tuple(_kind(fields) for fields in entries_of(answer, "slots"))
        days = answer.get("rotation_days")
        known = days if type(days) is int and 1 <= days <= 366 else None
        return ServedKeys(tuple(epoch for epoch in epochs if epoch is not None), slots, known)

    def put_epoch(self, epoch: int, statement: bytes, wrapped: bytes | None = None) -> None:
        """State the next epoch, or give a copy of the private key, wrapped, of one that is stated."""
        fields = {"statement": b64url(statement)}
        if wrapped is not None:
            fields["wrapped"] = b64url(wrapped)
        self._client.call("PUT", f"/v1/keys/{epoch}", fields)

    def put_identity(self, wrapped: bytes) -> None:
        """Give a wrapped copy of the identity key."""
        self._client.call("PUT", "/v1/keys/0", {"wrapped": b64url(wrapped)})

    def shred(self, epoch: int) -> None:
        """Let the server forget its copy of an epoch."""
        self._client.call("DELETE", f"/v1/keys/{epoch}")

    def put_slot(self, slot_id: bytes, fields: Mapping[str, Any]) -> None:
        """Keep a key slot on the server."""
        self._client.call("PUT", f"/v1/key-slots/{slot_id.hex()}", fields)

    def endorse(self, endorsement: bytes) -> None:
        """Tell devices, through the server, who else reads."""
        self._client.call("PUT", "/v1/endorsement", {"endorsement": b64url(endorsement)})

    def colleagues(self) -> tuple[ServedColleague, ...]:
        """The other clinicians of the practice; entries without the right shape are left out."""
        found = [
            _colleague(fields)
            for fields in entries_of(self._client.call("GET", "/v1/colleagues"), "colleagues")
        ]
        return tuple(one for one in found if one is not None)

    def share(self, to: bytes, shares: Sequence[bytes]) -> int:
        """Give shares for a colleague, a hundred at a time; how many records they did not have before."""
        added = 0
        for at in range(0, len(shares), BATCH):
            batch = [b64url(share) for share in shares[at : at + BATCH]]
            answer = self._client.call("POST", "/v1/shares", {"to": to.hex(), "shares": batch})
            added += int(answer.get("added", 0))
        return added

    def end_shares(self, to: bytes) -> int:
        """End a colleague's cover; how many records they can no longer fetch."""
        return int(self._client.call("DELETE", f"/v1/shares/{to.hex()}").get("removed", 0))

    def shared(self, *, page: int = 100) -> SharedListing:
        """Every page of what colleagues shared."""
        pages = Pages[SharedEntry](self._client, f"/v1/shares?limit={page}", "shares")
        entries = tuple(pages.each(_shared))
        return SharedListing(entries, pages.broken, pages.whole)


def _epoch(fields: Any) -> ServedEpoch | None:
    try:
        statement, wrapped, shredded = fields["statement"], fields["wrapped"], fields["shredded_at"]
        return ServedEpoch(
            int(fields["epoch"]),
            None if statement is None else from_b64url(statement),
            None if wrapped is None else from_b64url(wrapped),
            None if shredded is None else plain(str(shredded)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, FrameError):
        return None


def _kind(fields: Any) -> str:
    try:
        return plain(str(fields["fields"]["type"]))
    except (KeyError, TypeError):
        return "unknown"


def _colleague(fields: Any) -> ServedColleague | None:
    try:
        return ServedColleague(bytes.fromhex(fields["clinician"]), from_b64url(fields["statement"]))
    except (KeyError, TypeError, ValueError, AttributeError, FrameError):
        return None


def _shared(fields: Any) -> SharedEntry | None:
    try:
        return SharedEntry(
            bytes.fromhex(fields["from"]),
            from_b64url(fields["share"]),
            from_b64url(fields["frame"]),
            plain(str(fields["received_at"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError, FrameError):
        return None
