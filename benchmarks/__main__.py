"""Measurements, one after the other.  usage: python -m benchmarks [NAME ...]"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

NAMES = (
    "embedding", "engine", "ingest", "growth", "memory", "load", "peers", "search_peers", "versions", "formats", "pdf", "pages", "labels",
    "tuning", "agentic",
)  # fmt: skip
QUICK = ("embedding", "engine")
"""What runs when nothing is named: the others take minutes each, and some want a folder (``python -m benchmarks.NAME --help``)."""


def main() -> int:
    """Run the measurements named on the command line, or the quick ones; each in a process of its own, so that none warms up another."""
    names = sys.argv[1:] or QUICK
    unknown = [name for name in names if importlib.util.find_spec(f"benchmarks.{name}") is None]
    if unknown:
        sys.stderr.write(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(NAMES)}.\n")
        return 2
    for name in names:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
