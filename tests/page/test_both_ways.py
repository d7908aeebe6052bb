"""Python seals and JavaScript opens, and the reverse, on many random records, notes, cards and statements."""

from __future__ import annotations

from random import Random

import pytest

from server.key_shapes import parse_slot
from server.key_slots import (
    open_passkey_slot,
    open_recovery_slot,
    open_wrapping_slot,
    passkey_slot,
    recovery_slot,
    wrapping_slot,
)
from tests.page.page_peer import Peer, RefusedError, agreement, public, seeded, signing
from voice.wire import boxes, card_content, cards, keys, pairing, sharing
from voice.wire.encoding import b64url, from_b64url, key_id
from voice.wire.envelope import HPKE_SUITE, Recipient, open_frame, parse_frame, seal_record, verify_frame
from voice.wire.secrets import Parameters, derive, recovery_sign_in, sign_set_up


def words(random: Random, most: int = 12) -> list[str]:
    letters = "aéß語กु\u200d👩🏽\u202e\x00\x1b\\\"'</&\u2028\ufeff \n\U0010ffff"
    return ["".join(random.choices(letters, k=random.randint(0, 9))) for _ in range(random.randint(0, most))]


def test_hpke_both_ways(peer: Peer) -> None:
    random = seeded(9180)
    for _ in range(60):
        raw, key = agreement(random)
        info, plaintext = random.randbytes(random.randint(0, 200)), random.randbytes(random.randint(0, 3000))
        sealed = HPKE_SUITE.encrypt(plaintext, key.public_key(), info=info)
        assert peer.bytes("hpke_open", sealed=sealed, private=raw, info=info, aad=b"") == plaintext
        theirs = peer.bytes("hpke_seal", plaintext=plaintext, public=public(key), info=info, aad=b"")
        assert HPKE_SUITE.decrypt(theirs, key, info=info) == plaintext


def test_records_both_ways(peer: Peer) -> None:
    random = seeded(1)
    for number in range(200):
        device_raw, device = signing(random)
        readers = [agreement(random) for _ in range(random.randint(1, 8))]
        plaintext = random.randbytes(random.choice((0, 1, 200, 2047, 2048, 8191, 8192, 32767)))
        sequence = random.randint(1, 2**63 - 1)
        frame = seal_record(
            plaintext,
            signer=device,
            device_id=key_id(public(device)),
            record_id=random.randbytes(16),
            sequence=sequence,
            recipients=[Recipient.of(key.public_key()) for _, key in readers],
        )
        # One of several epochs' keys opens it; the others are a stranger's.
        held = [agreement(random)[0], random.choice(readers)[0], agreement(random)[0]]
        opened = peer.ask("open_record", frame=frame, device=public(device), privates=held)
        assert from_b64url(opened["plaintext"]) == plaintext
        assert (opened["record"], int(opened["sequence"])) == (frame[24:40].hex(), sequence)
        with pytest.raises(RefusedError, match="SealError: the record is not for this key"):
            peer.ask("open_record", frame=frame, device=public(device), privates=held[:1])
        if number % 4 == 0:
            theirs = peer.bytes(
                "seal_record", plaintext=plaintext, device=device_raw, sequence=str(sequence),
                readers=[public(key) for _, key in readers],
            )  # fmt: skip
            parsed = parse_frame(theirs)
            verify_frame(parsed, device.public_key())
            assert open_frame(parsed, random.choice(readers)[1]) == plaintext


def test_notes_to_oneself_both_ways(peer: Peer) -> None:
    random = seeded(2)
    for _ in range(80):
        identity_raw, identity = signing(random)
        raw, reading = agreement(random)
        mark = boxes.Mark(random.choice(list(boxes.Said)), random.randint(0, 2**53 - 1))
        label = "".join(word.strip() for word in words(random) if word.isprintable()).strip() or "Ana"
        purpose = random.choice((boxes.Purpose.MARK, boxes.Purpose.LABEL))
        is_mark = purpose is boxes.Purpose.MARK
        record = random.randbytes(16) if is_mark else boxes.NO_RECORD
        clinician, device, version = random.randbytes(16), random.randbytes(16), random.randint(1, 2**53 - 1)
        sealed = boxes.seal_box(
            boxes.encode_mark(mark) if is_mark else boxes.encode_label(label),
            purpose=purpose, identity=identity, reading=reading.public_key(), clinician_id=clinician,
            device_id=device, record_id=record, version=version,
        )  # fmt: skip
        opened = peer.ask("open_box", box=sealed, identity=public(identity), private=raw)
        expected = {"said": mark.said.value, "at": mark.at} if is_mark else label
        assert opened == {"said": expected, "record": record.hex(), "version": version}
        theirs = peer.bytes(
            "seal_box", purpose=int(purpose), identity=identity_raw, reading=public(reading),
            clinician=clinician, device=device, record=record, version=version,
            mark={"said": mark.said.value, "at": mark.at}, label=label,
        )  # fmt: skip
        box = boxes.parse_box(theirs)
        boxes.verify_box(box, identity.public_key())
        plaintext = boxes.open_box(box, reading)
        assert (boxes.decode_mark(plaintext) if is_mark else boxes.decode_label(plaintext)) == (
            mark if is_mark else label
        )
        assert (box.clinician_id, box.device_id, box.version) == (clinician, device, version)


def some_card(random: Random) -> card_content.PartCard:
    name = card_content.spelled(" ".join(words(random)))[:80].strip() or "the foreman"
    tell = card_content.spelled(" ".join(words(random, 40)))[:500].strip()
    if card_content.spelled(name) != name or card_content.spelled(tell) != tell:
        name, tell = "người gác cổng", ""  # cut within a letter
    choices: dict[str, list[str | bool | None]] = {
        "danger_number": ["112", "+49 (0) 110", None],
        "hears": ["anyone", "client", None],
        "language": ["en", "es-MX"],
        "pace": ["slow", "brisk"],
        "quiet": [True, False],
        "talk_number": ["988"],
    }
    settings = {
        key: random.choice(choices[key]) for key in random.sample(sorted(choices), random.randint(0, 6))
    }
    if random.random() < 0.3:
        return card_content.PartCard(name, removed=True)
    return card_content.PartCard(name, random.choice([None, "four man"]), tell, settings)


def test_cards_both_ways(peer: Peer) -> None:
    random = seeded(3)
    for _ in range(80):
        identity_raw, identity = signing(random)
        raw, device = agreement(random)
        card = card_content.encode_card(some_card(random))
        device_id, card_id, version = random.randbytes(16), random.randbytes(16), random.randint(1, 2**63 - 1)
        sealed = cards.seal_card(
            card, signer=identity, device_id=device_id, card_id=card_id, version=version,
            recipient=device.public_key(),
        )  # fmt: skip
        opened = peer.ask("open_card", card=sealed, identity=public(identity), private=raw)
        assert (opened["content"].encode(), int(opened["version"])) == (card, version)
        theirs = peer.bytes(
            "seal_card", content=card.decode(), signer=identity_raw, device=device_id, card=card_id,
            version=str(version), recipient=public(device),
        )  # fmt: skip
        frame = cards.parse_card(theirs)
        assert cards.open_card(frame, device, identity.public_key()) == card
        assert (frame.device_id, frame.card_id, frame.version) == (device_id, card_id, version)


def test_statements_invitations_and_approvals_both_ways(peer: Peer) -> None:
    random = seeded(4)
    for _ in range(60):
        identity_raw, identity = signing(random)
        raw, reading = agreement(random)
        clinician, epoch, at = (
            random.randbytes(16),
            random.randint(1, 2**32 - 1),
            random.randint(0, 2**63 - 1),
        )
        name = random.choice(["Dr Okafor", "BS. Nguyễn Thị Hạnh", "n" * 200, "د. ليلى", "O\u200dk"])
        statement = keys.sign_statement(
            identity,
            clinician_id=clinician,
            name=name,
            epoch=epoch,
            reading=reading.public_key(),
            issued_at=at,
        )
        theirs = peer.bytes(
            "sign_statement", identity=identity_raw, clinician=clinician, name=name, epoch=epoch,
            reading=public(reading), issued_at=str(at),
        )  # fmt: skip
        assert theirs == statement  # Ed25519 signs alike each time
        mark = keys.fingerprint(identity.public_key())
        said = peer.ask("statement", data=statement, fingerprint=mark)
        assert said == {
            "name": name,
            "epoch": epoch,
            "reading": b64url(public(reading)),
            "issued_at": str(at),
        }

        pairing_id, secret = random.randbytes(16), random.randbytes(16)
        invitation = pairing.make_invitation(
            identity, reading.public_key(), pairing_id=pairing_id, secret=secret, expires_at=at
        )
        opened = peer.ask("open_invitation", data=invitation, identity=public(identity), private=raw)
        assert opened == {"pairing": b64url(pairing_id), "secret": b64url(secret), "expires_at": str(at)}
        theirs = peer.bytes(
            "make_invitation", identity=identity_raw, reading=public(reading), pairing=pairing_id,
            secret=secret, expires_at=str(at),
        )  # fmt: skip
        assert pairing.open_invitation(theirs, identity.public_key(), reading) == (pairing_id, secret, at)

        approved = peer.bytes(
            "approve", identity=identity_raw, signing=public(identity), encryption=public(reading), at=str(at)
        )
        assert approved == pairing.sign_approval(identity, public(identity), public(reading), at)


def test_shares_and_wrapped_keys_both_ways(peer: Peer) -> None:
    random = seeded(5)
    for _ in range(40):
        _, device = signing(random)
        identity_raw, identity = signing(random)
        (raw, reading), (their_raw, colleague) = agreement(random), agreement(random)
        plaintext = random.randbytes(100)
        frame = seal_record(
            plaintext, signer=device, device_id=key_id(public(device)), record_id=random.randbytes(16),
            sequence=7, recipients=[Recipient.of(reading.public_key())],
        )  # fmt: skip
        ours = sharing.make_share(
            frame,
            device=device.public_key(),
            reading=reading,
            identity=identity,
            recipient=colleague.public_key(),
        )
        asked = {"frame": frame, "identity": public(identity), "private": their_raw}
        assert peer.bytes("open_shared", share=ours, **asked) == plaintext
        theirs = peer.bytes(
            "share", frame=frame, device=public(device), private=raw, identity=identity_raw,
            recipient=public(colleague),
        )  # fmt: skip
        opened = sharing.open_shared(theirs, frame, identity=identity.public_key(), reading=colleague)
        assert opened == plaintext

        key, clinician, epoch = random.randbytes(32), random.randbytes(16), random.randint(0, 2**32 - 1)
        place = {"clinician": clinician, "epoch": epoch, "public": public(reading)}
        wrapped = keys.wrap_private(
            raw,
            key=key,
            nonce=random.randbytes(12),
            clinician_id=clinician,
            epoch=epoch,
            public_raw=public(reading),
        )
        assert peer.bytes("unwrap", data=wrapped, key=key, **place) == raw
        wrapped = peer.bytes("wrap", private=raw, key=key, **place)
        found = keys.unwrap_private(
            wrapped, key=key, clinician_id=clinician, epoch=epoch, public_raw=public(reading)
        )
        assert found == raw


def test_secrets_and_slots_both_ways(peer: Peer) -> None:
    random = seeded(6)
    key, passphrase = random.randbytes(32), "four unrelated kettle words ﬁ"
    fields, printed = recovery_slot(key)
    assert peer.bytes("open_recovery_slot", slot=fields, code=printed.lower()) == key
    code = peer.bytes("code", text=printed)
    theirs = peer.ask("recovery_slot", key=key, code=code)
    assert theirs["printed"] == printed
    assert open_recovery_slot(theirs["slot"], printed) == key
    parse_slot(theirs["slot"])
    assert peer.bytes("recovery_sign_in", code=code) == recovery_sign_in(code)

    parameters = Parameters(random.randbytes(16))
    assert peer.ask("parameters", text=parameters.text) == parameters.text
    ours = derive(passphrase, parameters)
    slot = wrapping_slot(key, passphrase, parameters=parameters)
    assert peer.bytes("open_passphrase_slot", slot=slot, passphrase=passphrase) == key
    with pytest.raises(RefusedError, match="WrongSecretError"):  # a key file's own slot is not the server's
        peer.ask("open_passphrase_slot", slot={**slot, "kdf": "argon2id"}, passphrase=passphrase)
    output, asked = random.randbytes(32), {"credential": random.randbytes(40), "salt": random.randbytes(32)}
    slot = passkey_slot(key, output, **asked)
    assert peer.bytes("open_passkey_slot", slot=slot, output=output) == key
    by_passphrase, by_passkey = peer.ask(
        "slots", key=key, wrapping=ours.wrapping, parameters=parameters.text, output=output, **asked
    )
    assert open_wrapping_slot(by_passphrase, passphrase) == key
    assert open_passkey_slot(by_passkey, output) == key
    for slot in (by_passphrase, by_passkey):
        parse_slot(slot)  # the server takes it

    raw, identity = signing(random)
    token, statement = random.randbytes(32), random.randbytes(200)
    proof = peer.bytes("sign_set_up", identity=raw, token=token, statement=statement)
    assert proof == sign_set_up(identity, token, statement)
