"""What runs without a click: one job over everything, and a schedule an operator can turn on."""

from __future__ import annotations

import dagster as dg

INGEST = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.all(),
    description="Bring every source up to date and publish what passes its gates.",
)
EVERY_QUARTER_HOUR = dg.ScheduleDefinition(
    name="ingest_every_quarter_hour",
    job=INGEST,
    cron_schedule="*/15 * * * *",
    description="Looks at every source four times an hour; a source that did not change costs next to nothing.",
)
