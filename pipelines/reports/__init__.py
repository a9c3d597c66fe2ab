"""What is looked at on a schedule and not at each change: drift, the weekly audit, the monthly evaluation. Nothing of it publishes."""
