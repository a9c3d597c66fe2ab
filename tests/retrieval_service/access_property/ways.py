"""All ways of asking: each draws one request, so that a thousand draws ask a thousand different things."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue as Json

from tests.retrieval_service.access_property.worlds import NAMES, RELEASES, SOURCES, Corpus
from tests.search_index.engine.points import WORDS, Passage

Body = dict[str, Json]
FACETS: Final = ("source", "modified_at.year", "metadata.kind", "metadata.only", "metadata.size")
ORDINARY: Final = ("hybrid", "dense", "sparse", "lexical")


@dataclass(frozen=True)
class Asked:
    """One request. ``needs`` are the scopes that it takes; ``revision`` is the release it is about."""

    way: str
    method: str
    path: str
    body: Body | None
    needs: frozenset[str]
    revision: int = RELEASES
    tool: str | None = None

    @property
    def said(self) -> Json:
        """All that whoever asks has said."""
        return [self.path, self.body]


@dataclass(frozen=True)
class Drawing:
    """Draws from a corpus, of everybody's documents."""

    draw: random.Random
    corpus: Corpus

    def passage(self) -> Passage:
        return self.draw.choice(self.corpus.everything)

    def query(self) -> str:
        passage = self.passage()
        mark = passage.text.split()[-1]
        words = " ".join(self.draw.choices(WORDS, k=3))
        return self.draw.choice([f"golden {words}", words, passage.text, passage.text.split()[-2], mark, passage.path, "golden"])

    def question(self) -> str:
        """For an agent: of names, times and parts."""
        names = [self.passage().text.split()[-1] for _ in range(2)]
        shapes = [
            "How did the golden release of {0} compare with {1} in 2020?",
            "What is the latest golden gate of {0}?",
            "What do {2} and {3} say of the pointer, and which gate is of kind1?",
            "how did the golden chunk change over time",
            "What was golden in {0}, and what of {1}?",
        ]
        return self.draw.choice(shapes).format(*names, *(f"{name}_{self.draw.randrange(SOURCES)}" for name in NAMES.values()))

    def filters(self) -> Body:
        draw, found = self.draw, Body()
        if draw.random() < 0.2:
            found["sources"] = [f"{draw.choice(list(NAMES.values()))}_{draw.randrange(SOURCES)}" for _ in range(draw.randint(1, 3))]
        if draw.random() < 0.12:
            found["documents"] = [draw.choice([p.document, p.uri]) for p in (self.passage() for _ in range(draw.randint(1, 9)))]
        if draw.random() < 0.2:
            found["modified_from"] = draw.choice(["2018-01-01T00:00:00Z", "2020-06-01T00:00:00Z"])
        if draw.random() < 0.1:
            found["modified_to"] = "2022-01-01T00:00:00Z"
        if draw.random() < 0.25:
            passage = self.passage()
            field, only = next((name for name in passage.metadata if name.startswith("mf")), "nope"), str(passage.metadata["only"])
            conditions: list[Body] = [
                {"kind": "kind1"},
                {"only": only},
                {"only": {"none": [only]}},
                {"size": {"gte": 5}},
                {"kind": ["kind0", "kind2"]},
                {field: {"exists": True}},
                {field: 1},
            ]
            found["metadata"] = draw.choice(conditions)
        return found

    def question_body(self, modes: tuple[str, ...] = ORDINARY) -> Body:
        draw = self.draw
        found: Body = {"query": self.query(), "mode": draw.choice(modes), "filters": self.filters()}
        if draw.random() < 0.3:
            found["diversity"] = draw.choice([0.3, 1.0])
        if draw.random() < 0.4:
            found["neighbours"] = draw.randint(1, 3)
        return found

    def search_body(self, modes: tuple[str, ...] = ORDINARY) -> Body:
        draw, found = self.draw, self.question_body(modes)
        found |= {"limit": draw.choice([1, 3, 10, 100]), "highlight": draw.random() < 0.3, "explain": draw.random() < 0.3}
        if draw.random() < 0.2:
            found["offset"] = draw.randint(1, 30)
        if draw.random() < 0.3:
            found |= {"group_by": "document", "group_size": draw.randint(1, 3)}
        if draw.random() < 0.5:
            facets = draw.sample(FACETS, draw.randint(1, 3))
            field = next((name for name in self.passage().metadata if name.startswith("mf")), None)
            found |= {"facets": [*facets, *([f"metadata.{field}"] if field and draw.random() < 0.15 else [])], "facet_limit": 100}
        return found

    def some(self) -> str:
        """An id or address of a document, of a passage, or of none."""
        passage = self.passage()
        return self.draw.choice([passage.document, passage.uri, passage.chunk, f"{passage.source}:nothing.md"])


def search(of: Drawing) -> Asked:
    return Asked("search", "POST", "/v1/search", of.search_body(), frozenset({"search"}))


def as_of(of: Drawing) -> Asked:
    revision = of.draw.randint(1, RELEASES)
    body: Body = {**of.search_body(("hybrid", "dense", "sparse")), "as_of": revision}
    return Asked("search as of", "POST", "/v1/search", body, frozenset({"search", "history"}), revision)


def batch(of: Drawing) -> Asked:
    bodies: list[Json] = [of.search_body() for _ in range(3)]
    return Asked("batch", "POST", "/v1/search/batch", {"requests": bodies}, frozenset({"search"}))


def context(of: Drawing) -> Asked:
    body: Body = {**of.question_body(), "budget": of.draw.choice([30, 400, 4000]), "order": of.draw.choice(["relevance", "document"])}
    return Asked("context", "POST", "/v1/context", body, frozenset({"search"}))


def agent(of: Drawing) -> Asked:
    body: Body = {"query": of.question(), "mode": of.draw.choice(["hybrid", "sparse"]), "filters": of.filters(), "steps": 8}
    return Asked("agent", "POST", "/v1/agent/search", body, frozenset({"search"}))


def document(of: Drawing) -> Asked:
    if of.draw.random() < 0.3:
        revision = of.draw.randint(1, RELEASES)
        return Asked("document", "GET", f"/v1/documents/{of.some()}?as_of={revision}", None, frozenset({"search", "history"}), revision)
    return Asked("document", "GET", f"/v1/documents/{of.some()}", None, frozenset({"search"}))


def lineage(of: Drawing) -> Asked:
    return Asked("lineage", "GET", f"/v1/lineage/{of.some()}", None, frozenset({"search"}))


def lineage_of_release(of: Drawing) -> Asked:
    return Asked("lineage of a release", "GET", f"/v1/lineage/{of.draw.randint(1, RELEASES)}", None, frozenset({"governance"}))


def releases(of: Drawing) -> Asked:
    path = of.draw.choice(["", *(f"/{revision}" for revision in range(1, RELEASES + 1))])
    return Asked("releases", "GET", f"/v1/releases{path}", None, frozenset({"governance"}))


def quality(of: Drawing) -> Asked:
    return Asked("quality", "GET", "/v1/quality", None, frozenset({"governance"}))


def reviews(of: Drawing) -> Asked:
    return Asked("reviews", "GET", "/v1/reviews?limit=20", None, frozenset({"governance"}))


def ready(of: Drawing) -> Asked:
    return Asked("ready", "GET", "/health/ready", None, frozenset())


def tool(of: Drawing) -> Asked:
    name = of.draw.choice(["search", "context", "agent_search", "fetch_document", "lineage"])
    arguments: Body
    if name == "agent_search":
        arguments = {"query": of.question(), "steps": 6}
    elif name in ("fetch_document", "lineage"):
        arguments = {"id": of.some()}
    else:
        arguments = of.question_body() | ({"limit": 20} if name == "search" else {"budget": 600})
    body: Body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    return Asked(f"tool {name}", "POST", "/mcp", body, frozenset({"search"}), tool=name)


def wrong(of: Drawing) -> Asked:
    """What can only be answered with an error."""
    passage = of.passage()
    field = next((name for name in passage.metadata if name.startswith("mf")), f"mf{passage.source}")
    bodies: list[Body] = [
        {"query": passage.text, "facets": [f"metadata.{field}"]},
        {"query": passage.text, "filters": {"metadata": {"only": 5}}},
        {"query": passage.text, "filters": {"metadata": {field: {"gte": 0}}}},
        {"query": passage.text, "cursor": "WzMsMywxMCwxXQ.00"},
        {"query": passage.text, "facets": ["nonsense"]},
    ]
    return Asked("errors", "POST", "/v1/search", of.draw.choice(bodies), frozenset({"search"}))


WAYS: Final[dict[Callable[[Drawing], Asked], int]] = {
    search: 34, as_of: 10, batch: 4, context: 8, agent: 3, document: 11, lineage: 10, lineage_of_release: 2, releases: 2, quality: 1,
    reviews: 1, ready: 1, tool: 8, wrong: 4,
}  # fmt: skip
"""What is asked, and how often. Pages, feedback and receipts take more than one request, and are asked beside these."""


def drawn(of: Drawing) -> Asked:
    """One request."""
    return of.draw.choices(list(WAYS), list(WAYS.values()))[0](of)
