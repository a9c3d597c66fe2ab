"""API keys, and when they were last used."""

from __future__ import annotations

from alembic import op

from search_index.catalog.tables import api_key_uses, api_keys, metadata

revision = "0200"
down_revision = "0100"


def upgrade() -> None:
    """Add what is not there: in a new catalog the first migration has made everything already."""
    metadata.create_all(op.get_bind(), tables=[api_keys, api_key_uses])


def downgrade() -> None:
    """Take it away again."""
    metadata.drop_all(op.get_bind(), tables=[api_keys, api_key_uses])
