"""Who else reads: taken from the pinned clinician alone, never an older word, and said to the client."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.keys_client import KeysClient
from tests.clinic_rig import Clinic, noticing, serving
from tests.fakes import CODES, NAME, SILENCE, Rig
from voice.adapters.identity import (
    PAIRING_FILE,
    Pairing,
    load_pairing,
    renew_endorsement,
    renew_statement,
    save_pairing,
    sealer,
    told_second_reader,
)
from voice.adapters.pairing import pair
from voice.adapters.records import DeviceRecords
from voice.adapters.uplink import HttpUplink
from voice.errors import PairingError
from voice.outbox import UnreachableError
from voice.ports import Command, SecondReader
from voice.wire.endorsement import sign_endorsement, sign_withdrawal
from voice.wire.envelope import open_frame, parse_frame
from voice.wire.errors import FrameError, SealError
from voice.wire.keys import fingerprint, sign_statement

IDENTITY = Ed25519PrivateKey.generate()
READING = X25519PrivateKey.generate()
RECOVERY = X25519PrivateKey.generate()
CLINICIAN_ID = bytes(range(16))
HOLDER = "Elm Street practice"


def statement(epoch: int = 1, reading: X25519PrivateKey = READING) -> bytes:
    return sign_statement(
        IDENTITY,
        clinician_id=CLINICIAN_ID,
        name="Dr Lee",
        epoch=epoch,
        reading=reading.public_key(),
        issued_at=1_790_000_000 + epoch,
    )


def endorsed(
    number: int,
    *,
    from_epoch: int = 1,
    by: Ed25519PrivateKey = IDENTITY,
    key: X25519PrivateKey = RECOVERY,
    holder: str = HOLDER,
    clinician_id: bytes = CLINICIAN_ID,
) -> bytes:
    return sign_endorsement(
        by,
        clinician_id=clinician_id,
        number=number,
        from_epoch=from_epoch,
        key=key.public_key(),
        holder=holder,
    )


def withdrawn(number: int) -> bytes:
    return sign_withdrawal(IDENTITY, clinician_id=CLINICIAN_ID, number=number, from_epoch=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    save_pairing(tmp_path, Pairing.of("http://127.0.0.1:1", fingerprint(IDENTITY.public_key()), statement()))
    return tmp_path


def second(home: Path) -> SecondReader | None:
    """As after a restart: read from the disk."""
    pairing = load_pairing(home)
    assert pairing is not None
    return pairing.second_reader


def readers(home: Path) -> int:
    return len(parse_frame(sealer(home)(noticing(0), secrets.token_bytes(16), 1)).recipients)


def test_new_records_are_sealed_to_both_and_each_opens_them(home: Path) -> None:
    assert readers(home) == 1
    assert renew_endorsement(home, endorsed(1))
    frame = parse_frame(sealer(home)(noticing(0, "he", "yelled"), secrets.token_bytes(16), 1))
    assert open_frame(frame, READING) == open_frame(frame, RECOVERY)
    assert not renew_endorsement(home, endorsed(1))


def test_an_older_word_is_refused_after_a_restart_too(home: Path) -> None:
    renew_endorsement(home, endorsed(1))
    renew_endorsement(home, withdrawn(2))
    assert readers(home) == 1
    with pytest.raises(SealError, match="older"):
        renew_endorsement(home, endorsed(1))
    with pytest.raises(SealError, match="same number"):
        renew_endorsement(home, endorsed(2))
    assert second(home) is None
    assert renew_endorsement(home, endorsed(3))
    with pytest.raises(SealError, match="older"):
        renew_endorsement(home, withdrawn(2))
    assert readers(home) == 2


def test_an_older_reading_key_is_refused_after_a_restart(home: Path) -> None:
    newer = X25519PrivateKey.generate()
    assert renew_statement(home, statement(5, newer))
    with pytest.raises(SealError, match="older"):
        renew_statement(home, statement(4, READING))
    reread = load_pairing(home)
    assert reread is not None
    assert reread.clinician.epoch == 5
    frame = parse_frame(sealer(home)(noticing(0), secrets.token_bytes(16), 1))
    open_frame(frame, newer)
    # A renewed endorsement leaves the epoch where it is, and the other way round.
    renew_endorsement(home, endorsed(1))
    with pytest.raises(SealError, match="older"):
        renew_statement(home, statement(4, READING))
    assert renew_statement(home, statement(6))
    assert readers(home) == 2


@pytest.mark.parametrize(
    "data",
    [
        endorsed(9, by=Ed25519PrivateKey.generate()),
        endorsed(9, clinician_id=bytes(16)),
        endorsed(9)[:-1],
        statement(),
        b"",
        bytes([endorsed(9)[0] ^ 1]) + endorsed(9)[1:],
    ],
)
def test_only_the_pinned_clinician_adds_a_reader(home: Path, data: bytes) -> None:
    before = (home / PAIRING_FILE).read_bytes()
    with pytest.raises((SealError, FrameError)):
        renew_endorsement(home, data)
    assert (home / PAIRING_FILE).read_bytes() == before
    assert readers(home) == 1


def test_an_endorsement_counts_from_its_epoch_on(home: Path) -> None:
    renew_endorsement(home, endorsed(1, from_epoch=2))
    assert second(home) is None
    assert readers(home) == 1
    renew_statement(home, statement(2))
    assert second(home) == SecondReader(HOLDER, told=False)
    assert readers(home) == 2


def test_a_recovery_key_that_is_the_reading_key_loses_no_noticing(home: Path) -> None:
    renew_endorsement(home, endorsed(1, key=READING))
    assert readers(home) == 1


def test_that_the_client_was_told_is_kept_until_someone_else_reads(home: Path) -> None:
    renew_endorsement(home, endorsed(1))
    told_second_reader(home)
    assert second(home) == SecondReader(HOLDER, told=True)
    renew_endorsement(home, endorsed(2))
    assert second(home) == SecondReader(HOLDER, told=True)
    renew_endorsement(home, endorsed(3, holder="Oak Lane practice"))
    assert second(home) == SecondReader("Oak Lane practice", told=False)
    told_second_reader(home)
    renew_endorsement(home, endorsed(4, key=X25519PrivateKey.generate(), holder="Oak Lane practice"))
    assert second(home) == SecondReader("Oak Lane practice", told=False)


def test_a_pairing_of_before_has_no_second_reader(home: Path) -> None:
    fields = json.loads((home / PAIRING_FILE).read_text())
    assert "endorsement" not in fields
    assert second(home) is None


def test_the_records_port_sees_a_change_and_remembers_the_telling(home: Path) -> None:
    with DeviceRecords(home, courier=False) as records:
        assert records.second_reader() is None
        renew_endorsement(home, endorsed(1))
        assert records.second_reader() == SecondReader(HOLDER, told=False)
        records.told_second_reader()
        assert records.second_reader() == SecondReader(HOLDER, told=True)
    with DeviceRecords(home, courier=False) as records:
        assert records.second_reader() == SecondReader(HOLDER, told=True)


# What the client hears.

QUIET_ROOM = (SILENCE, 2.0)
NAMED = (NAME, 0.08)


def test_the_first_exchange_says_who_else_reads_before_it_asks(rig: Rig) -> None:
    rig.records.second = SecondReader(HOLDER, told=False)
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 60.0), NAMED, (SILENCE, 60.0))
    assert rig.prompts[:2] == ["help.also_reads", "ask.line"]
    assert rig.prompts.count("help.also_reads") == 1
    assert rig.prompts.count("ask.line") == 2
    assert f"{HOLDER} can also read this, if Dr Lee cannot." in rig.synthesiser.said
    assert ("told", HOLDER) in rig.log


def test_help_says_it_every_time_and_counts_as_told(rig: Rig) -> None:
    rig.records.second = SecondReader(HOLDER, told=False)
    help_said = ((CODES[Command.HELP], 0.8), (SILENCE, 25.0))
    rig.hear(QUIET_ROOM, *help_said, *help_said, NAMED, (SILENCE, 40.0))
    assert rig.prompts[:5] == ["help.nobody", "help.reads", "help.also_reads", "help.danger", "help.talk"]
    assert rig.prompts.count("help.also_reads") == 2
    assert rig.prompts[10:11] == ["ask.line"]


def test_stopped_before_it_was_said_to_the_end_it_is_said_again(rig: Rig) -> None:
    rig.records.second = SecondReader(HOLDER, told=False)
    loop = rig.hear(QUIET_ROOM, NAMED, (SILENCE, 1.0), (CODES[Command.NOT_NOW], 0.8), (SILENCE, 5.0))
    assert rig.prompts == []
    assert loop is not None
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 40.0))
    assert rig.prompts[0] == "help.also_reads"


def test_quiet_keeps_silent_and_leaves_it_to_be_said(rig: Rig) -> None:
    rig.records.second = SecondReader(HOLDER, told=False)
    rig.cards.is_quiet = True
    rig.hear(QUIET_ROOM, NAMED, (SILENCE, 20.0))
    assert rig.prompts == []
    assert rig.records.second == SecondReader(HOLDER, told=False)


def test_without_a_second_reader_nothing_is_said_of_one(rig: Rig) -> None:
    rig.hear(QUIET_ROOM, (CODES[Command.HELP], 0.8), (SILENCE, 25.0), NAMED, (SILENCE, 40.0))
    assert "help.also_reads" not in rig.prompts


# Against the real server.


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


def test_devices_learn_of_it_from_the_server_and_refuse_what_it_makes_up(clinic: Clinic) -> None:
    home = clinic.device("learns")
    uplink = HttpUplink.of(home)
    clinician = clinic.clinician
    said = sign_endorsement(
        clinician.identity,
        clinician_id=clinician.id,
        number=1,
        from_epoch=1,
        key=RECOVERY.public_key(),
        holder=HOLDER,
    )
    with clinic.client() as client:
        KeysClient(client).endorse(said)
    uplink.device_state()
    uplink.close()
    assert second(home) == SecondReader(HOLDER, told=False)
    assert second(clinic.device("later")) == SecondReader(HOLDER, told=False)
    # Another device had already seen a newer word than this server shows.
    save_pairing(home, Pairing.of(clinic.url, fingerprint(clinician.public), clinician.statement))
    renew_endorsement(
        home, sign_withdrawal(clinician.identity, clinician_id=clinician.id, number=2, from_epoch=1)
    )
    behind = HttpUplink.of(home)
    with pytest.raises(UnreachableError, match="older than one already seen"):
        behind.device_state()
    behind.close()
    assert second(home) is None


def test_pairing_anew_with_the_same_clinician_takes_no_older_reading_key(clinic: Clinic) -> None:
    home = clinic.device("anew")
    clinician = clinic.clinician
    newer = sign_statement(
        clinician.identity,
        clinician_id=clinician.id,
        name=clinician.name,
        epoch=7,
        reading=X25519PrivateKey.generate().public_key(),
        issued_at=clinician.stated.issued_at,
    )
    assert renew_statement(home, newer)
    with pytest.raises(PairingError, match="older"):
        pair(home, clinic.link(), replace=True)
