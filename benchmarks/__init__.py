"""Measurements: side by side in one run, as ratios where the machine is shared."""
