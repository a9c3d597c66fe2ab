"""The command line: ``plumbline ingest``, ``search``, ``up`` and what operators need around them."""

from __future__ import annotations

import gc
import sys

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own 700 has the collector look again and again at what imports made, which stays: a twentieth of a small run's CPU time."""


def main() -> None:
    """Entry point of ``plumbline``: runs the command on the command line and leaves with its exit code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    from plumbline.cli.runner import run

    sys.exit(run(sys.argv[1:]))
