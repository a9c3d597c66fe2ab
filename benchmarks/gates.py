"""What the gates cost of an ingest.  usage: python -m benchmarks.gates [--records N]

The records are those of ``benchmarks.ingest``. Each ingest is a process of its own, in which the functions that judge are timed: what
is given is the CPU seconds, of all threads, between their call and their return, the import of Great Expectations included.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from benchmarks.ingest import edit_one_in_a_hundred, prepare, records

P = ParamSpec("P")
R = TypeVar("R")

GATES = {
    "the rules and checks of a lane": "pipelines.lane.assets.judge",
    "what the index should hold, from the tables": "pipelines.release.assets.expected_chunks",
    "the checks of the index": "pipelines.release.assets.check_index",
    "known items and golden sets": "pipelines.release.assets.evaluate_candidate",
    "the decision": "pipelines.release.publishing.decide",
}


def ingested(home: Path, models: Path) -> dict[str, float]:
    """CPU seconds of one ingest by gate, and under ``all`` of the whole process with those it waited for."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_ingested, home, models).result()


def _ingested(home: Path, models: Path) -> dict[str, float]:
    from pipelines.run import ingest
    from pipelines.workspace import LogProgress
    from search_index.settings import Settings

    spent: Counter[str] = Counter()
    for what, name in GATES.items():
        module, _, attribute = name.rpartition(".")
        holder = importlib.import_module(module)
        setattr(holder, attribute, _timed(getattr(holder, attribute), what, spent))
    quiet = LogProgress(lambda _: None)
    outcome = ingest(Settings(home=home, models=models), None, quiet, wait_s=0.0, say=lambda _: None)
    if not outcome.success or outcome.decision is None or outcome.decision.status != "published":
        raise RuntimeError(f"the ingest did not publish: {outcome.failures or outcome.decision}")
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {**spent, "all": sum(each.ru_utime + each.ru_stime for each in used)}


def _timed(function: Callable[P, R], what: str, spent: Counter[str]) -> Callable[P, R]:
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        began = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[what] += time.process_time() - began

    return timed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, help="take the first so many only")
    lines = records(parser.parse_args().records)
    with tempfile.TemporaryDirectory() as scratch:
        root, home, models = Path(scratch), Path(scratch, "home"), Path(scratch, "models")
        corpus = prepare(root, home, models, lines)
        first = ingested(home, models)
        edit_one_in_a_hundred(corpus, lines)
        changed = ingested(home, models)
    sys.stdout.write(f"| CPU-s | {len(lines):,} records, for the first time | one record in a hundred edited |\n|---|---|---|\n")
    for what in GATES:
        sys.stdout.write(f"| {what} | {first.get(what, 0.0):.1f} | {changed.get(what, 0.0):.1f} |\n")
    gates = [sum(of.get(what, 0.0) for what in GATES) for of in (first, changed)]
    sys.stdout.write(f"| **all gates** | {gates[0]:.1f} | {gates[1]:.1f} |\n")
    sys.stdout.write(f"| the whole ingest | {first['all']:.1f} | {changed['all']:.1f} |\n")
    shares = (gate / (of["all"] - gate) for gate, of in zip(gates, (first, changed), strict=True))
    sys.stdout.write("| gates, in percent of the rest | {:.1f} | {:.1f} |\n".format(*(100 * share for share in shares)))


if __name__ == "__main__":
    main()
