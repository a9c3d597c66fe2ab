"""Freezes, overrides, pins, shadows and canaries; signed verdicts; what an override excused in a release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from search_index.catalog.tables import canaries, freezes, metadata, overrides, pins, shadow_answers, shadows

revision = "0002"
down_revision = "0001"

_TABLES = [freezes, overrides, pins, shadows, shadow_answers, canaries]
_COLUMNS = (("releases", sa.Column("overridden", sa.JSON)), ("verdicts", sa.Column("signature", sa.String(64))))


def upgrade() -> None:
    """Add what is not there: in a new catalog the first migration has made everything already."""
    connection = op.get_bind()
    metadata.create_all(connection, tables=_TABLES)
    for table, column in _COLUMNS:
        if column.name not in {c["name"] for c in sa.inspect(connection).get_columns(table)}:
            op.add_column(table, column.copy())


def downgrade() -> None:
    """Take it away again."""
    for table, column in _COLUMNS:
        op.drop_column(table, column.name)
    metadata.drop_all(op.get_bind(), tables=_TABLES)
