"""Queries know the tenant of whoever asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0500"
down_revision = "0400"


def upgrade() -> None:
    """Add what is not there: in a new catalog the first migration has made everything already."""
    if "tenant" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("queries")}:
        op.add_column("queries", sa.Column("tenant", sa.String(64), nullable=False, server_default="default"))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("queries", "tenant")
