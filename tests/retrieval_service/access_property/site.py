"""One corpus and the services over it: with everybody's documents, with one tenant's alone, with one reader's alone, without an engine."""

from __future__ import annotations

import io
import random
import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from fastapi.testclient import TestClient
from pydantic import JsonValue as Json

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.model.search import EVERYONE
from tests.retrieval_service.access.conftest import bearer
from tests.retrieval_service.access_property.expecting import miscounted
from tests.retrieval_service.access_property.flows import feedback, pages, pushes, receipt
from tests.retrieval_service.access_property.knowing import Judge, addresses, differing, settled, tokens
from tests.retrieval_service.access_property.ways import Asked, Body, Drawing, drawn
from tests.retrieval_service.access_property.worlds import GROUPS, NAMES, RELEASES, Asker, Corpus, World
from tests.retrieval_service.access_property.worlds import drawn as drawn_corpus
from tests.search_index.engine.points import Passage

_MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
SCOPES = [("search",), ("search", "history"), ("search", "feedback"), ("admin",), ("governance",), ("search", "history", "push")]
OF_ONES_OWN = {"search", "search as of", "batch", "context", "agent", "document", "errors", "lineage"}
"""Ways whose answers are the same to the last bit where other tenants are not there. Of releases a tenant that is alone is told more."""
OF_SEVERAL, AGAIN, COMPARED = 0.08, 0.25, 0.25
"""Shares of cases that take several requests; that ask what somebody else has just asked; that are asked in other homes too."""

PATIENCE = 100
"""How often something is asked again where the overlay could not be read in time, which takes a second of a machine that is too busy."""


@dataclass
class Found:
    """Cases by the way they were asked, and everything that should not have been told."""

    cases: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    told: int = 0
    wrong: list[str] = field(default_factory=list)

    def note(self, way: str, what: list[str] | set[str], who: Asker, asked: Json) -> None:
        if what:
            self.wrong.append(f"{way}: {sorted(what)[:5]} to {who.tenant} {sorted(who.groups)} {who.scopes}, who asked {asked}")


class Site:
    """To be entered; every service runs until it is left."""

    def __init__(self, root: Path, seed: int) -> None:
        self.draw = random.Random(seed)
        self.corpus = drawn_corpus(seed)
        self.known = tokens(self.corpus.everything)
        self.found = Found()
        self.askers = self._askers()
        self.reader = next(asker for asker in self.askers if asker.groups == {EVERYONE} and not asker.governs)
        """Whose documents alone make up a home of their own."""
        self._root = root
        self._stack = ExitStack()
        self._before: list[Asked] = []

    def __enter__(self) -> Self:
        self.shared = self._served("shared", self.corpus)
        self.lost = self._served("shared", self.corpus, world=self.shared.world)
        self.alone = {tenant: self._served(tenant, self.corpus.only(lambda p, t=tenant: p.tenant == t)) for tenant in NAMES}  # type: ignore[misc]
        principal = self.reader.principal
        self.bare = self._served("bare", self.corpus.only(lambda passage: self.corpus.allows(principal, passage)))
        self.pushed = pushes(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()
        shutil.rmtree(self._root, ignore_errors=True)  # a hundred megabytes a release, and there are many corpora

    def case(self) -> None:
        """One request by somebody, held against what they may know, and against the homes in which others are not."""
        if self.draw.random() < OF_SEVERAL:
            self.draw.choice([pages, feedback, feedback, receipt])(self)
            return
        who = self.draw.choice(self.askers)
        again = self._before and self.draw.random() < AGAIN
        asked = self.draw.choice(self._before) if again else drawn(Drawing(self.draw, self.corpus))
        self._before = [*self._before[-9:], asked]
        lost = self.draw.random() < 0.12 and asked.path != "/v1/reviews"
        served = self.lost if lost else self.shared
        status, answer = served.ask(who, asked)
        self.found.cases[f"{asked.way}, engine gone" if lost else asked.way] += 1
        if not asked.needs <= who.principal.scopes and "admin" not in who.scopes:
            self.found.refused += 1
            if status != 403:
                self.found.wrong.append(f"{asked.way}: {status} without the scope")
            return
        self.hold(who, asked, answer)
        compared = self.draw.random() < COMPARED or asked.way == "errors"
        if compared and who.tenant in self.alone and asked.way in OF_ONES_OWN and not lost and not (who.governs and asked.way == "lineage"):
            told = differing(answer, self.alone[who.tenant].ask(who, asked)[1])
            self.found.note(asked.way, {f"{name}: not as if others were not there" for name in told}, who, asked.said)
            if who == self.reader and asked.way != "lineage":
                self._as_bare(asked, answer)

    def hold(self, who: Asker, asked: Asked, answer: Json) -> None:
        """Nothing of what may not be seen is in it, and what it counts is what may be seen."""
        self.found.note(asked.way, self.judge(who, asked).leaks(answer, asked.said), who, asked.said)
        if asked.way == "reviews" and any(isinstance(item, dict) and item["tenant"] != who.tenant for item in cast(list[Json], answer)):
            self.found.note("reviews", ["an answer to somebody of another tenant"], who, asked.said)
        if not isinstance(answer, dict):
            return
        self.found.told += bool(answer.get("hits") or answer.get("passages") or answer.get("nodes"))
        seen = self.corpus.seen(who.principal, asked.revision)
        if asked.way in ("search", "search as of", "pages") and "hits" in answer:
            self.found.note(asked.way, miscounted(asked.body or {}, answer, seen), who, asked.said)
        if asked.way == "batch" and "answers" in answer:
            bodies = cast(list[Body], (asked.body or {}).get("requests"))
            for body, item in zip(bodies, cast(list[Body], answer["answers"]), strict=True):
                if (one := cast(Body | None, item.get("answer"))) is not None:
                    self.found.note("batch", miscounted(body, one, seen), who, body)
        if asked.way == "document" and "total" in answer:
            mine = [p for p in seen if p.document == answer["document_id"]]
            if answer["total"] != len(mine) or not mine:
                self.found.note("document", ["total"], who, asked.said)
        self._hold_others(who, asked, answer, seen)

    def _hold_others(self, who: Asker, asked: Asked, answer: Body, seen: list[Passage]) -> None:
        if asked.way == "agent" and "aspects" in answer:
            most = len({passage.document for passage in seen})
            if any(int(str(aspect["documents"])) > most for aspect in cast(list[Body], answer["aspects"])):
                self.found.note("agent", ["documents of an aspect"], who, asked.said)
        if asked.way == "lineage" and not who.governs:
            nodes = [node for node in cast(list[Body], answer.get("nodes", [])) if node["kind"] == "release"]
            if any(node["counts"] or node["held"] or node["reasons"] for node in nodes):
                self.found.note("lineage", ["what a release holds as a whole"], who, asked.said)

    def judge(self, who: Asker, asked: Asked) -> Judge:
        """What somebody may be told in answer to something."""
        now = self.corpus.seen(who.principal, RELEASES)
        seen = list(self.corpus.seen(who.principal, asked.revision))
        if asked.way in ("lineage", "tool lineage") and who.principal.scopes & {"history", "admin"}:
            seen += [p for revision in range(1, RELEASES) for p in self.corpus.seen(who.principal, revision)]
        sources = {passage.source for passage in now}
        if who.governs:
            sources |= {p.source for p in self.corpus.everything if p.tenant == who.tenant} | {f"{NAMES[who.tenant]}_late"}
        places = addresses(self.corpus.told_of(who.principal))
        return Judge(self.known, tokens(seen) | places, who.tenant, frozenset(sources))

    def _as_bare(self, asked: Asked, answer: Json) -> None:
        """Within a tenant hidden documents shift how rare a word is, and nothing else."""
        bare = settled(self.bare.ask(self.reader, asked)[1])
        answer = settled(answer)
        if not isinstance(answer, dict) or not isinstance(bare, dict) or not isinstance(asked.body, dict):
            return
        same = ["hints", "facets", "status", "detail", "remedy", "type"]
        if asked.body.get("mode") == "dense":
            same += ["confidence", "answerable", "groups", "next_offset"]
            for each in (answer, bare):
                for hit in cast(list[Body], each.get("hits", [])):
                    hit.pop("near_duplicates")
            same += ["hits"] if asked.way.startswith("search") else []
        told = {name for name in same if answer.get(name) != bare.get(name)}
        self.found.note(asked.way, {f"{name}: not as if hidden documents were not there" for name in told}, self.reader, asked.said)

    def _served(self, name: str, corpus: Corpus, world: World | None = None) -> Served:
        lost, world = world is not None, world or World(self._root / name, corpus)
        client = TestClient(create_app(world.settings, telemetry=Telemetry(io.StringIO()), load=world.load_lost if lost else world.load))
        keys = {asker: world.key(asker) for asker in self.askers}
        return Served(world, self._stack.enter_context(client), keys)

    def _askers(self) -> list[Asker]:
        one = [Asker(tenant, frozenset({EVERYONE}), ("search", "history")) for tenant in NAMES]
        more = [
            Asker(tenant, frozenset({EVERYONE, *self.draw.sample(GROUPS[1:], self.draw.randint(0, 3))}), scopes)
            for tenant in NAMES
            for scopes in SCOPES
        ]
        stranger = Asker("west", frozenset({EVERYONE, "a"}), ("search", "history"))  # of a tenant that holds nothing
        return list(dict.fromkeys([*one, *more, stranger]))


@dataclass
class Served:
    """A service and its keys."""

    world: World
    client: TestClient
    keys: dict[Asker, str]

    def ask(self, who: Asker, asked: Asked) -> tuple[int, Json]:
        """A request and its answer; of a tool, its text and its structured answer."""
        headers = bearer(self.keys[who]) | (_MCP if asked.tool else {})
        answer = self.client.request(asked.method, asked.path, json=asked.body, headers=headers)
        tries = 1
        while b"overlay-unreadable" in answer.content and tries < PATIENCE:
            answer = self.client.request(asked.method, asked.path, json=asked.body, headers=headers)
            tries += 1
        found: Json = answer.json()
        if asked.tool and isinstance(found, dict) and isinstance(result := found.get("result"), dict):
            contents = cast(list[Body], result["content"])
            found = {"says": [content["text"] for content in contents], "structured": result.get("structuredContent")}
        return answer.status_code, found
