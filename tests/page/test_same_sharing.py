"""Command line and page say the same of colleagues, of what they share, and of notes that leave a key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.clinician_keys import Clinician, Epoch
from server.colleagues import Colleague, confirm, known, spoken_fingerprint
from server.errors import ServerError
from server.keys_client import ServedColleague, SharedEntry, SharedListing
from server.reader import Reading
from server.reader_notes import marks_leaving
from server.reader_shared import read_shared
from server.records_client import MarkEntry, Marks
from tests.page.page_peer import Peer, agreement, public, seeded, signing
from tests.page.test_same_reading import Box, Held, device, keys, said
from voice.wire import boxes
from voice.wire.content import encode
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.envelope import Recipient, seal_record
from voice.wire.errors import FrameError
from voice.wire.keys import fingerprint, parse_statement, sign_statement
from voice.wire.sharing import make_share

COMMAND = ": onebreath keys confirm"
"""What the command line adds to a sentence of both."""


@dataclass(frozen=True)
class Sharer:
    """A colleague with their identity, reading key, statement and device."""

    id: bytes
    identity: Ed25519PrivateKey
    reading: X25519PrivateKey
    statement: bytes
    box: Box


def sharer(random: Random, name: str) -> Sharer:
    held = keys(random)
    id_ = random.randbytes(16)
    statement = sign_statement(
        held.identity,
        clinician_id=id_,
        name=name,
        epoch=1,
        reading=held.epochs[0].public_key(),
        issued_at=1_780_000_000,
    )
    return Sharer(id_, held.identity, held.epochs[0], statement, device(random, held))


def shared(random: Random, one: Sharer, to: Held, sequence: int) -> dict[str, Any]:
    """As an honest server lists it; sometimes for a destroyed key, a stranger's, or of an odd content."""
    frame = seal_record(
        b"{}" if random.random() < 0.05 else encode(said(random)),
        signer=one.box.signing,
        device_id=bytes.fromhex(one.box.name),
        record_id=random.randbytes(16),
        sequence=sequence,
        recipients=[Recipient.of(one.reading.public_key())],
    )
    recipient = random.choice((*to.epochs, *to.epochs, *to.epochs, to.gone))
    if random.random() < 0.05:
        recipient = X25519PrivateKey.from_private_bytes(random.randbytes(32))
    share = make_share(
        frame,
        device=one.box.signing.public_key(),
        reading=one.reading,
        identity=one.identity,
        recipient=recipient.public_key(),
    )
    return {
        "from": one.id.hex(),
        "share": b64url(share),
        "frame": b64url(frame),
        "received_at": "2026-03-03T00:00:00Z",
    }


def attacked(random: Random, entries: list[dict[str, Any]], sharers: list[Sharer]) -> list[dict[str, Any]]:
    """What a server could do to the list, once or a few times."""
    entries = list(entries)
    for _ in range(random.choice((0, 1, 2, 4))):
        at = random.randrange(len(entries))
        one, other = entries[at], random.choice(entries)
        match random.randrange(7):
            case 0:
                entries.insert(random.randrange(len(entries) + 1), one)
            case 1:
                entries[at] = {**one, "frame": other["frame"]}
            case 2:
                entries[at] = {**one, "share": other["share"]}
            case 3:
                entries[at] = {**one, "from": random.choice((*sharers, sharers[0])).id.hex()}
            case 4:
                entries[at] = {**one, "from": random.randbytes(16).hex()}
            case 5:
                name = random.choice(("share", "frame"))
                data = bytearray(from_b64url(one[name]) if isinstance(one.get(name), str) else b"x")
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
                entries[at] = {**one, name: b64url(bytes(data))}
            case _:
                entries[at] = {**one, random.choice(("share", "frame")): "not base64url!"}
    return entries


def ours(found: Reading) -> dict[str, Any]:
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
                "received_at": one.received_at,
                "new": one.new,
                "shared_by": one.shared_by,
            }
            for one in found.records
        ],
        "flags": [
            {
                "kind": one.kind.value,
                "message": one.message.removesuffix(COMMAND) + "." * one.message.endswith(COMMAND),
                "device": one.device,
                "sequence": one.sequence,
            }
            for one in found.flags
        ],
    }


def listing(entries: list[dict[str, Any]], broken: int, whole: bool) -> SharedListing:
    found = []
    for one in entries:
        try:
            frame, share = from_b64url(one["frame"]), from_b64url(one["share"])
            found.append(SharedEntry(bytes.fromhex(one["from"]), share, frame, one["received_at"]))
        except FrameError:
            broken += 1
    return SharedListing(tuple(found), broken, whole)


def me(held: Held, confirmed: dict[bytes, bytes]) -> Clinician:
    """As much of an unlocked key file as judging colleagues takes."""
    statement = sign_statement(
        held.identity,
        clinician_id=b"m" * 16,
        name="Dr Lee",
        epoch=2,
        reading=held.epochs[1].public_key(),
        issued_at=1,
    )
    stated = parse_statement(statement)
    return Clinician(held.identity, held.epochs[1], statement, stated, colleagues=confirmed)


def test_both_say_the_same_of_what_colleagues_share(peer: Peer) -> None:
    random = seeded(2031)
    kinds: set[str] = set()
    for _ in range(120):
        held = keys(random)
        sharers = [sharer(random, name) for name in ("Dr Okafor", "Dr Ntuli", "Dr Ødegård")]
        served = [ServedColleague(one.id, one.statement) for one in sharers]
        if random.random() < 0.3:  # another identity under a colleague's id, or another's statement
            at = random.randrange(len(served))
            served[at] = replace(served[at], statement=random.choice(sharers).statement[:-1] + b"\x00")
        if random.random() < 0.3:
            served[0] = replace(served[0], statement=random.choice(sharers).statement)
        confirmed = {
            one.id: fingerprint(one.identity.public_key()) if random.random() < 0.9 else random.randbytes(32)
            for one in sharers
            if random.random() < 0.8
        }
        honest = [
            shared(random, one, held, sequence)
            for one in sharers
            for sequence in range(1, random.randint(2, 5))
        ]
        entries = attacked(random, honest, sharers)
        broken, whole = random.choice((0, 0, 2)), random.random() < 0.9
        believed = known(me(held, confirmed), served)
        expected = ours(read_shared(held, listing(entries, broken, whole), believed))
        theirs = peer.ask(
            "read_shared", identity=public(held.identity),
            privates=[key.private_bytes_raw() for key in held.epochs],
            destroyed={key.hex(): at for key, at in held.destroyed.items()},
            shares=entries, broken=broken, whole=whole,
            colleagues=[
                {"clinician": one.clinician_id.hex(), "statement": b64url(one.statement)} for one in served
            ],
            confirmed={one.hex(): b64url(print_) for one, print_ in confirmed.items()},
        )  # fmt: skip
        assert theirs.pop("known") == [
            {"id": one.id.hex(), "name": one.stated.name, "confirmed": one.confirmed}
            for one in believed.values()
        ]
        assert theirs == expected
        kinds |= {flag["kind"] for flag in expected["flags"]}
    # Every judgement that there is was made, and made alike.
    assert kinds == {*"frame list duplicate forged destroyed unopenable content unapproved".split()}


def test_both_speak_and_take_the_same_fingerprints(peer: Peer) -> None:
    random = seeded(2032)
    _, identity = signing(random)
    spoken = spoken_fingerprint(identity.public_key())
    assert peer.ask("spoken", identity=public(identity)) == spoken
    whole = fingerprint(identity.public_key()).hex()
    pieces = [*" -:\n\t.,0fgF\u00a0\u2028", "", ""]
    typed = [spoken, spoken.upper(), whole, whole[:40], whole[:31], "", whole + "0", " ".join(whole)]
    for _ in range(400):
        text = random.choice((spoken, whole))
        at = random.randint(0, len(text))
        typed.append(text[:at] + random.choice(pieces) + text[at + random.choice((0, 0, 1)) :])
    taken = 0
    for text in typed:
        accepted = python_takes(identity.public_key(), text)
        theirs = peer.ask("confirms", identity=public(identity), typed=text)
        # Spaces of other kinds than Python drops are no other fingerprint.
        assert theirs == accepted or (theirs and set(text) & set("\u00a0\u2028")), ascii(text)
        taken += accepted
    assert 50 < taken < len(typed)


def python_takes(identity: Ed25519PublicKey, typed: str) -> bool:
    private = Ed25519PrivateKey.generate()
    statement = sign_statement(
        private,
        clinician_id=b"c" * 16,
        name="n",
        epoch=1,
        reading=X25519PrivateKey.generate().public_key(),
        issued_at=1,
    )
    one = Colleague(replace(parse_statement(statement), identity=identity), confirmed=True)
    mine = me(keys(seeded(1)), {})
    try:
        confirm(None, mine, one, typed, lambda _: "")  # type: ignore[arg-type]
    except ServerError:
        return False
    return True


@pytest.mark.parametrize("version", [1, 7])
def test_both_carry_the_same_notes_over(peer: Peer, version: int) -> None:
    random = seeded(2033)
    raw, identity = signing(random)
    (old_raw, old), (new_raw, new) = agreement(random), agreement(random)
    clinician_id, device_id, record_id = (random.randbytes(16) for _ in range(3))
    statements = [
        sign_statement(
            identity,
            clinician_id=clinician_id,
            name="Dr Okafor",
            epoch=number,
            reading=key.public_key(),
            issued_at=number,
        )
        for number, key in ((1, old), (2, new))
    ]
    epochs = tuple(
        Epoch(one, parse_statement(one), key) for one, key in zip(statements, (old, new), strict=True)
    )
    clinician = Clinician(identity, new, statements[1], parse_statement(statements[1]), epochs=epochs)
    leaving = key_id(public(old))
    for key, signer in ((old, identity), (new, identity), (old, Ed25519PrivateKey.generate())):
        box = boxes.seal_box(
            boxes.encode_mark(boxes.Mark(boxes.Said.DISCUSSED, 5)),
            purpose=boxes.Purpose.MARK,
            identity=signer,
            reading=key.public_key(),
            clinician_id=clinician_id,
            device_id=device_id,
            record_id=record_id,
            version=version,
        )
        mine = marks_leaving(clinician, Marks((MarkEntry(device_id, record_id, version, box),)), leaving)
        theirs = peer.ask(
            "resealed", box=box, identity=raw, privates=[new_raw, old_raw], reading=public(new),
            clinician=clinician_id, leaving=leaving, purpose=1, device=device_id, record=record_id,
        )  # fmt: skip
        assert (theirs is None) == (not mine)
        if theirs is None:
            continue
        assert theirs["version"] == mine[0].version == version + 1
        sealed = boxes.parse_box(from_b64url(theirs["sealed"]))
        boxes.verify_box(sealed, identity.public_key())
        assert boxes.decode_mark(boxes.open_box(sealed, new)).said is boxes.Said.DISCUSSED
