"""Does taking a question apart find more than one search?  usage: python -m benchmarks.agentic [--home HOME] [FOLDER]

FOLDER (``../shared/data/sec-10-q`` beside the checkout) has ``docs``, ``questions.jsonl`` and ``qrels_docs.tsv``, which judges whole
documents. HOME is a home that has ``docs`` ingested as its one source; without it they are ingested into one that is thrown away.

Every way of asking gives the same number of passages. Recall is the share of a question's judged documents that any of them is of, mean
over the questions; beside it how many of the figures that stand in the known answer also stand in the passages, which a document's first
page does not earn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.command import plumbline
from retrieval_service.agent.executing import explore
from retrieval_service.agent.searching import Searches
from search_index.deadline import NEVER
from search_index.home import Home, LoadedRelease, open_release
from search_index.model.agent import AgentRequest
from search_index.model.search import Hit, Principal, SearchAnswer, SearchRequest
from search_index.settings import Settings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "sec-10-q"
DIVERSITIES = (0.0, 0.3, 0.5, 0.7)
GROUP_SIZES = (0, 1, 2, 3)
"""Passages of one document that a grouped search gives; 0: not grouped."""
_FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True)
class Question:
    """One question, the stems of the documents judged relevant, and the figures of its answer."""

    text: str
    relevant: frozenset[str]
    figures: frozenset[str]


@dataclass(frozen=True)
class Found:
    """What one way of asking found: for each question its recall, the share of figures (nan where it has none), and milliseconds."""

    recall: np.ndarray
    figures: np.ndarray
    took_ms: np.ndarray


def questions_in(folder: Path) -> list[Question]:
    """Those of a folder that have a judged document."""
    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels_docs.tsv").read_text().splitlines()[1:]:
        query, document, _ = line.split("\t")
        relevant.setdefault(query, set()).add(document)
    asked = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    return [
        Question(each["text"], frozenset(relevant[each["_id"]]), frozenset(_FIGURE.findall(each["answer"])))
        for each in asked
        if each["_id"] in relevant
    ]


def measured(questions: Sequence[Question], ask: Callable[[str], list[Hit]]) -> Found:
    """Ask every question; the first is asked once before, so that nothing is measured that only the first pays."""
    ask(questions[0].text)
    recall, figures, took_ms = [], [], []
    for question in questions:
        began = time.perf_counter()
        hits = ask(question.text)
        took_ms.append((time.perf_counter() - began) * 1e3)
        documents = {Path(hit.uri.partition(":")[2]).stem for hit in hits}
        recall.append(len(documents & question.relevant) / len(question.relevant))
        text = "\n".join(hit.text for hit in hits)
        figures.append(np.mean([figure in text for figure in question.figures]) if question.figures else np.nan)
    return Found(np.array(recall), np.array(figures), np.array(took_ms))


def single(loaded: LoadedRelease, diversity: float, group_size: int, limit: int) -> Callable[[str], list[Hit]]:
    """One hybrid search, cut to ``limit`` passages."""

    def ask(question: str) -> list[Hit]:
        request = SearchRequest(
            query=question,
            limit=limit,
            diversity=diversity,
            group_by="document" if group_size else None,
            group_size=group_size or 1,
        )
        return loaded.searcher.search(request, loaded.ref, Principal()).hits[:limit]

    return ask


def agentic(loaded: LoadedRelease, limit: int, steps: list[int]) -> Callable[[str], list[Hit]]:
    """The agent without a language model, each of its searches made in this process; ``steps`` gathers how many they were."""

    async def search(request: SearchRequest) -> SearchAnswer:
        return loaded.searcher.search(request, loaded.ref, Principal())

    def ask(question: str) -> list[Hit]:
        searches = Searches(AgentRequest(query=question, limit=limit), search, NEVER)
        found = asyncio.run(explore(searches, loaded.searcher.count_tokens))
        steps.append(searches.asked)
        return found.hits

    return ask


def row(*cells: object) -> None:
    """One line of the table, as soon as it is known."""
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


def told(name: str, found: Found, questions: Sequence[Question]) -> None:
    """A way of asking as a line."""
    one = np.array([len(question.relevant) == 1 for question in questions])
    halves = [f"{found.recall[half].mean():.3f}" for half in (slice(0, None, 2), slice(1, None, 2))]
    row(
        name,
        f"{found.recall.mean():.3f}",
        *(f"{found.recall[which].mean():.3f}" if which.any() else "" for which in (one, ~one)),
        *halves,
        f"{np.nanmean(found.figures):.3f}",
        f"{np.percentile(found.took_ms, 50):.0f}",
        f"{np.percentile(found.took_ms, 95):.0f}",
    )


def compare(loaded: LoadedRelease, questions: Sequence[Question], limit: int) -> None:
    """Every single search, then the agent, with ``limit`` passages each."""
    sys.stdout.write(f"\n{len(questions)} questions, {limit} passages each\n\n")
    row("way of asking", "recall", "one document", "several", "odd", "even", "figures", "p50 ms", "p95 ms")
    row(*["---"] * 9)
    best: dict[str, float] = {}
    for group_size in GROUP_SIZES:
        for diversity in DIVERSITIES:
            grouped = f"by document, {group_size} each" if group_size else "plain"
            name = f"{grouped}, diversity {diversity}"
            found = measured(questions, single(loaded, diversity, group_size, limit))
            told(name, found, questions)
            best[name] = float(found.recall.mean())
    steps: list[int] = []
    agents = measured(questions, agentic(loaded, limit, steps))
    told("agent", agents, questions)
    name = max(best, key=lambda each: best[each])
    mean = float(agents.recall.mean())
    sys.stdout.write(
        f"\nbest single search: {name}, {best[name]:.4f}; agent {mean:.4f}, {mean / best[name]:.3f} times as much"
        f" (all there is would be {1 / best[name]:.3f} times); searches a question: {np.mean(steps):.1f}, at most {max(steps)}\n"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=DATA)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--passages", type=int, nargs="*", default=(10, 5))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root: Path = arguments.home or Path(scratch) / "home"
        if arguments.home is None:
            plumbline(root, root / "models", "ingest", str(arguments.folder / "docs"))
        home = Home(Settings(home=root))
        loaded = open_release(home, home.catalog.resolve(None))
        for limit in arguments.passages:
            compare(loaded, questions_in(arguments.folder), limit)
        loaded.close()
        home.catalog.close()


if __name__ == "__main__":
    main()
