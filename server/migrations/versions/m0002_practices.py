"""Practices and their policies, keys by epoch, cards, tombstones, marks, shares, and the audit chain.

Clinicians who were here before belong to one practice from now on, and their statement becomes the first of
their epochs that is kept.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; carry the clinicians over."""
    op.create_table(
        "practices",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("retention_days", sa.BigInteger(), nullable=True),
        sa.Column("rotation_days", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_practices"),
    )
    op.add_column("devices", sa.Column("outbox_depth", sa.BigInteger(), nullable=True))
    op.add_column("devices", sa.Column("label", sa.LargeBinary(2048), nullable=True))
    op.add_column("clinicians", sa.Column("practice_id", sa.LargeBinary(16), nullable=True))
    op.add_column("clinicians", sa.Column("endorsement", sa.LargeBinary(512), nullable=True))
    _into_one_practice(op.get_bind())
    with op.batch_alter_table("clinicians") as clinicians:
        clinicians.alter_column("practice_id", existing_type=sa.LargeBinary(16), nullable=False)
        clinicians.create_foreign_key("fk_clinicians_practice_id", "practices", ["practice_id"], ["id"])
    op.create_index("ix_clinicians_practice_id", "clinicians", ["practice_id"])
    op.create_table(
        "reading_keys",
        sa.Column("clinician_id", sa.LargeBinary(16), nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("statement", sa.LargeBinary(512), nullable=True),
        sa.Column("wrapped", sa.LargeBinary(512), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("shredded_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_reading_keys_clinician_id"),
        sa.PrimaryKeyConstraint("clinician_id", "epoch", name="pk_reading_keys"),
    )
    op.create_table(
        "key_slots",
        sa.Column("id", sa.LargeBinary(16), nullable=False),
        sa.Column("clinician_id", sa.LargeBinary(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("fields", sa.LargeBinary(2048), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_key_slots_clinician_id"),
        sa.PrimaryKeyConstraint("id", name="pk_key_slots"),
    )
    op.create_index("ix_key_slots_clinician_id", "key_slots", ["clinician_id"])
    op.create_table(
        "cards",
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("card_id", sa.LargeBinary(16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(65536), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_cards_device_id"),
        sa.PrimaryKeyConstraint("device_id", "card_id", name="pk_cards"),
    )
    op.create_table(
        "tombstones",
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
        sa.Column("clinician_id", sa.LargeBinary(16), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_tombstones_clinician_id"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_tombstones_device_id"),
        sa.PrimaryKeyConstraint("device_id", "record_id", name="pk_tombstones"),
        sa.UniqueConstraint("device_id", "sequence", name="uq_tombstones_device_id_sequence"),
    )
    op.create_index(
        "ix_tombstones_clinician_id_cursor", "tombstones", ["clinician_id", "cursor"], unique=True
    )
    op.create_table(
        "marks",
        sa.Column("clinician_id", sa.LargeBinary(16), nullable=False),
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(2048), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_marks_clinician_id"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name="fk_marks_device_id"),
        sa.PrimaryKeyConstraint("clinician_id", "device_id", "record_id", name="pk_marks"),
    )
    op.create_table(
        "shares",
        sa.Column("device_id", sa.LargeBinary(16), nullable=False),
        sa.Column("record_id", sa.LargeBinary(16), nullable=False),
        sa.Column("to_id", sa.LargeBinary(16), nullable=False),
        sa.Column("from_id", sa.LargeBinary(16), nullable=False),
        sa.Column("share", sa.LargeBinary(512), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id", "record_id"],
            ["records.device_id", "records.record_id"],
            name="fk_shares_device_id_record_id",
        ),
        sa.ForeignKeyConstraint(["from_id"], ["clinicians.id"], name="fk_shares_from_id"),
        sa.ForeignKeyConstraint(["to_id"], ["clinicians.id"], name="fk_shares_to_id"),
        sa.PrimaryKeyConstraint("device_id", "record_id", "to_id", name="pk_shares"),
    )
    op.create_index("ix_shares_to_id", "shares", ["to_id"])
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("practice_id", sa.LargeBinary(16), nullable=True),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("act", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    op.create_index("ix_audit_practice_id", "audit", ["practice_id"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("first_digest", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    nothing = b"\0" * 32
    op.execute(
        sa.text("INSERT INTO audit_head VALUES (1, 0, :digest, 1, :digest)").bindparams(
            sa.bindparam("digest", nothing, sa.LargeBinary(32))
        )
    )
    op.execute(
        "INSERT INTO reading_keys (clinician_id, epoch, statement, created_at) "
        "SELECT id, epoch, statement, created_at FROM clinicians"
    )


def _into_one_practice(connection: sa.Connection) -> None:
    first = connection.execute(sa.text("SELECT min(created_at) FROM clinicians")).scalar_one()
    if first is None:
        return
    practice = sa.bindparam("practice", secrets.token_bytes(16), sa.LargeBinary(16))
    insert = (
        "INSERT INTO practices (id, name, created_at, rotation_days) VALUES (:practice, 'Practice', :at, 30)"
    )
    connection.execute(sa.text(insert).bindparams(practice, at=first))
    connection.execute(sa.text("UPDATE clinicians SET practice_id = :practice").bindparams(practice))
