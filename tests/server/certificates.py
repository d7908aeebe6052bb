"""Certificates for tests: self-signed, for one name or address, good for a day."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key


@dataclass(frozen=True)
class Certificate:
    """Two PEM files; the certificate is its own authority."""

    cert: Path
    key: Path
    serial: int


def certificate(folder: Path, host: str = "127.0.0.1", stem: str = "tls") -> Certificate:
    """A certificate for a host, written to `folder`."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    try:
        general: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        general = x509.DNSName(host)
    today = datetime.now(UTC)
    serial = x509.random_serial_number()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([general]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    files = Certificate(folder / f"{stem}.pem", folder / f"{stem}.key", serial)
    files.cert.write_bytes(made.public_bytes(encoding))
    files.key.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
