"""Runs the migrations on the connection that `server.database` hands over."""

from __future__ import annotations

from alembic import context

from server.accounts_schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
with context.begin_transaction():
    context.run_migrations()
