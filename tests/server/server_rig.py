"""What the server's tests share: a real app and database, a clinician, devices, a clock that is set."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from server.app import create_app
from server.settings import Settings
from voice.wire.encoding import b64url
from voice.wire.envelope import Recipient, seal_record
from voice.wire.keys import device_id, fingerprint, parse_statement, sign_statement
from voice.wire.pairing import Link, claim_token, device_proof, make_invitation, sign_approval
from voice.wire.requests import clinician_key_id, device_key_id, sign_headers

NOW = 1_790_000_000
ORIGIN = "http://127.0.0.1:8750"


@dataclass
class Clock:
    """Unix seconds; moves when a test moves it."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class Party:
    """Someone who signs requests."""

    key: Ed25519PrivateKey
    key_id: str


@dataclass(frozen=True)
class ClinicianParty(Party):
    """A clinician, with the private keys that only their own computer has."""

    clinician_id: bytes = b""
    reading: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @classmethod
    def new(cls) -> ClinicianParty:
        clinician_id = secrets.token_bytes(16)
        return cls(Ed25519PrivateKey.generate(), clinician_key_id(clinician_id), clinician_id)

    def statement(self, epoch: int = 1, name: str = "Dr Okafor") -> bytes:
        return sign_statement(
            self.key,
            clinician_id=self.clinician_id,
            name=name,
            epoch=epoch,
            reading=self.reading.public_key(),
            issued_at=NOW,
        )

    def link(self) -> Link:
        return Link(
            ORIGIN, secrets.token_bytes(16), secrets.token_bytes(16), fingerprint(self.key.public_key())
        )

    def invitation(self, link: Link, expires_at: int = NOW + 3600) -> bytes:
        return make_invitation(
            self.key,
            self.reading.public_key(),
            pairing_id=link.pairing_id,
            secret=link.secret,
            expires_at=expires_at,
        )

    def approval(self, device: DeviceParty) -> bytes:
        return sign_approval(self.key, device.signing, device.encryption, NOW)


@dataclass(frozen=True)
class DeviceParty(Party):
    """A device."""

    box: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    @classmethod
    def new(cls) -> DeviceParty:
        key = Ed25519PrivateKey.generate()
        return cls(key, device_key_id(device_id(key.public_key())))

    @property
    def device_id(self) -> bytes:
        return device_id(self.key.public_key())

    @property
    def signing(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def encryption(self) -> bytes:
        return self.box.public_key().public_bytes_raw()

    def claim(self, link: Link) -> dict[str, str]:
        proof = device_proof(link.secret, link.pairing_id, self.signing, self.encryption)
        return {
            "claim": b64url(claim_token(link.secret)),
            "signing": b64url(self.signing),
            "encryption": b64url(self.encryption),
            "proof": b64url(proof),
        }

    def record(self, clinician: ClinicianParty, sequence: int, record_id: bytes | None = None) -> bytes:
        return seal_record(
            b"a line",
            signer=self.key,
            device_id=self.device_id,
            record_id=record_id or secrets.token_bytes(16),
            sequence=sequence,
            recipients=[Recipient.of(clinician.reading.public_key())],
        )


class Rig:
    """One server, in this process, with one clinician added to it."""

    def __init__(self, url: str, *, public_url: str | None = None) -> None:
        self.clock = Clock()
        self.settings = Settings(url, public_url=public_url)
        self.app = create_app(self.settings, clock=self.clock)
        self.store = self.app.state.context.store
        self.clinician = self.add_clinician()

    def close(self) -> None:
        self.store.close()

    def add_clinician(self) -> ClinicianParty:
        clinician = ClinicianParty.new()
        self.store.add_clinician(clinician.clinician_id, clinician.statement(), now=self.clock())
        return clinician

    def send(self, *calls: tuple[str, str, bytes, Mapping[str, Any]]) -> list[httpx.Response]:
        """Make calls at the same time; `raise_app_exceptions` shows a fault as itself."""

        async def all_of_them() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await asyncio.gather(
                    *(client.request(m, path, content=body, headers=dict(h)) for m, path, body, h in calls)
                )

        return asyncio.run(all_of_them())

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        return self.send((method, path, body, headers or {}))[0]

    def headers(
        self,
        party: Party,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        created: int | None = None,
        nonce: str | None = None,
        origin: str = ORIGIN,
    ) -> dict[str, str]:
        return sign_headers(
            party.key,
            party.key_id,
            method,
            origin + path,
            body,
            created=self.clock() if created is None else created,
            nonce=nonce or secrets.token_urlsafe(18),
        )

    def signed(self, party: Party, method: str, path: str, body: bytes = b"", **how: Any) -> httpx.Response:
        return self.call(method, path, body, self.headers(party, method, path, body, **how))

    def asks(self, party: Party, method: str, path: str, document: object) -> httpx.Response:
        return self.signed(party, method, path, json.dumps(document).encode())

    def invite(self, clinician: ClinicianParty | None = None, expires_at: int = NOW + 3600) -> Link:
        clinician = clinician or self.clinician
        link = clinician.link()
        document = {"invitation": b64url(clinician.invitation(link, expires_at))}
        answer = self.asks(clinician, "POST", "/v1/invitations", document)
        assert answer.status_code == 201, answer.text
        return link

    def claim(self, link: Link, device: DeviceParty, **changes: str) -> httpx.Response:
        body = json.dumps({**device.claim(link), **changes}).encode()
        return self.call("POST", f"/v1/pairings/{b64url(link.pairing_id)}", body)

    def paired(self, clinician: ClinicianParty | None = None) -> DeviceParty:
        device = DeviceParty.new()
        answer = self.claim(self.invite(clinician), device)
        assert answer.status_code == 201, answer.text
        return device

    def deliver(self, device: DeviceParty, frame: bytes, **how: Any) -> httpx.Response:
        return self.signed(device, "PUT", record_path(frame), frame, **how)

    def set_state(self, device: DeviceParty, state: str) -> httpx.Response:
        path = f"/v1/devices/{device.device_id.hex()}/state"
        return self.asks(self.clinician, "PUT", path, {"state": state})


def record_path(frame: bytes) -> str:
    return f"/v1/records/{frame[24:40].hex()}"


def rotated(rig: Rig) -> ClinicianParty:
    """The rig's clinician with another reading key, which they have stated; the rig's from now on."""
    known = rig.store.clinician(rig.clinician.clinician_id)
    assert known is not None
    epoch = parse_statement(known.statement).epoch + 1
    newer = replace(rig.clinician, reading=X25519PrivateKey.generate())
    stated = {"statement": b64url(newer.statement(epoch))}
    answer = rig.asks(newer, "PUT", f"/v1/keys/{epoch}", stated)
    assert answer.status_code == 201, answer.text
    rig.clinician = newer
    return newer


def stale(answer: httpx.Response) -> None:
    """What was sealed to another reading key than the newest is refused."""
    refused(answer, 409, "stale_key")
    assert "onebreath keys rotate" in answer.json()["remedy"]


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """The answer is an error in the contract's shape, for people too."""
    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.text
    assert {"error", "message", "remedy"} <= answer.json().keys()
    assert answer.json()["message"].endswith(".")
    assert answer.headers["cache-control"] == "no-store"
