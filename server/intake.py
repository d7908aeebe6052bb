"""Decides what becomes of a record that arrives. Pure: bytes and rows in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.errors import RefusedError
from voice.wire.envelope import Frame, parse_frame, verify_frame
from voice.wire.errors import FrameError, SealError

RESTING = {
    "paused": "The clinician has paused this device.",
    "discharged": "This device's client has been discharged.",
    "revoked": "This device was revoked.",
}


class Decision(Enum):
    """What the store does with a record."""

    CREATE = "create"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Sender:
    """The device that signed the request: its id and its signing key."""

    device_id: bytes
    signing: Ed25519PublicKey


@dataclass(frozen=True)
class Stored:
    """What is known of a record that is already here, or was and has been deleted.

    `received_at`: Unix seconds, as its receipt says.
    """

    record_id: bytes
    sequence: int
    sha256: bytes
    received_at: int


def check_frame(data: bytes, record_id: bytes, sender: Sender) -> Frame:
    """The frame, if it is whole and its sender's own. Raises RefusedError: 400 or 403."""
    try:
        frame = parse_frame(data)
    except FrameError as error:
        raise RefusedError(
            400, "frame", f"The record is malformed: {error}.", "Keep it; update the device's software."
        ) from error
    if frame.device_id != sender.device_id:
        raise RefusedError(403, "device", "The record names another device than the one that sent it.")
    if frame.record_id != record_id:
        raise RefusedError(400, "frame", "The record's id is not the one in the address.")
    try:
        verify_frame(frame, sender.signing)
    except SealError as error:
        raise RefusedError(400, "frame", "The record was not signed by the device that it names.") from error
    return frame


def decide(frame: Frame, sha256: bytes, state: str, stored: list[Stored]) -> Decision:
    """What to do, given the device's records with this id or this sequence number.

    A record that is or was here is acknowledged to a paused or discharged device too: it was taken in time,
    and only its receipt was lost. A revoked device gets nothing. Raises RefusedError: 403, 409.
    """
    same = next((row for row in stored if row.record_id == frame.record_id), None)
    if state == "revoked":
        raise resting(state)
    if same is not None and same.sha256 == sha256:
        return Decision.DUPLICATE
    if state != "active":
        raise resting(state)
    if same is not None:
        raise RefusedError(
            409,
            "conflict",
            "Another record with this id is, or was, already here.",
            "The first one stands. A record is sealed once and sent again byte for byte.",
        )
    if any(row.sequence == frame.sequence for row in stored):
        raise RefusedError(
            409,
            "sequence",
            "Another record of this device has, or had, this sequence number.",
            "The device's storage may have been restored from a copy. Pair it anew.",
        )
    return Decision.CREATE


def resting(state: str) -> RefusedError:
    """The refusal that a device in this state gets."""
    return RefusedError(
        403,
        state,
        RESTING[state],
        "Nothing is lost on the device. Ask the clinician.",
        extra={"state": state},
    )
