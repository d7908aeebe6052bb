"""Signed requests: the RFC's own vector, and an independent library that takes ours."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

from tests.wire import wire_reference as ref
from voice.wire.requests import device_key_id, parse_parameters, sign_headers, signature_base, verify_headers

KEY = ref.signing("device")
KEY_ID = device_key_id(ref.short(ref.raw(KEY)))
URL = "https://clinic.example/v1/records/" + "0" * 32


@dataclass
class Message:
    """A request, as the independent library reads it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


def resolver() -> MappingKeyResolver:
    return MappingKeyResolver(public_keys={KEY_ID: KEY.public_key()}, private_keys={KEY_ID: KEY})


def test_rfc_9421_appendix_b_2_6() -> None:
    """The key is B.1.4's; Ed25519 is deterministic, so that the signature is the RFC's to the byte."""
    private = Ed25519PrivateKey.from_private_bytes(
        base64.urlsafe_b64decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU=")
    )
    assert private.public_key().public_bytes_raw() == base64.urlsafe_b64decode(
        "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs="
    )
    base = signature_base(
        [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ],
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"',
    )
    assert base64.b64encode(private.sign(base)).decode() == (
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )


def test_an_independent_library_takes_our_signature() -> None:
    now = int(time.time())
    headers = sign_headers(KEY, KEY_ID, "PUT", URL, b"sealed", created=now, nonce="n" * 16)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=resolver())
    results = verifier.verify(
        Message("PUT", URL, headers),
        expect_tag="onebreath",
        require_components=("@method", "@target-uri", "content-digest"),
        body=b"sealed",
    )
    assert [result.nonce for result in results] == ["n" * 16]


def test_we_take_an_independent_library_s_signature() -> None:
    now = int(time.time())
    own = sign_headers(KEY, KEY_ID, "PUT", URL, b"sealed", created=now, nonce="n" * 16)
    message = Message("PUT", URL, {"Content-Digest": own["Content-Digest"]})
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=resolver()).sign(
        message,
        key_id=KEY_ID,
        created=datetime.fromtimestamp(now, UTC),
        nonce="n" * 16,
        tag="onebreath",
        label="onebreath",
        include_alg=False,
        covered_component_ids=("@method", "@target-uri", "content-digest"),
        use_existing_digest=True,
    )
    assert message.headers["Signature"] == own["Signature"]
    assert message.headers["Signature-Input"] == own["Signature-Input"]
    verify_headers(KEY.public_key(), "PUT", URL, message.headers, b"sealed", now=now)


def test_parameters_come_back() -> None:
    headers = sign_headers(KEY, KEY_ID, "GET", URL, b"", created=5, nonce="n" * 16)
    parameters = parse_parameters(headers)
    assert (parameters.created, parameters.key_id, parameters.nonce) == (5, KEY_ID, "n" * 16)
    assert json.dumps(headers).isascii()


@pytest.mark.parametrize(
    ("key_id", "nonce", "created", "url"),
    [
        ("device:1", "n" * 16, 1, URL),
        (KEY_ID, "short", 1, URL),
        (KEY_ID, 'n"; x="' + "n" * 16, 1, URL),
        (KEY_ID, "n" * 16, -1, URL),
        (KEY_ID, "n" * 16, 1, "/v1/device"),
        (KEY_ID, "n" * 16, 1, "https://clinic.example/é"),
    ],
)
def test_what_does_not_fit_the_profile_is_our_own_mistake(
    key_id: str, nonce: str, created: int, url: str
) -> None:
    with pytest.raises(ValueError, match=r"."):
        sign_headers(KEY, key_id, "GET", url, b"", created=created, nonce=nonce)
