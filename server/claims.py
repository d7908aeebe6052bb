"""Using a pairing link: once, before it expires, and with few wrong claims. The counts are all workers' own.

Functions over one open writing transaction, which the caller ends.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, insert, select, update

from server import audit
from server.audit import Act
from server.errors import RefusedError
from server.records_store import practice_of
from server.rows import DeviceRow
from server.schema import Device, Invitation

MOST_WRONG: Final = 5
"""Wrong claims of one link; then it is void, with the right secret too."""


def count_wrong_claim(connection: Connection, pairing_id: bytes) -> None:
    """Count a claim with another secret. Raises RefusedError 410 when the link had enough of them."""
    counted = connection.execute(
        update(Invitation)
        .where(Invitation.pairing_id == pairing_id, Invitation.wrong_claims < MOST_WRONG)
        .values(wrong_claims=Invitation.wrong_claims + 1)
    ).rowcount
    if not counted:
        raise _expired()


def pair(connection: Connection, device: DeviceRow, *, expired: bool) -> bool:
    """Pair a device by its invitation; False when it repeats its own claim, even after the expiry.

    Raises RefusedError: 403 when this device was revoked, 409 when the link or the device is taken, 410 when
    the link has expired or is void.
    """
    # Of several devices with one link the first one holds the invitation until it is paired.
    held = select(Invitation.wrong_claims).where(Invitation.pairing_id == device.pairing_id)
    wrong = connection.execute(held.with_for_update()).scalar_one_or_none()
    if wrong is None:
        # Housekeeping forgot it since it was read.
        raise _expired()
    wanted = select(Device.signing, Device.encryption, Device.proof, Device.state)
    holder = connection.execute(wanted.where(Device.pairing_id == device.pairing_id)).one_or_none()
    if holder is not None:
        same = (holder.signing, holder.encryption, holder.proof)
        if same != (device.signing, device.encryption, device.proof):
            raise RefusedError(
                409, "used", "This pairing link was already used.", "Ask the clinician for a new one."
            )
        if holder.state == "revoked":
            raise RefusedError(
                403, "revoked", "This device was revoked.", "Ask the clinician for a new link."
            )
        return False
    if expired or wrong >= MOST_WRONG:
        raise _expired()
    if connection.execute(select(Device.id).where(Device.id == device.device_id)).first() is not None:
        raise RefusedError(
            409, "known_device", "A device with these keys is already paired.", "Pair with new keys."
        )
    connection.execute(
        insert(Device).values(
            id=device.device_id,
            clinician_id=device.clinician_id,
            pairing_id=device.pairing_id,
            signing=device.signing,
            encryption=device.encryption,
            proof=device.proof,
            approval=None,
            state="active",
            created_at=device.created_at,
            last_seen_at=device.created_at,
        )
    )
    audit.write(
        connection,
        Act.DEVICE_PAIRED,
        now=device.created_at,
        actor=f"device:{device.device_id.hex()}",
        subject=f"pairing:{device.pairing_id.hex()}",
        practice_id=practice_of(connection, device.clinician_id),
    )
    return True


def _expired() -> RefusedError:
    return RefusedError(
        410,
        "expired",
        "This pairing link has expired, or was tried with a wrong secret too often.",
        "Ask the clinician for a new one.",
    )
