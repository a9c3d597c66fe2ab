"""The overlay: documents that may be read by fewer than releases say."""

from __future__ import annotations

from alembic import op

from search_index.catalog.tables import metadata, overlay, overlay_version

revision = "0400"
down_revision = "0300"


def upgrade() -> None:
    """Add what is not there: in a new catalog the first migration has made everything already."""
    metadata.create_all(op.get_bind(), tables=[overlay, overlay_version])


def downgrade() -> None:
    """Take it away again."""
    metadata.drop_all(op.get_bind(), tables=[overlay, overlay_version])
