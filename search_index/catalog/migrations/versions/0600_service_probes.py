"""What probes of the running service found."""

from __future__ import annotations

from alembic import op

from search_index.catalog.tables import metadata, service_probes

revision = "0600"
down_revision = "0500"


def upgrade() -> None:
    """Add what is not there: in a new catalog the first migration has made everything already."""
    metadata.create_all(op.get_bind(), tables=[service_probes])


def downgrade() -> None:
    """Take it away again."""
    metadata.drop_all(op.get_bind(), tables=[service_probes])
