"""The full counts, written down.  usage: python -m benchmarks.qualify [--kills N]

Retrieval on every BEIR folder in ``../shared/data``, and an ingest killed at many random moments. Writes
``docs/qualification.md``: what was tried, how often, and what came of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "qualification.md"


def retrieval(dataset: Path) -> list[str]:
    """A table row for one collection."""
    command = [sys.executable, "-m", "plumbline.cli", "evaluate", "--dataset", str(dataset), "--json"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    scores = ", ".join(f"{mode} {values['ndcg@10']['value']:.3f}" for mode, values in found["modes"].items())
    with (dataset / "queries.jsonl").open() as queries:
        asked = sum(1 for _ in queries)
    return [f"Retrieval on {found['dataset']}, nDCG@10", f"{asked} queries", scores]


def kills(rounds: int) -> list[str]:
    """A table row for the ingest killed at random moments."""
    command = [sys.executable, "-m", "pytest", "-q", "--timeout", str(60 * rounds + 600), "tests/pipelines/test_kill.py"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PLUMBLINE_ROUNDS": str(rounds)}, check=False)
    came_of_it = "every one ended as the undisturbed run did" if done.returncode == 0 else "**failed**: see the test's output"
    return ["Ingest killed (SIGKILL) at a random moment, then run again", f"{rounds} kills", came_of_it]


def main() -> int:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    rows = [kills(parser.parse_args().kills)]
    rows += [retrieval(d) for d in sorted(DATA.glob("*")) if (d / "corpus.jsonl").is_file() and (d / "qrels.tsv").is_file()]
    lines = [
        f"# Qualification\n\nWritten by `make qualify` on {datetime.now(UTC):%Y-%m-%d}.\n",
        "| what was tried | how often | what came of it |",
    ]
    lines += ["|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows)]
    PAGE.write_text("\n".join(lines) + "\n")
    print(PAGE.read_text())
    return int(any("failed" in row[2] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
