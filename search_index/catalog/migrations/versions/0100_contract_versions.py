"""Contract versions; signed acceptances."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from search_index.catalog.tables import contract_versions, metadata

revision = "0100"
down_revision = "0002"


def upgrade() -> None:
    """Add what is not there: in a new catalog the first migration has made everything already."""
    connection = op.get_bind()
    metadata.create_all(connection, tables=[contract_versions])
    if "signature" not in {column["name"] for column in sa.inspect(connection).get_columns("changes")}:
        op.add_column("changes", sa.Column("signature", sa.String(64)))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("changes", "signature")
    metadata.drop_all(op.get_bind(), tables=[contract_versions])
