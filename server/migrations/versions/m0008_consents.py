"""What was agreed with each client, sealed by its clinician, every version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table of its own; clients that are there have none."""
    op.create_table(
        "consents",
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(32768), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_consents_device_id_devices")),
        sa.PrimaryKeyConstraint("device_id", "version", name=op.f("pk_consents")),
    )
