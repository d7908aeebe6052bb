"""The reader: which devices are believed, what their records say, and whatever is wrong with the list.

Pure: entries, keys and memory in; records, flags and the new memory out. A record that does not hold is
flagged and never hides one that does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.clinician_client import DeviceEntry, Listing, RecordEntry
from server.keyfile import Clinician
from server.reader_sequence import Flag, Kind, Memory, Placed, check_memory, check_sequence
from server.reader_tombstones import NOTHING_DELETED, Deleted, account
from voice.wire.content import decode
from voice.wire.encoding import key_id, signing_key
from voice.wire.envelope import Frame, open_frame, parse_frame, verify_frame
from voice.wire.errors import FrameError, SealError
from voice.wire.pairing import check_device_proof, open_invitation, sign_approval, verify_approval


class Keys(Protocol):
    """What opens a queue: a clinician's unlocked key file, or the practice's recovery key."""

    @property
    def public(self) -> Ed25519PublicKey:
        """The clinician's identity, which approved the devices."""
        ...

    @property
    def readings(self) -> tuple[X25519PrivateKey, ...]:
        """The private reading keys that are held, newest first."""
        ...

    @property
    def destroyed(self) -> Mapping[bytes, int]:
        """Key ids of destroyed reading keys, each with its time in Unix seconds."""
        ...


class Trust(StrEnum):
    """Why a device's keys are believed."""

    APPROVAL = "approval"
    """The clinician's identity key signed them."""
    PROOF = "proof"
    """The device proved them under the secret of the clinician's own link."""


@dataclass(frozen=True)
class Device:
    """A listed device; `trust` is None when nothing shows that it is the clinician's client's."""

    entry: DeviceEntry
    trust: Trust | None

    @property
    def name(self) -> str:
        """Its id in hex."""
        return self.entry.device_id.hex()


@dataclass(frozen=True)
class Word:
    """One word as heard; `doubt` where the recogniser was unsure."""

    text: str
    doubt: bool


@dataclass(frozen=True)
class Line:
    """The one spoken line. No words: it could not be made out."""

    words: tuple[Word, ...]
    transcriber: str
    rough: bool

    @property
    def text(self) -> str:
        """The words, verbatim."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Record:
    """One verified, opened record. `at` is in the client's own time zone; `new`: not read before."""

    device_id: bytes
    record_id: bytes
    sequence: int
    at: datetime
    part: str
    line: Line | None
    received_at: str
    new: bool
    shared_by: str | None = None
    """The colleague who shared it; None for one's own."""
    discussed: bool = False
    """The clinician marked it so."""
    when: str | None = None
    """The client's own word for when they noticed, "starting", "in" or "after"; None where there is none."""


@dataclass(frozen=True)
class Reading:
    """What the clinician gets: records newest first, and everything that is wrong."""

    records: tuple[Record, ...]
    flags: tuple[Flag, ...]
    devices: tuple[Device, ...]
    memory: Memory


@dataclass
class _Found:
    """One trusted device's verified frames, in the server's order."""

    placed: list[Placed] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


def judge(entry: DeviceEntry, clinician: Keys) -> Device:
    """Whether a listed device's keys are believed: by the clinician's approval, else by its own proof."""
    if key_id(entry.signing) != entry.device_id:
        return Device(entry, None)
    if entry.approval is not None:
        try:
            approval = verify_approval(entry.approval, clinician.public)
        except (FrameError, SealError):
            approval = None
        if approval is not None and (approval.signing, approval.encryption) == (
            entry.signing,
            entry.encryption,
        ):
            return Device(entry, Trust.APPROVAL)
    # The link was sealed to the reading key of its day.
    proved = any(_proves(entry, clinician.public, reading) for reading in clinician.readings)
    return Device(entry, Trust.PROOF if proved else None)


def _proves(entry: DeviceEntry, identity: Ed25519PublicKey, reading: X25519PrivateKey) -> bool:
    try:
        invitation = open_invitation(entry.invitation, identity, reading)
    except (FrameError, SealError):
        return False
    return invitation.pairing_id == entry.pairing_id and check_device_proof(
        entry.proof, invitation.secret, invitation.pairing_id, entry.signing, entry.encryption
    )


def approval_for(device: Device, clinician: Clinician, *, approved_at: int) -> bytes:
    """The clinician's signature on a device's keys; `approved_at` in Unix seconds."""
    return sign_approval(clinician.identity, device.entry.signing, device.entry.encryption, approved_at)


def read(
    clinician: Keys,
    entries: Iterable[DeviceEntry],
    listing: Listing,
    memory: Memory,
    deleted: Deleted = NOTHING_DELETED,
) -> Reading:
    """Verify, order and open everything listed, against what was read before and is said to be deleted."""
    devices = tuple(judge(entry, clinician) for entry in entries)
    trusted = {device.entry.device_id: device for device in devices if device.trust is not None}
    flags, destroyed = _of_listing(devices, listing), list[Flag]()
    found: dict[bytes, _Found] = {device_id: _Found() for device_id in trusted}
    taken: set[bytes] = set()
    for entry in listing.records:
        for flag in _take(entry, clinician, trusted, found, taken, memory):
            (destroyed if flag.kind is Kind.DESTROYED else flags).append(flag)
    placed = {device_id: one.placed for device_id, one in found.items()}
    accounted = account(deleted, placed, memory)
    for device_id, one in found.items():
        flags += check_sequence(device_id, one.placed, accounted.numbers.get(device_id, ()))
    flags += check_memory(memory, placed, accounted.numbers)
    flags += accounted.flags
    flags += _counted(destroyed)
    records = sorted(
        (record for one in found.values() for record in one.records),
        key=lambda record: (record.at, record.sequence),
        reverse=True,
    )
    learnt = memory.after(placed)
    return Reading(tuple(records), tuple(flags), devices, learnt)


def _of_listing(devices: Sequence[Device], listing: Listing) -> list[Flag]:
    flags = [
        Flag(
            Kind.UNAPPROVED,
            "A device is listed that you have not approved and that cannot prove your link. "
            "Its records are not shown.",
            device.name,
        )
        for device in devices
        if device.trust is None
    ]
    if listing.broken:
        flags.append(Flag(Kind.FRAME, f"{_count(listing.broken)} in the list cannot be read at all."))
    if not listing.whole:
        flags.append(Flag(Kind.LIST, "The server's list runs in a circle; it may not be complete."))
    return flags


def _take(
    entry: RecordEntry,
    clinician: Keys,
    trusted: Mapping[bytes, Device],
    found: Mapping[bytes, _Found],
    taken: set[bytes],
    memory: Memory,
) -> list[Flag]:
    """Check one listed record; put it in `found` when it holds."""
    try:
        frame = parse_frame(entry.frame)
    except FrameError as error:
        return [Flag(Kind.FRAME, f"A record is damaged: {error}.", entry.device)]
    name, sequence = frame.device_id.hex(), frame.sequence
    device = trusted.get(frame.device_id)
    if device is None:
        said = "A record comes from a device that you have not approved. It is not shown."
        return [Flag(Kind.UNAPPROVED, said, name, sequence)]
    try:
        verify_frame(frame, signing_key(device.entry.signing))
    except (SealError, FrameError):
        said = "A record was forged or altered: the device did not sign it. It is not shown."
        return [Flag(Kind.FORGED, said, name, sequence)]
    flags = []
    if entry.device != name:
        said = "A record was listed under another device than the one that signed it."
        flags.append(Flag(Kind.MISFILED, said, name, sequence))
    digest = hashlib.sha256(entry.frame).digest()
    if digest in taken:
        return [*flags, Flag(Kind.DUPLICATE, "A record is listed twice. It is shown once.", name, sequence)]
    taken.add(digest)
    one = found[frame.device_id]
    record, flag = _open(frame, entry, clinician, new=not memory.knows(frame.device_id, sequence, digest))
    one.placed.append(Placed(sequence, frame.record_id, digest, None if record is None else record.at))
    if record is not None:
        one.records.append(record)
    return [*flags, flag] if flag is not None else flags


def _open(
    frame: Frame, entry: RecordEntry, clinician: Keys, *, new: bool
) -> tuple[Record | None, Flag | None]:
    name = frame.device_id.hex()
    held = {key_id(one.public_key().public_bytes_raw()): one for one in clinician.readings}
    mine = next((held[one] for one in frame.recipients if one in held), clinician.readings[0])
    try:
        plaintext = open_frame(frame, mine)
    except SealError as error:
        gone = [clinician.destroyed[one] for one in frame.recipients if one in clinician.destroyed]
        if gone:
            return None, Flag(
                Kind.DESTROYED, f"{datetime.fromtimestamp(gone[0], UTC):%Y-%m-%d}", name, frame.sequence
            )
        said = f"A record of this device cannot be opened: {error}."
        return None, Flag(Kind.UNOPENABLE, said, name, frame.sequence)
    return opened(frame, plaintext, entry.received_at, new=new)


def opened(
    frame: Frame, plaintext: bytes, received_at: str, *, new: bool, shared_by: str | None = None
) -> tuple[Record | None, Flag | None]:
    """What an opened record says; the flag when it says nothing of this version."""
    name = frame.device_id.hex()
    try:
        noticing = decode(plaintext)
    except FrameError:
        said = "A record was opened and its content is not of this version. Update Onebreath."
        return None, Flag(Kind.CONTENT, said, name, frame.sequence)
    line = None
    if noticing.line is not None:
        words = tuple(Word(word.text, word.doubt) for word in noticing.line.words)
        line = Line(words, noticing.line.transcriber, noticing.line.rough)
    record = Record(
        frame.device_id,
        frame.record_id,
        frame.sequence,
        noticing.at,
        noticing.part,
        line,
        received_at,
        new,
        shared_by,
        when=None if noticing.when is None else str(noticing.when),
    )
    return record, None


def _counted(flags: Sequence[Flag]) -> list[Flag]:
    """One flag for each device and day on which a key of its records was destroyed."""
    counts: dict[tuple[str | None, str], list[int]] = {}
    for flag in flags:
        counts.setdefault((flag.device, flag.message), []).append(flag.sequence or 0)
    return [
        Flag(
            Kind.DESTROYED,
            f"{_count(len(sequences))} sealed under a key that was destroyed on {day}: not to be opened by "
            "anyone.",
            device,
            min(sequences),
        )
        for (device, day), sequences in counts.items()
    ]


def _count(records: int) -> str:
    return "1 record" if records == 1 else f"{records} records"
