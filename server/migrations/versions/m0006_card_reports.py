"""With each card, the newest sealed report of how its enrolment goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the report, its number and when it came; the cards that are there have none."""
    op.add_column("cards", sa.Column("report", sa.LargeBinary(4096), nullable=True))
    op.add_column("cards", sa.Column("report_number", sa.BigInteger(), nullable=True))
    op.add_column("cards", sa.Column("reported_at", sa.BigInteger(), nullable=True))
