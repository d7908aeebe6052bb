"""Shares of one's own records, and reading what colleagues shared. Pure: entries and keys in, records out.

A share is believed for its sharer's confirmed identity alone. The server delivers it and can neither make
one, move it to another record or person, nor change the record under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from server.clinician_client import Listing
from server.clinician_keys import Clinician
from server.colleagues import Colleague
from server.keys_client import SharedEntry, SharedListing
from server.reader import Keys, Reading, Record, opened
from server.reader_sequence import Flag, Kind, Memory
from voice.wire.encoding import key_id, signing_key
from voice.wire.envelope import parse_frame
from voice.wire.errors import FrameError, SealError
from voice.wire.sharing import make_share, open_shared, verify_share


def shares_for(
    clinician: Clinician,
    reading: Reading,
    listing: Listing,
    records: Iterable[Record],
    recipient: X25519PublicKey,
) -> list[bytes]:
    """Shares of records that were read, in their listed order, for a colleague's newest reading key.

    `listing` is what `reading` was read from. Frames are verified and opened once more as they are shared.
    """
    wanted = {(record.device_id, record.record_id, record.sequence) for record in records}
    keys = {
        device.entry.device_id: signing_key(device.entry.signing)
        for device in reading.devices
        if device.trust is not None
    }
    held = {key_id(one.public_key().public_bytes_raw()): one for one in clinician.readings}
    made: dict[tuple[bytes, bytes], bytes] = {}
    for entry in listing.records:
        try:
            frame = parse_frame(entry.frame)
            if (frame.device_id, frame.record_id, frame.sequence) not in wanted:
                continue
            mine = next(held[one] for one in frame.recipients if one in held)
            share = make_share(
                entry.frame,
                device=keys[frame.device_id],
                reading=mine,
                identity=clinician.identity,
                recipient=recipient,
            )
        except (FrameError, SealError, StopIteration, KeyError):
            continue  # what the reader flagged: it is in no list of records that hold
        made.setdefault((frame.device_id, frame.record_id), share)
    return list(made.values())


def read_shared(reader: Keys, listing: SharedListing, colleagues: Mapping[bytes, Colleague]) -> Reading:
    """Verify and open what colleagues shared: newest first, each under its sharer's name."""
    records, flags = list[Record](), _of_listing(listing)
    strangers: dict[bytes, int] = {}
    taken = set[bytes]()
    for entry in listing.entries:
        sharer = colleagues.get(entry.from_id)
        if sharer is None or not sharer.confirmed:
            strangers[entry.from_id] = strangers.get(entry.from_id, 0) + 1
            continue
        record, flag = _open(reader, entry, sharer)
        if record is not None and entry.frame in taken:
            said = "A shared record is listed twice. It is shown once."
            flags.append(Flag(Kind.DUPLICATE, said, record.device_id.hex(), record.sequence))
        elif record is not None:
            taken.add(entry.frame)
            records.append(record)
        if flag is not None:
            flags.append(flag)
    flags += [_stranger(colleagues.get(from_id), count) for from_id, count in strangers.items()]
    records.sort(key=lambda record: (record.at, record.sequence), reverse=True)
    return Reading(tuple(records), tuple(flags), (), Memory())


def _open(reader: Keys, entry: SharedEntry, sharer: Colleague) -> tuple[Record | None, Flag | None]:
    try:
        share = verify_share(entry.share, sharer.identity)
    except (FrameError, SealError) as error:
        return None, Flag(Kind.FORGED, f"A share was forged or altered: {error}. It is not shown.")
    name = share.device_id.hex()
    held = {key_id(one.public_key().public_bytes_raw()): one for one in reader.readings}
    if share.recipient not in held:
        gone = share.recipient in reader.destroyed
        why = "a key that was destroyed" if gone else "another key than yours"
        said = f"A share of {sharer.stated.name} is for {why}. Ask them to share it again."
        return None, Flag(Kind.DESTROYED if gone else Kind.UNOPENABLE, said, name, share.sequence)
    try:
        plaintext = open_shared(
            entry.share, entry.frame, identity=sharer.identity, reading=held[share.recipient]
        )
    except (FrameError, SealError) as error:
        said = f"A shared record was forged, altered or exchanged: {error}. It is not shown."
        return None, Flag(Kind.FORGED, said, name, share.sequence)
    frame = parse_frame(entry.frame)
    return opened(frame, plaintext, entry.received_at, new=False, shared_by=sharer.stated.name)


def _of_listing(listing: SharedListing) -> list[Flag]:
    flags = []
    if listing.broken:
        flags.append(Flag(Kind.FRAME, f"Shares in the list that cannot be read at all: {listing.broken}."))
    if not listing.whole:
        flags.append(Flag(Kind.LIST, "The server's list runs in a circle; it may not be complete."))
    return flags


def _stranger(sharer: Colleague | None, count: int) -> Flag:
    name = "someone whose identity is not the one you confirmed" if sharer is None else sharer.stated.name
    said = f"Shared by {name}: {count}. Not shown until you confirm their fingerprint: onebreath keys confirm"
    return Flag(Kind.UNAPPROVED, said)
