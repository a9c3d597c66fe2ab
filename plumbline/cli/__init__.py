"""The command line: ``plumbline ingest``, ``search``, ``up`` and what operators need around them."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of ``plumbline``: runs the command on the command line and leaves with its exit code."""
    from plumbline.cli.runner import run

    sys.exit(run(sys.argv[1:]))
