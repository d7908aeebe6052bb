"""A clinician's sealed notes on parts, each beside the card that it is about: kept, and never understood.

A note goes with its card: when the card is taken out of the mailbox, and when the client is erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from server.database import Database
from server.errors import RefusedError, no_device
from server.newest_key import need_newest_key
from server.schema import Card, Device
from voice.wire.boxes import parse_box


@dataclass(frozen=True)
class NoteRow:
    """A note as stored: `sealed` says it to its clinician alone. `version` is the one that it names."""

    card_id: bytes
    version: int
    sealed: bytes


def put_note(database: Database, clinician_id: bytes, device_id: bytes, note: NoteRow) -> NoteRow:
    """Keep a note in place of the one before. The same bytes again change nothing.

    Raises RefusedError: 404 for a device that is not theirs, or a card that is not here; 409 `stale_key`; 409
    `version` unless the version is at least the stored one's: a note may be sealed anew to the newest key.
    """
    this = (Card.device_id == device_id) & (Card.card_id == note.card_id)
    with database.write() as connection:
        # The device is held first, as whoever sends or takes away a card does.
        if connection.execute(_theirs(clinician_id, device_id).with_for_update()).first() is None:
            raise no_device()
        known = connection.execute(select(Card.note).where(this)).one_or_none()
        if known is None:
            raise RefusedError(404, "card", "There is no such card, or a newer version of it.")
        if known.note == note.sealed:
            return note
        need_newest_key(connection, clinician_id, note.sealed)
        before = None if known.note is None else parse_box(known.note).version
        if before is not None and note.version < before:
            raise RefusedError(
                409,
                "version",
                "A newer note on this part is already here.",
                "Fetch the notes, and seal yours with the version of the part's newest card.",
                extra={"version": str(before)},
            )
        connection.execute(update(Card).where(this).values(note=note.sealed))
    return note


def notes(database: Database, clinician_id: bytes, device_id: bytes) -> list[NoteRow]:
    """All notes on the parts of a device, in the order of their cards' versions. Raises RefusedError 404."""
    wanted = select(Card.card_id, Card.note).where(Card.device_id == device_id, Card.note.is_not(None))
    with database.read() as connection:
        if connection.execute(_theirs(clinician_id, device_id)).first() is None:
            raise no_device()
        rows = connection.execute(wanted.order_by(Card.version)).all()
    return [NoteRow(row.card_id, parse_box(row.note).version, row.note) for row in rows]


def _theirs(clinician_id: bytes, device_id: bytes) -> Any:
    return select(Device.id).where(Device.id == device_id, Device.clinician_id == clinician_id)
