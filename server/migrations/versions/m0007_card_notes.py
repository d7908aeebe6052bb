"""What a clinician keeps of a part for their own eyes, sealed, beside its card."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Cards that were sent before have no note."""
    op.add_column("cards", sa.Column("note", sa.LargeBinary(32768), nullable=True))
