"""What a passphrase becomes, by vectors that others wrote (RFC 9106) and by our own, good and bad."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from tests.vectors import make_secrets_vectors as vectors
from voice.wire.encoding import from_b64url, signing_key
from voice.wire.errors import FrameError, SealError
from voice.wire.secrets import (
    LEAST,
    MOST,
    Parameters,
    derive,
    parse_parameters,
    recovery_sign_in,
    sign_set_up,
    verify_set_up,
)

VECTORS: dict[str, Any] = json.loads(vectors.PLACE.read_text("utf-8"))
KINDS = {"malformed": FrameError, "weak": SealError, "absurd": SealError}


def test_the_committed_vectors_are_what_the_script_makes() -> None:
    assert vectors.PLACE.read_text("utf-8") == vectors.text()


def test_rfc_9106_section_5_3() -> None:
    """Argon2id's own vector, for the primitive that all rests on."""
    made = Argon2id(
        salt=b"\x02" * 16,
        length=32,
        iterations=3,
        lanes=4,
        memory_cost=32,
        ad=b"\x04" * 12,
        secret=b"\x03" * 8,
    ).derive(b"\x01" * 32)
    assert made.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


@pytest.mark.parametrize("vector", VECTORS["passphrases"], ids=lambda one: one["parameters"][:90])
def test_every_vector(vector: dict[str, str]) -> None:
    if vector["expect"] != "holds":
        with pytest.raises(KINDS[vector["expect"]]):
            parse_parameters(vector["parameters"])
        return
    own = derive(vector["passphrase"], parse_parameters(vector["parameters"]))
    assert own.sign_in == from_b64url(vector["sign_in"], 32)
    assert own.wrapping == from_b64url(vector["wrapping"], 32)


def test_the_same_words_from_another_keyboard() -> None:
    one, same = VECTORS["passphrases"][1:3]
    assert one["passphrase"] != same["passphrase"]
    assert (one["sign_in"], one["wrapping"]) == (same["sign_in"], same["wrapping"])


def test_the_recovery_code_and_the_proof_of_set_up() -> None:
    code = from_b64url(VECTORS["recovery"]["code"], 16)
    assert recovery_sign_in(code) == from_b64url(VECTORS["recovery"]["sign_in"], 32)
    said = {name: from_b64url(value) for name, value in VECTORS["set_up"].items()}
    identity = signing_key(said["identity"])
    verify_set_up(identity, said["token"], said["statement"], said["proof"])
    for token, statement, proof in (
        (b"x" * 32, said["statement"], said["proof"]),
        (said["token"], said["statement"] + b".", said["proof"]),
        (said["token"], said["statement"], bytes(64)),
    ):
        with pytest.raises(SealError):
            verify_set_up(identity, token, statement, proof)
    with pytest.raises(FrameError):
        verify_set_up(identity, said["token"], said["statement"], said["proof"][:63])
    other = sign_set_up(Ed25519PrivateKey.generate(), said["token"], said["statement"])
    with pytest.raises(SealError):
        verify_set_up(identity, said["token"], said["statement"], other)


def test_a_client_derives_nothing_at_a_cost_it_refuses() -> None:
    """A hostile server cannot have a cheap hash sent to it, whichever way the parameters came."""
    for parameters in (
        Parameters(bytes(16), passes=2),
        Parameters(bytes(16), memory_kib=8),
        Parameters(bytes(16), lanes=1),
        Parameters(bytes(16), memory_kib=2**31),
    ):
        with pytest.raises(SealError):
            derive("x", parameters)
    with pytest.raises(ValueError, match="salt"):
        derive("x", Parameters(b"short"))
    assert parse_parameters(LEAST.text) == LEAST
    assert parse_parameters(MOST.text) == MOST


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_taken_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(FrameError, SealError):
        assert parse_parameters(text).text == text
