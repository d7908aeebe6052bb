"""The command line's reader and the page's say the same of the same list, whatever a server did to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.clinician_client import listed
from server.reader import Reading, read
from server.reader_sequence import Memory
from server.reader_tombstones import Deleted, Stone
from tests.page.page_peer import Peer, public, seeded
from voice.noticing import Noticing, When
from voice.transcript import Transcript, Word
from voice.wire.content import encode
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.envelope import Recipient, seal_record
from voice.wire.errors import FrameError
from voice.wire.pairing import device_proof, make_invitation, sign_approval

START = datetime(2026, 3, 2, 23, 5, tzinfo=UTC)
REASONS = ("retention", "erased", "deleted", "because")

Entry = dict[str, Any]


@dataclass(frozen=True)
class Held:
    """Server.reader.Keys, of two epochs; a third was destroyed."""

    identity: Ed25519PrivateKey
    epochs: tuple[X25519PrivateKey, ...]
    gone: X25519PrivateKey

    @property
    def public(self) -> Ed25519PublicKey:
        return self.identity.public_key()

    @property
    def readings(self) -> tuple[X25519PrivateKey, ...]:
        return self.epochs

    @property
    def destroyed(self) -> dict[bytes, int]:
        return {key_id(public(self.gone)): 1_780_000_000}


@dataclass(frozen=True)
class Box:
    """A device: its signing key, and its entry in the list."""

    signing: Ed25519PrivateKey
    entry: Entry

    @property
    def name(self) -> str:
        return str(self.entry["device"])


def keys(random: Random) -> Held:
    epochs = tuple(X25519PrivateKey.from_private_bytes(random.randbytes(32)) for _ in range(2))
    gone = X25519PrivateKey.from_private_bytes(random.randbytes(32))
    return Held(Ed25519PrivateKey.from_private_bytes(random.randbytes(32)), epochs, gone)


def device(random: Random, held: Held) -> Box:
    """One that proves the link, or is approved, or both."""
    signing = Ed25519PrivateKey.from_private_bytes(random.randbytes(32))
    encryption = public(X25519PrivateKey.from_private_bytes(random.randbytes(32)))
    pairing_id, secret = random.randbytes(16), random.randbytes(16)
    invitation = make_invitation(
        held.identity,
        random.choice(held.epochs).public_key(),
        pairing_id=pairing_id,
        secret=secret,
        expires_at=1,
    )
    approval = sign_approval(held.identity, public(signing), encryption, 1) if random.random() < 0.4 else None
    return Box(
        signing,
        {
            "device": key_id(public(signing)).hex(),
            "signing": b64url(public(signing)),
            "encryption": b64url(encryption),
            "proof": b64url(device_proof(secret, pairing_id, public(signing), encryption)),
            "pairing": b64url(pairing_id),
            "invitation": b64url(invitation),
            "approval": None if approval is None else b64url(approval),
            "state": "active",
            "last_seen_at": None,
        },
    )


def said(random: Random) -> Noticing:
    at = START + timedelta(hours=random.randint(0, 200), microseconds=random.choice((0, 0, 7)))
    zone = timezone(timedelta(minutes=random.choice((0, 60, -210, 345))))
    line = Transcript(tuple(Word(word, random.random() < 0.3) for word in ("he", "yelled")), "vosk")
    spoken = random.choice((None, line, Transcript((), "v", True)))
    return Noticing("the foreman", at.astimezone(zone), spoken, random.choice((None, *When)))


def record(
    random: Random, held: Held, box: Box, sequence: int, signer: Ed25519PrivateKey | None = None
) -> Entry:
    """As an honest device seals it; sometimes for a destroyed key, for a stranger, or with an odd content."""
    reader = random.choice((*held.epochs, *held.epochs, *held.epochs, held.gone))
    if random.random() < 0.05:
        reader = X25519PrivateKey.from_private_bytes(random.randbytes(32))
    frame = seal_record(
        b"{}" if random.random() < 0.05 else encode(said(random)),
        signer=signer or box.signing,
        device_id=bytes.fromhex(box.name),
        record_id=random.randbytes(16),
        sequence=sequence,
        recipients=[Recipient.of(reader.public_key())],
    )
    return {"device": box.name, "received_at": "2026-03-03T00:00:00Z", "frame": b64url(frame)}


def attacked(random: Random, held: Held, boxes: list[Box], records: list[Entry]) -> list[Entry]:
    """What a server could do to a list, once or a few times."""
    records = list(records)
    for _ in range(random.choice((0, 1, 2, 4))):
        at = random.randrange(len(records))
        one, frame = records[at], bytearray(_frame(records[at]))
        match random.randrange(9):
            case 0:
                del records[at]
                if not records:
                    return records
            case 1:
                records.insert(random.randrange(len(records) + 1), one)
            case 2:
                records.insert(random.randrange(len(records)), records.pop(at))
            case 3 if frame:
                frame[random.randrange(len(frame))] ^= 1 << random.randrange(8)
                records[at] = {**one, "frame": b64url(bytes(frame))}
            case 4:
                records[at] = {**one, "device": random.choice(boxes).name}
            case 5:
                records[at] = {**one, "frame": b64url(bytes(frame[: random.randrange(len(frame) + 1)]))}
            case 6:
                forger = random.choice(boxes).signing
                records[at] = record(random, held, random.choice(boxes), random.randint(1, 9), forger)
            case 7:
                records.append(record(random, held, random.choice(boxes), random.randint(1, 12)))
            case _:
                records[at] = random.choice([{**one, "frame": "not base64url!"}, {"cursor": 1}])
    return records


def stones(random: Random, boxes: list[Box], memory: Memory) -> list[Entry]:
    """Tombstones, true and untrue, of what was read before and of what was not."""
    known = [(d, s, h) for d, seen in memory.seen.items() for s, h in seen.items()]
    made = []
    for _ in range(random.choice((0, 0, 1, 3))):
        device_id, sequence, digest = (
            random.choice(known)
            if known and random.random() < 0.8
            else (bytes.fromhex(random.choice(boxes).name), random.randint(1, 12), random.randbytes(32))
        )
        received = START + timedelta(days=random.randint(0, 90))
        made.append(
            {
                "device": (device_id if random.random() < 0.9 else random.randbytes(16)).hex(),
                "record": random.randbytes(16).hex(),
                "sequence": sequence,
                "sha256": (digest if random.random() < 0.9 else random.randbytes(32)).hex(),
                "received_at": _iso(received),
                "deleted_at": _iso(received + timedelta(days=random.choice((-1, 0, 10, 40)))),
                "reason": random.choice(REASONS),
            }
        )
    return made + made[: random.choice((0, 0, 0, 1))]


def ours(reading: Reading) -> dict[str, Any]:
    """As peer.mjs writes it."""
    return {
        "records": [
            {
                "device": one.device_id.hex(),
                "record": one.record_id.hex(),
                "sequence": one.sequence,
                "at": one.at.isoformat(),
                "part": one.part,
                "line": None
                if one.line is None
                else {
                    "words": [{"text": word.text, "doubt": word.doubt} for word in one.line.words],
                    "transcriber": one.line.transcriber,
                    "rough": one.line.rough,
                },
                "when": one.when,
                "received_at": one.received_at,
                "new": one.new,
            }
            for one in reading.records
        ],
        "flags": [
            {"kind": one.kind.value, "message": one.message, "device": one.device, "sequence": one.sequence}
            for one in reading.flags
        ],
        "trust": [None if one.trust is None else one.trust.value for one in reading.devices],
        "memory": _memory(reading.memory),
    }


def test_both_readers_say_the_same(peer: Peer) -> None:
    random = seeded(2026)
    kinds: dict[str, int] = {}
    for _ in range(150):
        held = keys(random)
        boxes = [device(random, held), device(random, held)]
        honest = [
            record(random, held, box, number) for box in boxes for number in range(1, random.randint(3, 8))
        ]
        memory = Memory()
        for _ in range(2):  # once, and again with what was read before
            records = [
                {"cursor": at, **one} for at, one in enumerate(attacked(random, held, boxes, honest), 1)
            ]
            devices = [_attacked_device(random, boxes, box) for box in boxes[: random.choice((1, 2, 2, 2))]]
            deleted = stones(random, boxes, memory)
            whole, days = random.random() < 0.9, random.choice((None, 30))
            entries, listing = listed({"devices": devices, "records": records})
            reading = read(
                held,
                entries,
                type(listing)(listing.records, listing.broken, whole),
                memory,
                Deleted(tuple(_stone(one) for one in deleted), days),
            )
            theirs = peer.ask(
                "read", identity=public(held.identity), memory=json.dumps(_memory(memory)),
                privates=[key.private_bytes_raw() for key in held.epochs],
                destroyed={key.hex(): at for key, at in held.destroyed.items()},
                devices=devices, records=records, broken=0, whole=whole, tombstones=deleted, days=days,
            )  # fmt: skip
            expected = ours(reading)
            theirs["memory"] = json.loads(theirs["memory"])
            assert theirs == expected
            memory = reading.memory
            for flag in reading.flags:
                kinds[flag.kind.value] = kinds.get(flag.kind.value, 0) + 1
    # Every judgement that there is was made, and made alike.
    assert kinds.keys() == {
        *("missing", "vanished", "changed", "duplicate", "conflict", "order", "forged", "misfiled"),
        *("unapproved", "unopenable", "destroyed", "content", "frame", "list", "deleted", "doubtful"),
    }, kinds


def _attacked_device(random: Random, boxes: list[Box], box: Box) -> Entry:
    """Mostly as it is; or with one field of another device, or altered."""
    if random.random() < 0.85:
        return box.entry
    name = random.choice(("signing", "encryption", "proof", "pairing", "invitation", "approval"))
    return {**box.entry, name: random.choice(boxes).entry[name]}


def _frame(entry: Entry) -> bytes:
    try:
        return from_b64url(entry["frame"])
    except (FrameError, KeyError):
        return b""


def _stone(fields: Entry) -> Stone:
    return Stone(
        bytes.fromhex(fields["device"]),
        bytes.fromhex(fields["record"]),
        fields["sequence"],
        bytes.fromhex(fields["sha256"]),
        datetime.fromisoformat(fields["received_at"]),
        datetime.fromisoformat(fields["deleted_at"]),
        fields["reason"],
    )


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _memory(memory: Memory) -> dict[str, Any]:
    return {
        "version": 1,
        "devices": {
            device_id.hex(): {str(sequence): digest.hex() for sequence, digest in seen.items()}
            for device_id, seen in memory.seen.items()
        },
        "marks": {},
    }
