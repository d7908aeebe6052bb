"""The first schema: clinicians, invitations, devices, records, nonces, server keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "clinicians",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("identity", sa.LargeBinary(32), nullable=False),
        sa.Column("statement", sa.LargeBinary(512), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_cursor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clinicians"),
        sa.UniqueConstraint("identity", name="uq_clinicians_identity"),
    )
    op.create_table(
        "invitations",
        sa.Column("pairing_id", sa.LargeBinary(16), nullable=False),
        sa.Column("clinician_id", sa.LargeBinary(16), nullable=False),
        sa.Column("invitation", sa.LargeBinary(512), nullable=False),
        sa.Column("claim_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pairing_id", name="pk_invitations"),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_invitations_clinician_id"),
    )
    op.create_index("ix_invitations_clinician_id", "invitations", ["clinician_id"])
    op.create_table(
        "devices",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("clinician_id", sa.LargeBinary(16), nullable=False),
        sa.Column("pairing_id", sa.LargeBinary(16), nullable=False),
        sa.Column("signing", sa.LargeBinary(32), nullable=False),
        sa.Column("encryption", sa.LargeBinary(32), nullable=False),
        sa.Column("proof", sa.LargeBinary(32), nullable=False),
        sa.Column("approval", sa.LargeBinary(512), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_devices_clinician_id"),
        sa.ForeignKeyConstraint(["pairing_id"], ["invitations.pairing_id"], name="fk_devices_pairing_id"),
        sa.UniqueConstraint("pairing_id", name="uq_devices_pairing_id"),
        sa.CheckConstraint(
            "state IN ('active', 'paused', 'discharged', 'revoked')", name=op.f("ck_devices_state")
        ),
    )
    op.create_index("ix_devices_clinician_id", "devices", ["clinician_id"])
    op.create_table(
        "records",
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
        sa.Column("clinician_id", sa.LargeBinary(16), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("frame", sa.LargeBinary(65536), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "record_id", name="pk_records"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_records_device_id"),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_records_clinician_id"),
        sa.UniqueConstraint("device_id", "sequence", name="uq_records_device_id_sequence"),
    )
    op.create_index("ix_records_clinician_id_cursor", "records", ["clinician_id", "cursor"], unique=True)
    op.create_table(
        "used_nonces",
        sa.Column("nonce", sa.String(256), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name="pk_used_nonces"),
    )
    op.create_index("ix_used_nonces_expires_at", "used_nonces", ["expires_at"])
    op.create_table(
        "server_keys",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_server_keys"),
    )
