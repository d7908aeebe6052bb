"""tests/vectors: what must hold holds, and what must be refused is refused at its own step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.vectors import make_vectors
from voice.wire import content, envelope, keys, pairing, requests
from voice.wire.encoding import from_b64url
from voice.wire.errors import ClockError, ContentError, FrameError, SealError

VECTORS = Path(__file__).resolve().parent.parent / "vectors"

Vector = dict[str, Any]


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("ascii"))


def each(vectors: list[Vector]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def reading_key(vector: Vector) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(from_b64url(vector["private"]))


def identity(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(from_b64url(text))


def test_the_vectors_are_those_that_the_script_makes() -> None:
    for name, vectors in make_vectors.everything().items():
        assert (VECTORS / name).read_text("ascii") == make_vectors.text(vectors), name


def record_step(vector: Vector) -> tuple[str, bytes]:
    try:
        frame = envelope.parse_frame(from_b64url(vector["frame"]))
    except FrameError:
        return "parse", b""
    try:
        envelope.verify_frame(frame, identity(vector["device"]))
    except SealError:
        return "verify", b""
    try:
        plaintext = envelope.open_frame(frame, reading_key(vector))
    except SealError:
        return "open", b""
    try:
        content.decode(plaintext)
    except ContentError:
        return "content", plaintext
    return "holds", plaintext


@pytest.mark.parametrize("vector", each(load("record.json")))
def test_records(vector: Vector) -> None:
    step, plaintext = record_step(vector)
    assert step == vector["expect"]
    if step == "holds":
        assert plaintext.decode() == vector["content"]


@pytest.mark.parametrize("vector", each(load("content.json")))
def test_contents(vector: Vector) -> None:
    try:
        noticing = content.decode(vector["text"].encode("utf-8", "surrogatepass"))
    except ContentError:
        assert vector["expect"] == "decode"
    else:
        assert vector["expect"] == "holds"
        assert content.encode(noticing).decode() == vector["text"]


@pytest.mark.parametrize("vector", each(load("statement.json")))
def test_statements(vector: Vector) -> None:
    try:
        keys.verify_statement(
            from_b64url(vector["statement"]),
            from_b64url(vector["fingerprint"]),
            at_least_epoch=vector["at_least_epoch"],
        )
        step = "holds"
    except FrameError:
        step = "parse"
    except SealError:
        step = "verify"
    assert step == vector["expect"]


PAIRING = load("pairing.json")


@pytest.mark.parametrize("vector", each(PAIRING["links"]))
def test_links(vector: Vector) -> None:
    if vector["expect"] == "parse":
        with pytest.raises(FrameError, match=r"^[A-Z].+\.$"):  # a sentence: it is for a person
            pairing.Link.parse(vector["link"])
        return
    link = pairing.Link.parse(vector["link"])
    assert link.pairing_id == from_b64url(PAIRING["pairing_id"])
    assert link.secret == from_b64url(PAIRING["secret"])
    assert link.fingerprint == from_b64url(PAIRING["fingerprint"])
    assert pairing.Link.parse(str(link)) == link
    assert PAIRING["secret"] not in repr(link)


def test_what_the_link_proves() -> None:
    secret, pairing_id = from_b64url(PAIRING["secret"]), from_b64url(PAIRING["pairing_id"])
    signing, encryption = from_b64url(PAIRING["signing"]), from_b64url(PAIRING["encryption"])
    proof = from_b64url(PAIRING["proof"])
    assert pairing.claim_token(secret) == from_b64url(PAIRING["claim"])
    assert pairing.device_proof(secret, pairing_id, signing, encryption) == proof
    assert pairing.check_device_proof(proof, secret, pairing_id, signing, encryption)
    assert not pairing.check_device_proof(proof, secret, pairing_id, encryption, signing)
    assert not pairing.check_device_proof(proof[:-1], secret, pairing_id, signing, encryption)
    assert not pairing.check_device_proof(proof, bytes(16), pairing_id, signing, encryption)


@pytest.mark.parametrize("vector", each(PAIRING["invitations"]))
def test_invitations(vector: Vector) -> None:
    data, reader = from_b64url(vector["invitation"]), from_b64url(PAIRING["reading_private"])
    clinician = identity(PAIRING["identity"])
    try:
        pairing.parse_invitation(data)
    except FrameError:
        assert vector["expect"] == "parse"
        return
    try:
        pairing.verify_invitation(data, clinician)
    except SealError:
        assert vector["expect"] == "verify"
        return
    try:
        opened = pairing.open_invitation(data, clinician, X25519PrivateKey.from_private_bytes(reader))
    except SealError:
        assert vector["expect"] == "open"
        return
    assert vector["expect"] == "holds"
    assert opened == (from_b64url(PAIRING["pairing_id"]), from_b64url(PAIRING["secret"]), 1_790_086_400)


@pytest.mark.parametrize("vector", each(PAIRING["approvals"]))
def test_approvals(vector: Vector) -> None:
    try:
        approval = pairing.verify_approval(from_b64url(vector["approval"]), identity(PAIRING["identity"]))
    except FrameError:
        assert vector["expect"] == "parse"
    except SealError:
        assert vector["expect"] == "verify"
    else:
        assert vector["expect"] == "holds"
        assert approval.signing == from_b64url(PAIRING["signing"])
        assert approval.encryption == from_b64url(PAIRING["encryption"])


@pytest.mark.parametrize("vector", each(load("requests.json")))
def test_signed_requests(vector: Vector) -> None:
    try:
        requests.verify_headers(
            identity(vector["public"]),
            vector["method"],
            vector["url"],
            vector["headers"],
            from_b64url(vector["body"]),
            now=vector["now"],
        )
        step = "holds"
    except FrameError:
        step = "parse"
    except ClockError:
        step = "clock"
    except SealError:
        step = "verify"
    assert step == vector["expect"]
