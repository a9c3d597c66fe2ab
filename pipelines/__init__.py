"""From sources to a release: Dagster assets, thin over plain functions."""
