"""The tables of people who sign in: accounts, passkeys, challenges, sessions. Times are Unix seconds.

Nothing here opens a record. What a person types never reaches the server: `verifier` is a hash of a secret
that their browser derives from the passphrase beside, and apart from, the one that unwraps their keys.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from server.schema import Base, Clinician, Practice

__all__ = ["ACCOUNT_STATES", "ROLES", "Account", "Base", "Challenge", "Passkey", "Session"]

ROLES = ("clinician", "cover", "administrator")
ACCOUNT_STATES = ("invited", "active", "closed")


class Account(Base):
    """Someone who signs in. `clinician_id` is null until set-up, and for administrators, who read nothing."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint(f"role IN {ROLES!r}", name="role"),
        CheckConstraint(f"state IN {ACCOUNT_STATES!r}", name="state"),
        CheckConstraint(
            "(role <> 'administrator' OR clinician_id IS NULL)"
            " AND (state <> 'active' OR role = 'administrator' OR clinician_id IS NOT NULL)",
            name="reader",
        ),
    )

    id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    practice_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Practice.id), index=True)
    clinician_id: Mapped[bytes | None] = mapped_column(LargeBinary(16), ForeignKey(Clinician.id), unique=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    """What they sign in with, case-folded."""
    role: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[int] = mapped_column(BigInteger)
    setup_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """SHA-256 of the one-time token by which an invited person sets up their own secrets."""
    setup_expires_at: Mapped[int | None] = mapped_column(BigInteger)
    kdf: Mapped[bytes | None] = mapped_column(LargeBinary(512))
    """Argon2id parameters and salt of the passphrase, JSON, as the browser asked to keep them."""
    verifier: Mapped[bytes | None] = mapped_column(LargeBinary(128))
    recovery_verifier: Mapped[bytes | None] = mapped_column(LargeBinary(128))
    totp: Mapped[bytes | None] = mapped_column(LargeBinary(128))
    """The TOTP secret under the server's own key."""
    totp_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """The time step of the last code that was taken: none serves twice."""
    failures: Mapped[int] = mapped_column(BigInteger, default=0)
    locked_until: Mapped[int] = mapped_column(BigInteger, default=0)
    factor_reset_at: Mapped[int | None] = mapped_column(BigInteger)
    """When an asked-for change of the second factor takes effect."""
    email: Mapped[str | None] = mapped_column(String(254))
    quiet_from: Mapped[int | None] = mapped_column(BigInteger)
    """Quiet hours of notices, in minutes after midnight of `zone`."""
    quiet_to: Mapped[int | None] = mapped_column(BigInteger)
    zone: Mapped[str] = mapped_column(String(64), default="UTC")
    notice_waiting_since: Mapped[int | None] = mapped_column(BigInteger)
    noticed_at: Mapped[int | None] = mapped_column(BigInteger)


class Passkey(Base):
    """A WebAuthn credential."""

    __tablename__ = "passkeys"

    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1023), primary_key=True)
    account_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Account.id), index=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(1024))
    sign_count: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[int | None] = mapped_column(BigInteger)


class Challenge(Base):
    """A question that is answered once: a WebAuthn challenge, or the second step of a sign-in."""

    __tablename__ = "challenges"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[bytes | None] = mapped_column(LargeBinary(16), ForeignKey(Account.id))
    challenge: Mapped[bytes] = mapped_column(LargeBinary(64))
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)


class Session(Base):
    """A signed-in browser. Only the hash of its cookie is kept."""

    __tablename__ = "sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[bytes] = mapped_column(LargeBinary(16), ForeignKey(Account.id), index=True)
    factor: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True)
