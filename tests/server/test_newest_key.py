"""What is sealed to older reading keys stays out, while keys are rotated and everything else goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import select

from server import card_notes_store, consents_store, keys_store, marks_store
from server.card_notes_store import NoteRow
from server.errors import RefusedError
from server.schema import Card, Consent, Mark
from tests.server import test_card_notes, test_consents, test_marks
from tests.server.server_rig import NOW, Rig
from tests.server.test_cards import CARD, send
from tests.server.test_limits import label
from tests.server.test_records_store import delivered
from voice.wire.boxes import parse_box
from voice.wire.encoding import key_id
from voice.wire.envelope import parse_frame
from voice.wire.keys import parse_statement

EPOCHS = 6


def test_while_keys_are_rotated_nothing_goes_to_an_older_one_and_nobody_waits_in_a_circle(rig: Rig) -> None:
    device, database, mine = rig.paired(), rig.store.database, rig.clinician.clinician_id
    [frame] = delivered(rig, device, 1)
    send(rig, device, 1)
    newer = [replace(rig.clinician, reading=X25519PrivateKey.generate()) for _ in range(EPOCHS)]

    def rotate(turn: int) -> None:
        statement = newer[turn].statement(turn + 2)
        keys_store.put_epoch(database, mine, parse_statement(statement), statement, None, now=NOW)

    def deliver(turn: int) -> None:
        data = device.record(rig.clinician, 100 + turn)
        rig.store.take_record(parse_frame(data), data, hashlib.sha256(data).digest(), now=NOW)

    def note(turn: int) -> None:
        sealed = test_card_notes.sealed(newer[turn], device, turn + 1)
        card_notes_store.put_note(database, mine, device.device_id, NoteRow(CARD, turn + 1, sealed))

    def consent(turn: int) -> None:
        sealed = test_consents.sealed(newer[turn], device, 1)
        consents_store.put_consent(database, mine, device.device_id, version=1, sealed=sealed, now=NOW)

    def mark(turn: int) -> None:
        sealed = test_marks.sealed(newer[turn], device, frame[24:40], turn + 1)
        ids = (mine, device.device_id, frame[24:40])
        marks_store.put_mark(database, *ids, version=turn + 1, sealed=sealed, now=NOW)

    def name(turn: int) -> None:
        rig.store.label_device(mine, device.device_id, label(newer[turn], device, "Ada"), now=NOW)

    def attempt(job: Callable[[int], None], turn: int) -> str:
        try:
            job(turn)
        except RefusedError as refusal:
            return refusal.code
        return "kept"

    writers = (note, consent, mark, name)
    with ThreadPoolExecutor(8) as pool:
        for turn in range(EPOCHS):
            jobs = [(deliver, turn), *((one, turn) for one in writers), (rotate, turn)]
            jobs += [(one, max(turn - 1, 0)) for one in writers]
            done = list(pool.map(lambda job: attempt(*job), jobs))
            assert done[5] == "kept"
    for one in writers:
        attempt(one, EPOCHS - 1)
        assert attempt(one, 0) == "stale_key"
    with database.read() as connection:
        kept = [
            connection.execute(select(Mark.sealed)).scalar_one(),
            connection.execute(select(Card.note)).scalar_one(),
            connection.execute(select(Consent.sealed)).scalar_one(),
            rig.store.device_of(mine, device.device_id).label or b"",
        ]
    last = key_id(newer[-1].reading.public_key().public_bytes_raw())
    assert {parse_box(one).reading_key_id for one in kept} == {last}
