"""An invited reader has no clinician yet: that is made when they set their account up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

READER = (
    "(role <> 'administrator' OR clinician_id IS NULL)"
    " AND (state <> 'active' OR role = 'administrator' OR clinician_id IS NOT NULL)"
)

CHECKS = {
    "reader": READER,
    "role": "role IN ('clinician', 'cover', 'administrator')",
    "state": "state IN ('invited', 'active', 'closed')",
}


def upgrade() -> None:
    """Only an active reader must have a clinician; an administrator has none, as before."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_accounts_reader"), "accounts", type_="check")
        op.create_check_constraint(op.f("ck_accounts_reader"), "accounts", READER)
        return
    # SQLite makes the table anew, and SQLAlchemy's version decides which checks it sees: they are said here.
    accounts = sa.Table("accounts", sa.MetaData(), autoload_with=op.get_bind())
    for old in [found for found in accounts.constraints if isinstance(found, sa.CheckConstraint)]:
        accounts.constraints.discard(old)
    for name, text in CHECKS.items():
        accounts.append_constraint(sa.CheckConstraint(text, name=op.f(f"ck_accounts_{name}")))
    with op.batch_alter_table("accounts", recreate="always", copy_from=accounts):
        pass
