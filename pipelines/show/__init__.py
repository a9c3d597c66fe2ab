"""What an operator sees of a step in the Dagster UI: counts, rates, tables by id, and plots. Never text."""
