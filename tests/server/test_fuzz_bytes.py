"""Every parser of bytes and texts from outside, on anything: the documented errors, and no other.

What is drawn begins, half of the time, as something valid from tests/vectors that is then cut, spliced and
flipped, so that the search comes past the magic bytes. What is taken nevertheless must be whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import RefusedError, ServerError
from server.key_shapes import parse_slot
from server.key_slots import WrongSecretError, open_recovery_slot
from server.keyfile import read_statement, unlock, unlock_by_code
from server.nonces import make_nonce, nonce_expiry
from server.queries import span_in
from server.reader_memory import load_memory
from server.second_factor import open_secret, taken_step
from server.settings import database_url
from tests.server.server_rig import Rig
from voice.wire import (
    boxes,
    card_content,
    cards,
    content,
    encoding,
    endorsement,
    envelope,
    keys,
    pairing,
    requests,
    secrets,
    sharing,
)
from voice.wire.encoding import from_b64url
from voice.wire.errors import FrameError, SealError

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
SIGNER = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
READER = X25519PrivateKey.from_private_bytes(b"\x09" * 32)
IDENTITY = SIGNER.public_key()
FRAME_OR_SEAL = (FrameError, SealError)


def samples() -> list[bytes]:
    """Every binary value of the vectors, good and bad."""
    found: set[bytes] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)
        elif isinstance(value, str) and len(value) >= 60:
            try:
                found.add(from_b64url(value))
            except FrameError:
                found.add(value.encode("utf-8", "surrogatepass"))

    for path in sorted(VECTORS.glob("*.json")):
        walk(json.loads(path.read_text("ascii")))
    return sorted(found, key=lambda data: (len(data), data))


SAMPLES = samples()


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A valid thing, cut, spliced and flipped."""
    data = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 4)):
            case 0 if data:
                data[place] ^= draw(st.integers(1, 255))
            case 1:
                del data[place : place + draw(st.integers(1, 40))]
            case 2:
                data[place:place] = draw(st.binary(max_size=40))
            case 3:
                other = draw(st.sampled_from(SAMPLES))
                data[place:] = other[place:]
            case _:
                data[place : place + 8] = draw(
                    st.sampled_from([bytes(8), b"\xff" * 8, b"\x7f" + b"\xff" * 7])
                )
    return bytes(data)


ANYTHING = st.one_of(spoilt(), st.binary(max_size=600))

PARSERS: dict[str, tuple[Callable[[bytes], object], tuple[type[Exception], ...]]] = {
    "frame": (envelope.parse_frame, (FrameError,)),
    "statement": (keys.parse_statement, FRAME_OR_SEAL),
    "pinned statement": (lambda data: keys.verify_statement(data, bytes(32)), FRAME_OR_SEAL),
    "invitation": (pairing.parse_invitation, (FrameError,)),
    "signed invitation": (lambda data: pairing.verify_invitation(data, IDENTITY), FRAME_OR_SEAL),
    "opened invitation": (lambda data: pairing.open_invitation(data, IDENTITY, READER), FRAME_OR_SEAL),
    "approval": (lambda data: pairing.verify_approval(data, IDENTITY), FRAME_OR_SEAL),
    "content": (content.decode, (FrameError,)),
    "box": (boxes.parse_box, (FrameError,)),
    "mark": (boxes.decode_mark, (FrameError,)),
    "label": (boxes.decode_label, (FrameError,)),
    "card": (cards.parse_card, (FrameError,)),
    "card's content": (card_content.decode_card, (FrameError,)),
    "endorsement": (endorsement.parse_endorsement, FRAME_OR_SEAL),
    "share": (sharing.parse_share, (FrameError,)),
    "signed share": (lambda data: sharing.verify_share(data, IDENTITY), FRAME_OR_SEAL),
    "signing key": (encoding.signing_key, (FrameError,)),
    "agreement key": (encoding.agreement_key, (FrameError,)),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=ANYTHING)
@settings(deadline=None, max_examples=150)
def test_a_parser_of_bytes_raises_what_it_says(name: str, data: bytes) -> None:
    parse, allowed = PARSERS[name]
    with suppress(*allowed):
        parse(data)


@given(data=ANYTHING)
@settings(deadline=None, max_examples=300)
def test_what_is_taken_as_a_frame_is_whole_and_is_not_believed_for_that(data: bytes) -> None:
    try:
        frame = envelope.parse_frame(data)
    except FrameError:
        return
    assert len(data) == 128 + 96 * len(frame.recipients) + envelope.BUCKETS[data[7]]
    with pytest.raises(SealError):
        envelope.verify_frame(frame, IDENTITY)
    with pytest.raises(SealError):
        envelope.open_frame(frame, READER)


@given(data=ANYTHING)
@settings(deadline=None, max_examples=300)
def test_what_is_taken_as_content_has_that_one_spelling(data: bytes) -> None:
    try:
        noticing = content.decode(data)
    except FrameError:
        return
    assert content.encode(noticing) == data


PIECES = [
    *'onebreath=("@method" "@target-uri" "content-digest") ;created= ;keyid=" ;nonce=" ;tag=" device:'.split(
        " "
    ),
    *"clinician: 0123456789abcdef sha-256=: https:// http:// /pair/ # ? [ ] : @ % \u200b AAAA -_ ==".split(
        " "
    ),
    *"\n 9999999999999999999 localhost 127.0.0.1 ::1 after= before= limit= device= &".split(" "),
]
TEXTS = st.one_of(
    st.text(max_size=300),
    st.builds(
        "".join,
        st.lists(
            st.sampled_from(PIECES),
            max_size=20,
        ),
    ),
)


@given(text=TEXTS, size=st.none() | st.integers(0, 40))
@settings(deadline=None)
def test_base64url(text: str, size: int | None) -> None:
    try:
        data = from_b64url(text, size)
    except FrameError:
        return
    assert encoding.b64url(data) == text
    assert size in (None, len(data))


@given(text=TEXTS)
@settings(deadline=None, max_examples=300)
def test_links(text: str) -> None:
    try:
        link = pairing.Link.parse(text)
    except FrameError:
        return
    assert pairing.Link.parse(str(link)) == link


NAMES = st.sampled_from(
    ["Content-Digest", "Signature-Input", "Signature", "signature", "SIGNATURE-INPUT", "X"]
)
URLS = (
    st.sampled_from(["https://clinic.example/v1/device", "x", "", "http://[::1", "https://é/", "//"]) | TEXTS
)


@given(headers=st.dictionaries(NAMES, TEXTS), url=URLS, body=st.binary(max_size=30), now=st.integers())
@settings(deadline=None, max_examples=300)
def test_signed_headers(headers: dict[str, str], url: str, body: bytes, now: int) -> None:
    for parse in (
        lambda: requests.parse_parameters(headers),
        lambda: requests.verify_headers(IDENTITY, "GET", url, headers, body, now=now),
    ):
        with pytest.raises(FRAME_OR_SEAL):
            parse()


@given(
    url=URLS,
    method=st.sampled_from(["GET", "G T", "é", ""]),
    spoil=st.sampled_from(["Content-Digest", "Signature-Input", "Signature", ""]),
    extra=TEXTS,
)
@settings(deadline=None, max_examples=200)
def test_headers_that_were_signed_and_then_spoilt(url: str, method: str, spoil: str, extra: str) -> None:
    signed = requests.sign_headers(
        SIGNER,
        requests.device_key_id(bytes(16)),
        "GET",
        "https://clinic.example/v1/device",
        b"",
        created=5,
        nonce="n" * 16,
    )
    if spoil:
        signed[spoil] += extra
    try:
        requests.verify_headers(IDENTITY, method, url, signed, b"", now=5)
    except FRAME_OR_SEAL:
        return
    assert (method, extra if spoil else "") == ("GET", "")


@given(text=TEXTS, now=st.integers(0, 2**40))
@settings(deadline=None)
def test_nonces(text: str, now: int) -> None:
    assert nonce_expiry(text, bytes(32), now) is None
    mine = make_nonce(bytes(32), now, bytes(16))
    assert nonce_expiry(mine, bytes(32), now) == now + 300
    assert nonce_expiry(mine + text[:3], bytes(32), now) in (None, now + 300)
    assert nonce_expiry(mine, b"\x01" * 32, now) is None


@given(query=TEXTS)
@settings(deadline=None, max_examples=200)
def test_queries(query: str) -> None:
    try:
        span = span_in(query)
    except RefusedError:
        return
    assert 1 <= span.limit <= 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)
SLOT = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["passphrase", "recovery", "passkey"]) | JSON,
        "kdf": st.sampled_from(["argon2id-hkdf", "hkdf-sha256"]) | JSON,
        "passes": st.integers(-1, 100) | JSON,
        "memory_kib": st.integers() | JSON,
        "lanes": st.integers(0, 65) | JSON,
        "salt": st.sampled_from(["A" * 22, "A" * 43]) | JSON,
        "nonce": st.just("A" * 16) | JSON,
        "wrapped": st.just("A" * 64) | JSON,
        "credential": st.just("A" * 30) | JSON,
    },
)


@given(document=SLOT | JSON)
@settings(deadline=None, max_examples=300)
def test_key_slots(document: Any) -> None:
    try:
        slot = parse_slot(document)
    except FrameError:
        pass
    else:
        assert json.loads(slot.fields) == document
    if isinstance(document, dict):
        with pytest.raises(WrongSecretError):
            open_recovery_slot(document, "0" * 26)


@given(text=TEXTS | JSON.map(lambda value: json.dumps(value, allow_nan=True)))
@settings(deadline=None, max_examples=200)
def test_parameters_of_a_passphrase(text: str) -> None:
    try:
        found = secrets.parse_parameters(text)
    except FRAME_OR_SEAL:
        return
    assert found.text == text


KEY_FILES = SLOT.map(lambda slot: {"kind": "onebreath clinician key", "version": 2, "slots": [slot]})


@given(data=st.binary(max_size=200) | (JSON | KEY_FILES).map(lambda value: json.dumps(value).encode()))
@settings(deadline=None, max_examples=200)
def test_key_files_and_reader_notes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.key.json"
    path.write_bytes(data)
    for opened in (
        lambda: read_statement(path),
        lambda: unlock(path, "four unrelated kettle words"),
        lambda: unlock_by_code(path, "0" * 26),
    ):
        with pytest.raises(ServerError) as caught:
            opened()
        assert caught.value.remedy
    load_memory(path)


@given(code=TEXTS, sealed=st.binary(max_size=80), now=st.integers(0, 2**40))
@settings(deadline=None)
def test_codes_and_sealed_secrets(code: str, sealed: bytes, now: int) -> None:
    taken_step(bytes(20), code, now=now, last_step=0)
    assert open_secret(bytes(32), bytes(16), sealed) is None


@pytest.fixture(scope="module")
def fuzzed_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(database_url(str(tmp_path_factory.mktemp("hosts") / "server.db")))
    yield rig
    rig.close()


HOSTS = [
    "[::1",
    "]",
    "[",
    "a b",
    "x" * 5000,
    "exa\u00e9mple",
    "%",
    "a@b",
    "a:99999999",
    "//",
    "",
    "[v1.x]",
    "::",
]


def answers(rig: Rig, host: str, path: str) -> None:
    for method in ("GET", "POST"):
        headers = {"Host": host.encode("latin-1"), "Onebreath-Request": "1", "Origin": "http://x"}
        answer = rig.call(method, path, b"", headers)
        assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/v1/records?after=1", "/v1/device", "/v1/nonce"])
def test_a_host_that_is_none_is_no_fault(fuzzed_rig: Rig, host: str, path: str) -> None:
    answers(fuzzed_rig, host, path)


@pytest.mark.parametrize("host", ["[::1", "]", "["])
def test_a_host_that_is_none_is_no_fault_to_our_own_page(fuzzed_rig: Rig, host: str) -> None:
    answers(fuzzed_rig, host, "/v1/sign-in/start")
