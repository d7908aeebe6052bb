"""A clinician who signs in to the page, and clients' records, really sealed and put into the database."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import Table, update

from server.account_client import authenticator_secret, set_up
from server.accounts import TOKEN_BYTES, invite_account
from server.clinician_keys import Clinician as Keys
from server.key_slots import RECOVERY
from server.keyfile import make_key_file, slots_of
from server.practices import add_practice
from server.rows import DeviceRow, InvitationRow
from server.schema import Clinician, Record
from server.second_factor import STEP_S, code_at
from server.settings import database_url
from server.store import Store
from tests.server.server_rig import DeviceParty
from voice.noticing import Noticing
from voice.transcript import Transcript, Word
from voice.wire.boxes import Purpose, encode_label, seal_box
from voice.wire.content import encode
from voice.wire.encoding import b64url
from voice.wire.envelope import Recipient, seal_record
from voice.wire.pairing import claim_hash, device_proof, make_invitation, sign_approval

ACCOUNT: Final = "okafor"
PASSPHRASE: Final = "four unrelated kettle words"  # noqa: S105 - of a practice that is thrown away
CLIENTS: Final = 20
BATCH: Final = 1_000
BETWEEN: Final = timedelta(minutes=97)
"""Between two noticings of the whole caseload: 10,000 are two years."""

LINES: Final = (
    "my brother was shouting about the kitchen window",
    "",
    "the meeting ran late and nobody said anything to me about it",
    "i could not answer the phone when she rang for the second time",
    "",
    "it wanted everybody to stop talking at once and go home",
)
"""What is said, in turn; "" is a noticing without a line."""


@dataclass(frozen=True)
class PagePractice:
    """A database with one clinician's records, and what the clinician needs to sign in."""

    database: Path
    keys: Keys
    key_file: Path
    recovery_code: str
    token: bytes

    @classmethod
    def found(cls, folder: Path, records: int) -> PagePractice:
        """A new practice in `folder` with so many records, newest now."""
        now = int(time.time())
        database, key_file = folder / "server.db", folder / "okafor.key.json"
        keys, code = make_key_file(key_file, name="Dr Okafor", passphrase=PASSPHRASE, issued_at=now)
        store = Store.open(database_url(str(database)))
        practice = add_practice(store.database, "North Street", now=now).practice_id
        token = secrets.token_bytes(TOKEN_BYTES)
        invite_account(
            store.database, practice, name=ACCOUNT, role="clinician", token=token, now=now, actor="system"
        )
        store.add_clinician(keys.id, keys.statement, now=now, practice_id=practice)
        devices = [DeviceParty.new() for _ in range(CLIENTS)]
        for number, device in enumerate(devices, 1):
            _pair(store, keys, device, f"Client {number}", now)
        _fill(store, keys, devices, records, now)
        store.close()
        return cls(database, keys, key_file, code, token)

    def set_up(self, origin: str) -> bytes:
        """Set the account up at the running server; the authenticator's secret."""
        kept: list[bytes] = []

        def ask(otpauth: str) -> str:
            kept.append(authenticator_secret(otpauth))
            # Of the step before, so that this step's is left for signing in.
            return code_at(kept[0], int(time.time()) // STEP_S - 1)

        link = f"{origin}/set-up#{b64url(self.token)}"
        set_up(link, self.keys, PASSPHRASE, self.recovery_code, slots_of(self.key_file, RECOVERY)[0], ask)
        return kept[0]


def _pair(store: Store, keys: Keys, device: DeviceParty, name: str, now: int) -> None:
    pairing_id, secret = secrets.token_bytes(16), secrets.token_bytes(16)
    invitation = make_invitation(
        keys.identity,
        keys.reading.public_key(),
        pairing_id=pairing_id,
        secret=secret,
        expires_at=now + 3600,
    )
    given = InvitationRow(pairing_id, keys.id, invitation, claim_hash(secret), now + 3600)
    store.add_invitation(given, now=now)
    store.pair_device(
        DeviceRow(
            device_id=device.device_id,
            clinician_id=keys.id,
            pairing_id=pairing_id,
            signing=device.signing,
            encryption=device.encryption,
            proof=device_proof(secret, pairing_id, device.signing, device.encryption),
            invitation=invitation,
            approval=None,
            state="active",
            created_at=now,
            last_seen_at=now,
        ),
        expired=False,
    )
    approval = sign_approval(keys.identity, device.signing, device.encryption, now)
    store.approve_device(keys.id, device.device_id, approval, now=now)
    label = seal_box(
        encode_label(name),
        purpose=Purpose.LABEL,
        identity=keys.identity,
        reading=keys.reading.public_key(),
        clinician_id=keys.id,
        device_id=device.device_id,
        version=1,
    )
    store.label_device(keys.id, device.device_id, label, now=now)


def _fill(store: Store, keys: Keys, devices: list[DeviceParty], records: int, now: int) -> None:
    table = cast(Table, Record.__table__).insert()
    rows = list[dict[str, Any]]()
    for row in _sealed(keys, devices, records, now):
        rows.append(row)
        if len(rows) == BATCH or row["cursor"] == records:
            with store.database.write() as connection:
                connection.execute(table, rows)
            rows = []
    with store.database.write() as connection:
        connection.execute(update(Clinician).where(Clinician.id == keys.id).values(last_cursor=records))


def _sealed(keys: Keys, devices: list[DeviceParty], records: int, now: int) -> Iterator[dict[str, Any]]:
    """Rows as the intake keeps them; clients take turns, the oldest first."""
    recipients = [Recipient.of(keys.reading.public_key())]
    sequences = dict.fromkeys((device.device_id for device in devices), 0)
    for number in range(records):
        device, said = devices[number % len(devices)], LINES[number % len(LINES)]
        sequences[device.device_id] += 1
        at = datetime.fromtimestamp(now, UTC) - BETWEEN * (records - number)
        words = tuple(Word(word, doubt=place % 7 == 5) for place, word in enumerate(said.split()))
        noticing = Noticing("the foreman", at, Transcript(words, "vosk") if words else None)
        record_id = secrets.token_bytes(16)
        frame = seal_record(
            encode(noticing),
            signer=device.key,
            device_id=device.device_id,
            record_id=record_id,
            sequence=sequences[device.device_id],
            recipients=recipients,
        )
        yield {
            "device_id": device.device_id,
            "record_id": record_id,
            "clinician_id": keys.id,
            "cursor": number + 1,
            "sequence": sequences[device.device_id],
            "sha256": hashlib.sha256(frame).digest(),
            "frame": frame,
            "received_at": int(at.timestamp()) + 60,
        }
