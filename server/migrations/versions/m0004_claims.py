"""Wrong claims of a pairing link are counted, for all workers alike."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count; the links that are there have none."""
    op.add_column(
        "invitations", sa.Column("wrong_claims", sa.BigInteger(), nullable=False, server_default="0")
    )
