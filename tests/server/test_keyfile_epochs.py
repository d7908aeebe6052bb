"""The key file of version 2: version 1 carried over, what cannot be changed in it, and slots."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.errors import ServerError
from server.key_shapes import parse_slot
from server.key_slots import (
    WrongSecretError,
    open_passkey_slot,
    open_wrapping_slot,
    passkey_slot,
    passphrase_slot,
    recovery_slot,
    wrapping_slot,
)
from server.keyfile import change, read_statement, unlock_by_code
from tests.clinic_rig import CHEAP, PASSPHRASE
from tests.server.rotating_rig import NOW, made, opened
from voice.wire.encoding import b64url
from voice.wire.errors import SealError
from voice.wire.keys import sign_statement
from voice.wire.secrets import Parameters


def of_version_1(path: Path) -> tuple[Ed25519PrivateKey, X25519PrivateKey, str]:
    """A key file as the first version wrote it; the keys and the recovery code."""
    identity, reading, key = (
        Ed25519PrivateKey.generate(),
        X25519PrivateKey.generate(),
        secrets.token_bytes(32),
    )
    statement = sign_statement(
        identity,
        clinician_id=secrets.token_bytes(16),
        name="Dr Okafor",
        epoch=1,
        reading=reading.public_key(),
        issued_at=NOW,
    )
    fields: dict[str, Any] = {
        "kind": "onebreath clinician key",
        "version": 1,
        "name": "Dr Okafor",
        "statement": b64url(statement),
    }
    bound = b"onebreath clinician keys v1\x00"
    bound += json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    nonce = secrets.token_bytes(12)
    private = identity.private_bytes_raw() + reading.private_bytes_raw()
    recovery, code = recovery_slot(key)
    fields["nonce"] = b64url(nonce)
    fields["keys"] = b64url(AESGCM(key).encrypt(nonce, private, bound))
    fields["slots"] = [passphrase_slot(key, PASSPHRASE, cost=CHEAP), recovery]
    path.write_text(json.dumps(fields))
    return identity, reading, code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "okafor.key.json"


def test_a_file_of_version_1_opens_and_is_carried_over_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "k"
    identity, reading, code = of_version_1(path)
    before = path.read_bytes()
    first = opened(path)
    assert path.read_bytes() == before, "reading changes nothing"
    assert first.readings[0].private_bytes_raw() == reading.private_bytes_raw()
    change(path, first, rotation_days=60)
    for again in (opened(path), unlock_by_code(path, code)):
        assert again.identity.private_bytes_raw() == identity.private_bytes_raw()
        assert again.reading.private_bytes_raw() == reading.private_bytes_raw()
        assert (again.rotation_days, len(again.epochs)) == (60, 1)
    fields = json.loads(path.read_text())
    assert fields["version"] == 2
    assert json.loads(before)["keys"] not in path.read_text()
    assert list(tmp_path.iterdir()) == [path], "no backup is left"
    assert read_statement(path)[0] == first.statement


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    made(path)
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "version": 3}))
    with pytest.raises(ServerError, match="newer Onebreath"):
        opened(path)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Dr Evil"},
        {"rotation_days": 31},
        {"colleagues": {"00" * 16: b64url(bytes(32))}},
        {"epochs": []},
        {"next": {}},
        {"endorsement": "AA"},
        {"identity": b64url(bytes(60))},
        {"mac": b64url(bytes(32))},
        {"mac": 1},
        {"more": 1},
        {"version": 1},
    ],
)
def test_nothing_in_the_file_can_be_changed_without_the_key(path: Path, change: dict[str, Any]) -> None:
    made(path)
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, **change}))
    with pytest.raises(ServerError, match="not a whole key file"):
        opened(path)


def test_a_full_disk_is_a_clear_error_and_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServerError, match="No space left"):
        change(path, first, rotation_days=5)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_two_programs_do_not_write_over_each_other(path: Path) -> None:
    first = made(path)
    change(path, first, rotation_days=5)
    with pytest.raises(ServerError, match="changed by another program"):
        change(path, first, rotation_days=6)
    assert opened(path).rotation_days == 5


def test_the_servers_passphrase_slot_is_under_a_secret_that_it_never_sees() -> None:
    key = secrets.token_bytes(32)
    fields = wrapping_slot(key, PASSPHRASE, parameters=Parameters(secrets.token_bytes(16)))
    assert parse_slot(fields).kind == "passphrase"
    assert open_wrapping_slot(fields, PASSPHRASE) == key
    with pytest.raises(WrongSecretError):
        open_wrapping_slot(fields, "some other words")
    with pytest.raises(SealError, match="weaker"):
        open_wrapping_slot({**fields, "memory_kib": 1024}, PASSPHRASE)
    with pytest.raises(SealError, match="more work"):
        open_wrapping_slot({**fields, "passes": 65}, PASSPHRASE)
    for changed in ({"passes": 4}, {"lanes": 5}, {"note": 1}):
        with pytest.raises(WrongSecretError):
            open_wrapping_slot({**fields, **changed}, PASSPHRASE)
    with pytest.raises(WrongSecretError):
        open_wrapping_slot({**fields, "kdf": "argon2id"}, PASSPHRASE)
    recovery, _ = recovery_slot(key)
    assert parse_slot(recovery).kind == "recovery"


def test_a_passkeys_slot_opens_with_its_own_secret_alone() -> None:
    key, prf = secrets.token_bytes(32), secrets.token_bytes(32)
    made = {"credential": secrets.token_bytes(64), "salt": secrets.token_bytes(32)}
    fields = passkey_slot(key, prf, **made)
    assert parse_slot(fields).kind == "passkey"
    assert open_passkey_slot(fields, prf) == key
    for changed in ({"credential": "AAAA"}, {"type": "recovery"}, {"kdf": "none"}, {"salt": "AA"}):
        with pytest.raises(WrongSecretError):
            open_passkey_slot({**fields, **changed}, prf)
    with pytest.raises(WrongSecretError):
        open_passkey_slot(fields, bytes(32))
