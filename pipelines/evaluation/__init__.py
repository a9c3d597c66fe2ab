"""Measuring a candidate, and learning how to rank from what was judged."""
