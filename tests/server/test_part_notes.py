"""Notes on parts as the clinician's own programs make, read and carry them over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.card_maker import make_card, next_version
from server.clinician_client import ClinicianClient
from server.keys_client import KeysClient
from server.part_notes import (
    NoteEntry,
    fetch_notes,
    make_note,
    note_leaving,
    put_note,
    read_note,
    sealed_elsewhere,
)
from server.rotating import rotate
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
        # As the server knows it, for the same file: it takes nothing that is sealed to another key.
        newer = rotate(clinic.key_file, clinic.clinician, KeysClient(client), now=1).clinician
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


def test_a_note_to_a_key_that_is_not_here_is_told_from_a_destroyed_one(clinic: Clinic) -> None:
    clinician = clinic.clinician
    with clinic.client() as client:
        newer = rotate(clinic.key_file, clinician, KeysClient(client), now=1).clinician
    older = make_note(clinician, b"d" * 16, b"k" * 16, 5, NOTE)
    newest = make_note(newer, b"d" * 16, b"k" * 16, 6, NOTE)
    assert not sealed_elsewhere(newer, (older, newest))
    assert sealed_elsewhere(clinician, (older, newest))
    destroyed = replace(newer.epochs[0], private=None, shredded_at=2)
    forgot = replace(newer, epochs=(destroyed, *newer.epochs[1:]))
    assert not sealed_elsewhere(forgot, (older,)), "nobody opens it again"
    altered = newest.sealed[:-1] + bytes([newest.sealed[-1] ^ 1])
    for foreign in (b"", altered):
        assert not sealed_elsewhere(clinician, (replace(newest, sealed=foreign),))
    assert not sealed_elsewhere(clinician, (replace(newest, card_id=b"x" * 16),))
