"""What the store hands out: frozen, raw bytes, times in Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClinicianRow:
    """A clinician as stored; `identity` is the raw Ed25519 key."""

    clinician_id: bytes
    identity: bytes
    statement: bytes
    practice_id: bytes


@dataclass(frozen=True)
class InvitationRow:
    """An invitation as stored."""

    pairing_id: bytes
    clinician_id: bytes
    invitation: bytes
    claim_hash: bytes
    expires_at: int


@dataclass(frozen=True)
class DeviceRow:
    """A device as stored; keys and proof are raw. `invitation` is the one that it was paired by.

    `outbox_depth`: how many sealed records it last said it holds; `label`: the client's name, sealed.
    """

    device_id: bytes
    clinician_id: bytes
    pairing_id: bytes
    signing: bytes
    encryption: bytes
    proof: bytes
    invitation: bytes
    approval: bytes | None
    state: str
    created_at: int
    last_seen_at: int | None
    outbox_depth: int | None = None
    label: bytes | None = None


@dataclass(frozen=True)
class Receipt:
    """The proof of a record's arrival. `created` is false when it had arrived before."""

    record_id: bytes
    sha256: bytes
    received_at: int
    created: bool


@dataclass(frozen=True)
class RecordRow:
    """A sealed record in a clinician's order of arrival."""

    cursor: int
    device_id: bytes
    received_at: int
    frame: bytes
