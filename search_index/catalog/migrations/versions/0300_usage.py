"""The query log, feedback and reviews."""

from __future__ import annotations

from alembic import op

from search_index.catalog.tables import feedback, metadata, queries, reviews

revision = "0300"
down_revision = "0200"


def upgrade() -> None:
    """Add what is not there: in a new catalog the first migration has made everything already."""
    metadata.create_all(op.get_bind(), tables=[queries, feedback, reviews])


def downgrade() -> None:
    """Take it away again."""
    metadata.drop_all(op.get_bind(), tables=[queries, feedback, reviews])
