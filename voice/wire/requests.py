"""Signed requests: one strict profile of RFC 9421, over an RFC 9530 digest (FORMAT.md section 6).

Our own, because the profile is one fixed line: nothing is parsed that we would then refuse, and the time is
an argument. `http-message-signatures`, which reads the wall clock while it verifies, checks it in the tests.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from voice.wire.errors import ClockError, FrameError, SealError

__all__ = [
    "ClockError",
    "Parameters",
    "clinician_key_id",
    "device_key_id",
    "parse_parameters",
    "sign_headers",
    "signature_base",
    "target_uri",
    "verify_headers",
]

LABEL: Final = "onebreath"
TAG: Final = "onebreath"
WINDOW_S: Final = 300
_COVERED: Final = '("@method" "@target-uri" "content-digest")'
_INPUT: Final = re.compile(
    re.escape(f"{LABEL}={_COVERED}") + r";created=(0|[1-9]\d{0,14})"
    r';keyid="((?:device|clinician):[0-9a-f]{32})"'
    r';nonce="([A-Za-z0-9_-]{16,128})"' + re.escape(f';tag="{TAG}"'),
    re.ASCII,
)
_SIGNATURE: Final = re.compile(re.escape(LABEL) + r"=:([A-Za-z0-9+/]{86}==):", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Parameters:
    """What a request says of its own signature; unverified. `created` is in Unix seconds."""

    created: int
    key_id: str
    nonce: str


def device_key_id(device_id: bytes) -> str:
    """The `keyid` of a device's requests."""
    return f"device:{device_id.hex()}"


def clinician_key_id(clinician_id: bytes) -> str:
    """The `keyid` of requests signed with a clinician's identity key."""
    return f"clinician:{clinician_id.hex()}"


def sign_headers(
    private: Ed25519PrivateKey, key_id: str, method: str, url: str, body: bytes, *, created: int, nonce: str
) -> dict[str, str]:
    """The three headers that sign one request.

    `created` is in Unix seconds; `nonce` is 16 to 128 of the characters A-Z a-z 0-9 - _.
    Raises ValueError when an argument does not fit the profile.
    """
    signature_input = f'{LABEL}={_COVERED};created={created};keyid="{key_id}";nonce="{nonce}";tag="{TAG}"'
    if not _INPUT.fullmatch(signature_input):
        raise ValueError("the key id, nonce or time does not fit the profile")
    digest = _content_digest(body)
    signature = private.sign(_base(method, url, digest, signature_input))
    return {
        "Content-Digest": digest,
        "Signature-Input": signature_input,
        "Signature": f"{LABEL}=:{base64.b64encode(signature).decode('ascii')}:",
    }


def parse_parameters(headers: Mapping[str, str]) -> Parameters:
    """What the request says of its signature, unverified: to find the key. Raises FrameError."""
    match = _INPUT.fullmatch(_header(headers, "signature-input"))
    if match is None:
        raise FrameError("the request's Signature-Input is not of this profile")
    return Parameters(int(match[1]), match[2], match[3])


def verify_headers(
    public: Ed25519PublicKey,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: int,
    window_s: int = WINDOW_S,
) -> None:
    """Check one request: its digest, then its signature, then its time.

    `url` is the one that the caller was to use; `now` is in Unix seconds. Header names may be in any case.
    Raises FrameError when a header is missing or malformed, SealError when the digest or the signature does
    not hold, and ClockError when both hold and only `created` is outside the window.
    """
    parameters = parse_parameters(headers)
    digest = _header(headers, "content-digest")
    signature = _SIGNATURE.fullmatch(_header(headers, "signature"))
    if signature is None:
        raise FrameError("the request's Signature is not of this profile")
    if digest != _content_digest(body):
        raise SealError("the request's content is not what its digest says")
    try:
        base = _base(method, url, digest, _header(headers, "signature-input"))
    except ValueError as error:
        raise FrameError("the request's method or URL cannot be signed") from error
    try:
        public.verify(base64.b64decode(signature[1], validate=True), base)
    except (InvalidSignature, binascii.Error) as error:
        raise SealError("the request's signature does not hold") from error
    if abs(now - parameters.created) > window_s:
        raise ClockError("the request was signed at another time")


def target_uri(url: str) -> str:
    """`url` as both sides sign it: scheme and host in lower case, no default port, no fragment, a path."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("a request goes to an http or https URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{port}{parts.path or '/'}{query}"


def signature_base(components: Sequence[tuple[str, str]], parameters: str) -> bytes:
    """The bytes that are signed (RFC 9421 section 2.5): a line for each component, then parameters."""
    lines = [f'"{name}": {value}' for name, value in components]
    lines.append(f'"@signature-params": {parameters}')
    return "\n".join(lines).encode("ascii")


def _base(method: str, url: str, digest: str, signature_input: str) -> bytes:
    components = [("@method", method), ("@target-uri", target_uri(url)), ("content-digest", digest)]
    return signature_base(components, signature_input.removeprefix(f"{LABEL}="))


def _content_digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode('ascii')}:"


def _header(headers: Mapping[str, str], name: str) -> str:
    values = [value for key, value in headers.items() if key.lower() == name]
    if len(values) != 1:
        raise FrameError(f"the request has {len(values)} {name} headers, not one")
    return values[0]
