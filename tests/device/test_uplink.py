"""The uplink against the real server, and against things that are not it."""

from __future__ import annotations

import hashlib
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.clinic_rig import Clinic, noticing, serving
from voice.adapters.identity import device_keys, load_pairing, renew_statement, save_pairing, sealer
from voice.adapters.uplink import HttpUplink, http_client
from voice.errors import PairingError
from voice.outbox import DeviceState, Receipt, Refused, UnreachableError
from voice.wire.keys import sign_statement


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    with serving(folder / "server.db") as url:
        yield Clinic(folder, url)


@pytest.fixture(scope="module")
def home(clinic: Clinic) -> Path:
    return clinic.device("uplink")


@pytest.fixture
def uplink(home: Path) -> Iterator[HttpUplink]:
    made = HttpUplink.of(home)
    yield made
    made.close()


def test_a_record_is_delivered_once_and_its_receipt_names_its_bytes(home: Path, uplink: HttpUplink) -> None:
    record_id = secrets.token_bytes(16)
    sealed = sealer(home)(noticing(0, "he", "yelled"), record_id, 1)
    first = uplink.send(record_id, sealed)
    assert isinstance(first, Receipt)
    assert first.sha256 == hashlib.sha256(sealed).digest()
    assert uplink.send(record_id, sealed) == first
    other = uplink.send(record_id, sealer(home)(noticing(0), record_id, 1))
    assert isinstance(other, Refused)
    assert other.status == 409
    spoilt = uplink.send(record_id, sealed[:-1])
    assert isinstance(spoilt, Refused)
    assert spoilt.status == 400


def test_a_wrong_clock_does_not_keep_a_record_back(home: Path) -> None:
    record_id = secrets.token_bytes(16)
    sealed = sealer(home)(noticing(0), record_id, 2)
    for clock in (0.0, -5.0, time.time() + 9e8):
        pairing = load_pairing(home)
        assert pairing is not None
        late = HttpUplink(pairing.server, device_keys(home), clock=lambda at=clock: at)  # type: ignore[misc]
        assert isinstance(late.send(record_id, sealed), Receipt)
        assert late.device_state() is DeviceState.ACTIVE
        late.close()


def test_S17_the_clinicians_decision_reaches_the_device(clinic: Clinic) -> None:
    home = clinic.device("paused")
    uplink = HttpUplink.of(home)
    device_id = device_keys(home).id
    record_id = secrets.token_bytes(16)
    sealed = sealer(home)(noticing(0), record_id, 1)
    with clinic.client() as client:
        for state in (DeviceState.PAUSED, DeviceState.DISCHARGED, DeviceState.ACTIVE, DeviceState.REVOKED):
            client.set_state(device_id, state.value)
            assert uplink.device_state() is state
            if state is not DeviceState.ACTIVE:
                answer = uplink.send(record_id, sealed)
                assert isinstance(answer, Refused)
                assert (answer.status, answer.code) == (403, state.value)
    uplink.close()


def test_nobody_listening_is_known_before_any_byte(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nobody = HttpUplink(f"http://127.0.0.1:{port}", device_keys(home))
    with pytest.raises(UnreachableError) as caught:
        nobody.send(bytes(16), b"sealed")
    assert caught.value.before_any_byte
    nobody.close()


@contextmanager
def strange_server(said: bytes) -> Iterator[str]:
    """Reads a request, says something, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            call, _ = listening.accept()
            with call:
                call.recv(65_536)
                call.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n<html>Welcome, guest</html>"[:-1],
        b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"record": "zz"}\n',
        b"HTTP/1.1 302 Found\r\nLocation: http://hotel.example/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 12\r\n\r\nbad request!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14000\r\n" + b"[" * 0x14000 + b"\r\n0\r\n\r\n",
    ],
)
def test_what_no_onebreath_server_says_is_no_answer(home: Path, said: bytes) -> None:
    with strange_server(said) as url:
        uplink = HttpUplink(url, device_keys(home))
        with pytest.raises(UnreachableError) as caught:
            uplink.send(bytes(16), b"sealed")
        assert not caught.value.before_any_byte
        uplink.close()


def test_a_server_that_always_asks_for_a_nonce_is_asked_twice_only(home: Path) -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.headers["Signature-Input"])
        return httpx.Response(401, json={"error": "clock", "message": "", "nonce": "n" * 22})

    uplink = HttpUplink(
        "https://clinic.example",
        device_keys(home),
        client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    refused = uplink.send(bytes(16), b"sealed")
    assert isinstance(refused, Refused)
    assert len(calls) == 2
    assert 'nonce="' + "n" * 22 in calls[1]


def test_no_redirect_is_followed() -> None:
    client = http_client()
    assert client.follow_redirects is False
    client.close()


def test_a_certificate_that_this_system_does_not_trust_gets_no_byte(home: Path, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "pem").write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            call, _ = listening.accept()
            with call, suppress(OSError), context.wrap_socket(call, server_side=True) as secure:
                received.append(secure.recv(65_536))

        thread = threading.Thread(target=answer)
        thread.start()
        uplink = HttpUplink(f"https://localhost:{listening.getsockname()[1]}", device_keys(home))
        with pytest.raises(UnreachableError, match="certificate") as caught:
            uplink.send(bytes(16), b"sealed")
        assert caught.value.before_any_byte
        thread.join()
        uplink.close()
    assert received in ([], [b""])


def test_an_unpaired_device_has_no_uplink(tmp_path: Path) -> None:
    with pytest.raises(PairingError, match="not paired"):
        HttpUplink.of(tmp_path)


def test_a_newer_reading_key_is_taken_and_an_older_one_never(clinic: Clinic, tmp_path: Path) -> None:
    home = clinic.device("renewed")
    pairing = load_pairing(home)
    assert pairing is not None

    def stated(epoch: int, issued_at: int) -> bytes:
        return sign_statement(
            clinic.clinician.identity,
            clinician_id=clinic.clinician.id,
            name="Dr Okafor",
            epoch=epoch,
            reading=clinic.clinician.reading.public_key(),
            issued_at=issued_at,
        )

    assert renew_statement(home, stated(3, 2_000_000_000))
    renewed = load_pairing(home)
    assert renewed is not None
    assert renewed.clinician.epoch == 3
    # The real server still shows the first statement: an older epoch, which the device refuses to follow.
    uplink = HttpUplink.of(home)
    with pytest.raises(UnreachableError, match="another clinician"):
        uplink.device_state()
    uplink.close()
    again = load_pairing(home)
    assert again is not None
    assert again.clinician.epoch == 3
    save_pairing(home, pairing)
