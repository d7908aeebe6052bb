"""Notes on parts as the clinician's own programs make, read and carry them over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.card_maker import make_card, next_version
from server.clinician_client import ClinicianClient
from server.clinician_keys import Clinician, Epoch
from server.part_notes import NoteEntry, fetch_notes, make_note, note_leaving, put_note, read_note
from tests.clinic_rig import Clinic, serving
from voice.adapters.identity import device_keys
from voice.wire.boxes import parse_box
from voice.wire.card_content import PartCard
from voice.wire.encoding import key_id
from voice.wire.errors import ContentError, SealError
from voice.wire.part_notes import PartNote

NOTE = PartNote("the foreman", tell="jaw set", age="about nine")


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with serving(tmp_path / "server.db") as url:
        yield Clinic(tmp_path, url)


def kept(clinic: Clinic, client: ClinicianClient, home: Path) -> NoteEntry:
    """A part's card with its note, both with the server."""
    keys = device_keys(home)
    version = next_version((card.version for card in client.cards(keys.id)), int(time.time()))
    encryption = keys.encryption.public_key().public_bytes_raw()
    part = PartCard(NOTE.name, tell=NOTE.tell)
    card_id, sealed = make_card(clinic.clinician.identity, keys.id, encryption, part, version)
    client.send_card(keys.id, card_id, sealed)
    note = make_note(clinic.clinician, keys.id, card_id, version, NOTE)
    put_note(client, note)
    return note


def test_a_note_is_kept_fetched_and_read(clinic: Clinic) -> None:
    home = clinic.device("ana")
    with clinic.client() as client:
        note = kept(clinic, client, home)
        assert fetch_notes(client, note.device_id) == (note,)
    assert read_note(clinic.clinician, note) == NOTE


def test_a_note_on_another_part_is_not_read(clinic: Clinic) -> None:
    note = make_note(clinic.clinician, b"d" * 16, b"k" * 16, 5, NOTE)
    with pytest.raises(SealError):
        read_note(clinic.clinician, replace(note, card_id=b"x" * 16))
    with pytest.raises(ContentError):
        make_note(clinic.clinician, b"d" * 16, b"k" * 16, 5, replace(NOTE, name=""))


def test_a_note_leaves_a_reading_key_before_it_is_destroyed(clinic: Clinic) -> None:
    home = clinic.device("ana")
    with clinic.client() as client:
        note = kept(clinic, client, home)
        old = parse_box(note.sealed)
        newer = with_another_key(clinic.clinician)
        moved = note_leaving(newer, note, old.reading_key_id)
        assert moved is not None
        box = parse_box(moved.sealed)
        assert box.reading_key_id == key_id(newer.reading.public_key().public_bytes_raw())
        assert box.version == old.version + 1
        assert read_note(newer, moved) == NOTE
        put_note(client, moved)
        assert fetch_notes(client, note.device_id) == (moved,)
        assert note_leaving(newer, moved, old.reading_key_id) is None, "it has left already"
        assert note_leaving(newer, replace(note, card_id=b"x" * 16), old.reading_key_id) is None


def with_another_key(clinician: Clinician) -> Clinician:
    """The same clinician with another reading key in use, and the one before kept."""
    private = X25519PrivateKey.generate()
    return replace(clinician, reading=private, upcoming=Epoch(clinician.statement, clinician.stated, private))
