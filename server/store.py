"""What the server keeps, and the transactions that keep it. Time is an argument (Unix seconds)."""

from __future__ import annotations

import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from server import audit, claims
from server.accounts import server_key
from server.audit import Act
from server.database import Database, open_database
from server.errors import RefusedError, ServerError, no_device, not_paired
from server.intake import Decision, Stored, decide
from server.newest_key import need_newest_key
from server.notices import mark_waiting
from server.records_store import Span, need_device, page, practice_of
from server.rows import ClinicianRow, DeviceRow, InvitationRow, Receipt, RecordRow
from server.schema import (
    STATES,
    Clinician,
    Device,
    Invitation,
    Practice,
    ReadingKey,
    ServerKey,
    UsedNonce,
)
from server.statements import DEVICE, DEVICES, KEEP_RECORD, NEXT_CURSOR, SAME_RECORDS, SEEN, SENDER
from server.together import Together
from voice.wire.encoding import signing_key
from voice.wire.envelope import Frame
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import Statement, parse_statement

_CLINICIAN = (Clinician.id, Clinician.identity, Clinician.statement, Clinician.practice_id)

SEEN_EVERY_S = 60
"""How exact `last_seen_at` is: a write for every call would cost more than it tells."""

MOST_SIGNING = 10_000
"""Signing keys in memory: a megabyte or two."""


class Store:
    """Every read and write of the server, each one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._together = Together(database)
        self._signing: dict[bytes, Ed25519PublicKey] = {}

    @classmethod
    def open(cls, url: str) -> Store:
        """Open, check and migrate the database at an SQLAlchemy URL. Raises ServerError."""
        return cls(open_database(url))

    def close(self) -> None:
        """Give the database back."""
        self.database.close()

    def touch(self) -> None:
        """Read the database; raises SQLAlchemyError when it does not answer."""
        with self.database.read() as connection:
            connection.execute(select(ServerKey.name).limit(1)).all()

    def nonce_key(self) -> bytes:
        """The key of this server's nonces; made at first use, the same for all workers."""
        return server_key(self.database, "nonce")

    def use_nonce(self, nonce: str, *, expires_at: int, now: int) -> bool:
        """Take a nonce; False when it was taken before. Forgets those that have expired."""
        try:
            with self.database.write() as connection:
                connection.execute(delete(UsedNonce).where(UsedNonce.expires_at < now))
                connection.execute(insert(UsedNonce).values(nonce=nonce, expires_at=expires_at))
        except IntegrityError:
            return False
        return True

    def add_clinician(
        self, clinician_id: bytes, statement: bytes, *, now: int, practice_id: bytes | None = None
    ) -> Statement:
        """Add a clinician, or take their newer statement. An act on the server's machine, not a call.

        `practice_id` None: the only practice, made when there is none. The same statement again changes
        nothing. Raises ServerError: malformed, not this clinician's, older, no such practice.
        """
        stated = _checked(clinician_id, statement)
        identity = stated.identity.public_bytes_raw()
        with self.database.write() as connection:
            same_id = Clinician.id == clinician_id
            known = connection.execute(select(Clinician).where(same_id)).one_or_none()
            other = connection.execute(select(Clinician.id).where(Clinician.identity == identity)).scalar()
            if known is None and other is None:
                practice = _practice(connection, practice_id, now)
                connection.execute(
                    insert(Clinician).values(
                        id=clinician_id,
                        practice_id=practice,
                        identity=identity,
                        statement=statement,
                        epoch=stated.epoch,
                        created_at=now,
                        last_cursor=0,
                    )
                )
                _keep_epoch(connection, stated, statement, now)
                subject = f"clinician:{clinician_id.hex()}"
                audit.write(
                    connection,
                    Act.CLINICIAN_ADDED,
                    now=now,
                    actor=audit.SYSTEM,
                    subject=subject,
                    practice_id=practice,
                )
                return stated
            if known is None or known.identity != identity:
                raise ServerError(
                    "This clinician is already here with another identity key or id.",
                    "A clinician keeps one identity key. Add a new clinician with a new id.",
                )
            if stated.epoch < known.epoch or (stated.epoch == known.epoch and statement != known.statement):
                raise ServerError(
                    "The clinician's statement here is as new or newer.",
                    f"Sign the new one with an epoch above {known.epoch}.",
                )
            if statement != known.statement:
                connection.execute(
                    update(Clinician).where(same_id).values(statement=statement, epoch=stated.epoch)
                )
                _keep_epoch(connection, stated, statement, now)
                _told(connection, Act.KEY_ROTATED, clinician_id, now, f"epoch:{stated.epoch}")
        return stated

    def clinician(self, clinician_id: bytes) -> ClinicianRow | None:
        """One clinician."""
        wanted = select(*_CLINICIAN)
        with self.database.read() as connection:
            row = connection.execute(wanted.where(Clinician.id == clinician_id)).one_or_none()
        return None if row is None else ClinicianRow(*row)

    def clinicians(self) -> list[ClinicianRow]:
        """All clinicians, oldest first."""
        wanted = select(*_CLINICIAN)
        with self.database.read() as connection:
            rows = connection.execute(wanted.order_by(Clinician.created_at, Clinician.id)).all()
        return [ClinicianRow(*row) for row in rows]

    def add_invitation(self, invitation: InvitationRow, *, now: int) -> bool:
        """Keep an invitation; False when the same one was here. Raises RefusedError 409: another is."""
        with self.database.write() as connection:
            known = _invitation(connection, invitation.pairing_id)
            if known == invitation:
                return False
            if known is not None:
                raise RefusedError(
                    409, "conflict", "Another invitation has this pairing id.", "Make a new link."
                )
            connection.execute(
                insert(Invitation).values(
                    pairing_id=invitation.pairing_id,
                    clinician_id=invitation.clinician_id,
                    invitation=invitation.invitation,
                    claim_hash=invitation.claim_hash,
                    expires_at=invitation.expires_at,
                    created_at=now,
                )
            )
            subject = f"pairing:{invitation.pairing_id.hex()}"
            _told(connection, Act.INVITED, invitation.clinician_id, now, subject)
        return True

    def invitation(self, pairing_id: bytes) -> InvitationRow | None:
        """One invitation."""
        with self.database.read() as connection:
            return _invitation(connection, pairing_id)

    def pair_device(self, device: DeviceRow, *, expired: bool) -> bool:
        """Pair a device by its invitation; False when it repeats its own claim, even after the expiry.

        Raises RefusedError: 403 when this device was revoked, 409 when the link or the device is taken, 410
        when the link has expired or is void.
        """
        with self.database.write() as connection:
            return claims.pair(connection, device, expired=expired)

    def count_wrong_claim(self, pairing_id: bytes) -> None:
        """Count a claim with another secret. Raises RefusedError 410: the link had enough of them."""
        with self.database.write() as connection:
            claims.count_wrong_claim(connection, pairing_id)

    def device(self, device_id: bytes) -> DeviceRow | None:
        """One device."""
        with self.database.read() as connection:
            row: Any = connection.execute(DEVICE, {"device_id": device_id}).one_or_none()
        return None if row is None else DeviceRow(*row)

    def signing_of(self, device_id: bytes) -> Ed25519PublicKey | None:
        """A device's signing key. Kept in memory: a device has one, of which its id is the hash."""
        known = self._signing.get(device_id)
        if known is None and (found := self.device(device_id)) is not None:
            if len(self._signing) >= MOST_SIGNING:
                self._signing.clear()
            known = self._signing[device_id] = signing_key(found.signing)
        return known

    def device_of(self, clinician_id: bytes, device_id: bytes) -> DeviceRow:
        """A clinician's device. Raises RefusedError 404 for one that is not theirs, as if there were none."""
        found = self.device(device_id)
        if found is None or found.clinician_id != clinician_id:
            raise no_device()
        return found

    def devices(self, clinician_id: bytes) -> list[DeviceRow]:
        """A clinician's devices, oldest first."""
        wanted = DEVICES.where(Device.clinician_id == clinician_id).order_by(Device.created_at, Device.id)
        with self.database.read() as connection:
            return [DeviceRow(*row) for row in connection.execute(wanted)]

    def see_device(self, device: DeviceRow, *, now: int, outbox_depth: int | None = None) -> None:
        """Note that a device called, and how many records it said it holds."""
        fresh = device.last_seen_at is not None and now - device.last_seen_at < SEEN_EVERY_S
        if fresh and outbox_depth in (None, device.outbox_depth):
            return
        values = {"last_seen_at": now} | ({} if outbox_depth is None else {"outbox_depth": outbox_depth})
        with self.database.write() as connection:
            connection.execute(update(Device).where(Device.id == device.device_id).values(values))

    def approve_device(
        self, clinician_id: bytes, device_id: bytes, approval: bytes, *, now: int
    ) -> DeviceRow:
        """Keep a clinician's approval. Raises RefusedError 404 for a device that is not theirs."""
        act = (Act.DEVICE_APPROVED, "")
        return self._change_device(clinician_id, device_id, act, now, approval=approval)

    def set_state(self, clinician_id: bytes, device_id: bytes, state: str, *, now: int) -> DeviceRow:
        """Pause, discharge, revoke, or let speak again. Raises RefusedError: 404, 409 when it was revoked."""
        if state not in STATES:
            raise ValueError(state)
        return self._change_device(clinician_id, device_id, (Act.DEVICE_STATE, f" {state}"), now, state=state)

    def label_device(self, clinician_id: bytes, device_id: bytes, label: bytes, *, now: int) -> DeviceRow:
        """Keep a client's sealed name. Raises RefusedError: 404 for a device that is not theirs, 409
        `stale_key` for a box to another key than their newest."""
        return self._change_device(clinician_id, device_id, (Act.DEVICE_RENAMED, ""), now, label=label)

    def take_record(self, frame: Frame, data: bytes, sha256: bytes, *, now: int) -> Receipt:
        """Keep a checked record, once. The receipt is given when the commit is on disk.

        The state is read in the same transaction, so that a revocation takes effect at once. One that was
        deleted meanwhile gets its original receipt from its tombstone. Raises RefusedError: 401 for a device
        that is not paired here, 403, 409.
        """
        key = {"device_id": frame.device_id, "record_id": frame.record_id, "sequence": frame.sequence}

        def take(connection: Connection) -> Receipt:
            sender = SENDER.rows(connection, key)
            if not sender:
                raise not_paired()
            state, clinician_id, last_seen_at = sender[0]
            stored = [Stored(*row) for row in SAME_RECORDS.rows(connection, key)]
            if decide(frame, sha256, state, stored) is Decision.DUPLICATE:
                first = next(one for one in stored if one.record_id == frame.record_id)
                return Receipt(frame.record_id, sha256, first.received_at, created=False)
            [(cursor,)] = NEXT_CURSOR.rows(connection, {"clinician": clinician_id})
            values = {"clinician_id": clinician_id, "cursor": cursor, "sha256": sha256, "frame": data}
            KEEP_RECORD.run(connection, {**key, **values, "received_at": now})
            mark_waiting(connection, clinician_id, now)
            if last_seen_at is None or now - last_seen_at >= SEEN_EVERY_S:
                connection.execute(SEEN, {"device": frame.device_id, "seen_at": now})
            return Receipt(frame.record_id, sha256, now, created=True)

        return self._together.run(take)

    def records(self, clinician_id: bytes, *, after: int, limit: int) -> list[RecordRow]:
        """A clinician's records after a cursor, in the order of their arrival.

        For the server's own tools: what a person fetches goes through records_store.fetch, which accounts
        for it.
        """
        with self.database.read() as connection:
            return page(connection, clinician_id, Span(after=after, limit=limit))

    def _change_device(
        self, clinician_id: bytes, device_id: bytes, act: tuple[Act, str], now: int, **values: Any
    ) -> DeviceRow:
        theirs = (Device.id == device_id) & (Device.clinician_id == clinician_id)
        with self.database.write() as connection:
            need_device(connection, clinician_id, device_id, hold=True)
            known = _device(connection, theirs)
            assert known is not None  # noqa: S101
            if known.state == "revoked" and values.get("state", "revoked") != "revoked":
                raise RefusedError(
                    409, "revoked", "This device was revoked, which is final.", "Pair it anew."
                )
            if "label" in values and values["label"] != known.label:
                need_newest_key(connection, clinician_id, values["label"])
            connection.execute(update(Device).where(theirs).values(**values))
            _told(connection, act[0], clinician_id, now, f"device:{device_id.hex()}{act[1]}")
            changed = _device(connection, theirs)
        assert changed is not None  # noqa: S101
        return changed


def _checked(clinician_id: bytes, statement: bytes) -> Statement:
    try:
        stated = parse_statement(statement)
    except (FrameError, SealError) as error:
        raise ServerError(f"The clinician's statement does not hold: {error}.", "Make it anew.") from error
    if stated.clinician_id != clinician_id:
        raise ServerError("The statement is of another clinician.", "Give the id that it names.")
    return stated


def _device(connection: Connection, where: Any) -> DeviceRow | None:
    row: Any = connection.execute(DEVICES.where(where)).one_or_none()
    return None if row is None else DeviceRow(*row)


def _invitation(connection: Connection, pairing_id: bytes) -> InvitationRow | None:
    wanted = select(
        Invitation.pairing_id,
        Invitation.clinician_id,
        Invitation.invitation,
        Invitation.claim_hash,
        Invitation.expires_at,
    ).where(Invitation.pairing_id == pairing_id)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else InvitationRow(*row)


def _practice(connection: Connection, practice_id: bytes | None, now: int) -> bytes:
    """The practice meant; the only one, or a new one where there is none. Raises ServerError."""
    known = list(connection.execute(select(Practice.id).order_by(Practice.created_at)).scalars())
    if practice_id is None and not known:
        made = secrets.token_bytes(16)
        values = {"id": made, "name": "Practice", "created_at": now, "rotation_days": 30}
        connection.execute(insert(Practice).values(values))
        subject = f"practice:{made.hex()}"
        audit.write(
            connection, Act.PRACTICE_ADDED, now=now, actor=audit.SYSTEM, subject=subject, practice_id=made
        )
        return made
    if practice_id is None and len(known) == 1:
        return known[0]
    if practice_id not in known:
        raise ServerError(
            "There are several practices here, or not this one.",
            "Name it with --practice; see: onebreath practice list",
        )
    return practice_id


def _told(connection: Connection, act: Act, clinician_id: bytes, now: int, subject: str) -> None:
    """Account for a clinician's own act."""
    audit.write(
        connection,
        act,
        now=now,
        actor=f"clinician:{clinician_id.hex()}",
        subject=subject,
        practice_id=practice_of(connection, clinician_id),
    )


def _keep_epoch(connection: Connection, stated: Statement, statement: bytes, now: int) -> None:
    """Keep the statement of this epoch: records of its time are opened with its key."""
    connection.execute(
        insert(ReadingKey).values(
            clinician_id=stated.clinician_id, epoch=stated.epoch, statement=statement, created_at=now
        )
    )
