"""A healthy small pipeline of real texts, published once, and a bench on which things are done to a copy of it."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.evaluation.candidate import evaluate_candidate, expected_chunks
from pipelines.lane.chunks import converge_chunks
from pipelines.lane.documents import converge_documents
from pipelines.lane.judging import judge
from pipelines.lane.manifest import converge_manifest
from pipelines.lane.vectors import converge_vectors
from pipelines.release.outcomes import Decision, Nothing
from pipelines.release.publishing import conclude
from pipelines.release.staging import stage_candidate
from pipelines.resources import opened
from pipelines.workspace import LogProgress
from quality_checks.index_checks import check_index
from search_index.embedding import Encoder
from search_index.home import open_release
from search_index.model.release import Stage, Verdict
from search_index.model.search import EVERYONE, Principal, SearchRequest
from tests.project import Project, copied

Vectors: TypeAlias = npt.NDArray[np.float32]
SOURCE, OTHER = "medicine", "library"
GROUP = "readers"
READER = Principal(name="reader", groups=frozenset({GROUP, EVERYONE}))
DOCUMENTS, LONG_DOCUMENTS, OF_OTHER = 24, 8, 14
STEPS = {"manifest": converge_manifest, "documents": converge_documents, "chunks": converge_chunks, "vectors": converge_vectors}
RULES = """
schema:
  - name: documents
    quality:
      - {name: enough documents, rule: rowCount, mustBeGreaterThan: 15}
    properties:
      - name: title
        quality:
          - {name: titles are given, rule: nullValues, mustBeLessOrEqualTo: 5, unit: percent}
customProperties:
  - {property: removalThreshold, value: 0.4}
  - {property: privacy, value: {classification: confidential}}
"""


@dataclass(frozen=True)
class Text:
    """One document of a public collection."""

    title: str
    text: str


@dataclass
class Ran:
    """How a run ended: the decision and every verdict it was made by or showed."""

    decision: Decision
    verdicts: list[Verdict] = field(default_factory=list)

    def failed(self, severity: str) -> set[str]:
        """Names of the checks that failed with this severity."""
        return {v.check for v in self.verdicts if v.outcome == "failed" and v.severity == severity}

    @property
    def reasons(self) -> list[str]:
        """Why anything was held or refused."""
        return [*self.decision.reasons, *(reason for reasons in self.decision.held.values() for reason in reasons)]


def texts_of(folder: Path, count: int) -> list[Text]:
    """The first documents of a BEIR folder that have a title and some length."""
    with (folder / "corpus.jsonl").open() as lines:
        rows = (json.loads(line) for line in lines)
        usable = (Text(" ".join(row["title"].split()), " ".join(row["text"].split())) for row in rows if len(row["text"]) > 700)
        return [text for text, _ in zip((t for t in usable if 20 < len(t.title) < 120), range(count), strict=False)]


def page(*texts: Text) -> str:
    """A document: a title, and a section for each further text."""
    first, *rest = texts
    return "".join([f"# {first.title}\n\n{first.text}\n", *(f"\n## {text.title}\n\n{text.text}\n" for text in rest)])


def golden_of(texts: dict[str, Text]) -> str:
    """A golden set that asks for documents by their titles and quotes how they end."""
    queries = [
        {
            "id": path.removesuffix(".md"),
            "query": text.title,
            "relevant": [{"document": f"{SOURCE}:{path}", "quote": text.text[-80:].strip()}],
        }
        for path, text in texts.items()
    ]
    return json.dumps({"name": "titles", "version": "1", "author": "tests", "date": "2026-01-01", "queries": queries})


class Bench:
    """A copy of the healthy pipeline to do something to. It is put back for each case, at the same place, so that ids stay."""

    def __init__(self, project: Project, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.kept, self.monkeypatch = project, kept, monkeypatch
        self.put_back()
        titles = [path.read_text().splitlines()[0].removeprefix("# ") for path in self.files]
        self.questions = [*titles[::8], "library catalogues and their users", "effects of diet on health"]

    def put_back(self) -> None:
        """Make it as it was published."""
        shutil.rmtree(self.project.root, ignore_errors=True)
        copied(self.kept, self.project.root)

    @property
    def folder(self) -> Path:
        """The files of the source that things are done to."""
        return self.project.root / "sources" / SOURCE

    @property
    def files(self) -> list[Path]:
        """Its files, the long documents first."""
        return sorted(self.folder.rglob("*.md"))

    def rewrite(self, change: Callable[[str], str], count: int | None = None) -> None:
        """Change the text of the first so many files, or of all."""
        for path in self.files[:count]:
            path.write_text(change(path.read_text()))

    def edit(self, count: int = 8) -> None:
        """An ordinary edit of some documents: what a step with a bug then works on."""
        self.rewrite(lambda text: text + "\nThese findings were reviewed again and stand as they were reported at the time.\n", count)

    def contract(self, change: Callable[[str], str]) -> None:
        """Change the text of the source's contract."""
        path = self.project.root / "contracts" / f"{SOURCE}.yaml"
        changed = change(path.read_text())
        assert changed != path.read_text(), "the contract did not change"
        path.write_text(changed)

    def patch(self, target: str, make: Callable[[Callable[..., object]], Callable[..., object]]) -> None:
        """Replace a function of the pipeline by what ``make`` makes of it."""
        module, _, name = target.rpartition(".")
        owner: object = _imported(module)
        self.monkeypatch.setattr(owner, name, make(getattr(owner, name)))

    def run(self) -> Ran:
        return run(self.project)

    @property
    def live(self) -> int | None:
        return self.project.home.catalog.pointer().live

    def answers(self) -> list[list[tuple[str, str]]]:
        """What a few questions are answered with: ids and texts, in order."""
        home = self.project.home
        loaded = open_release(home, home.catalog.resolve(None))
        try:
            asked = [SearchRequest(query=query, limit=5) for query in self.questions]
            answered = [loaded.searcher.search(request, loaded.ref, READER) for request in asked]
        finally:
            loaded.close()
            home.catalog.close()
        return [[(hit.chunk_id, hit.text) for hit in answer.hits] for answer in answered]


def _imported(name: str) -> object:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def run(project: Project) -> Ran:
    """The steps of an ingest in order, as the assets call them, without Dagster's records of them."""
    verdicts: list[Verdict] = []
    run_id = uuid.uuid4().hex
    with opened(project.settings, LogProgress(lambda _: None), wait_s=0, say=lambda _: None) as workspace:
        for contract in workspace.contracts.values():
            for stage, step in STEPS.items():
                named: Stage = stage  # type: ignore[assignment]
                step(workspace, contract, run_id)
                verdicts += judge(workspace, contract, named, run_id)
        staged = stage_candidate(workspace, run_id)
        if isinstance(staged, Nothing):
            workspace.nothing = staged
            return Ran(conclude(workspace), verdicts)
        workspace.candidate = staged
        reader = staged.candidate.reader()
        try:
            found = check_index(staged.manifest, reader, expected_chunks(workspace, staged.manifest), run_id)
        finally:
            reader.close()
        found += evaluate_candidate(workspace, staged, run_id).verdicts
        workspace.home.catalog.add_verdicts(found)
        return Ran(conclude(workspace), verdicts + found)


def one_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """One encoder for all cases, the real one, that embeds each text once: its vectors do not depend on anything else."""
    load, encode, encode_query = Encoder.load, Encoder.encode, Encoder.encode_query
    passages: dict[str, Vectors] = {}

    def encoded(
        encoder: Encoder, texts: Sequence[str], batch_tokens: int | None = None, progress: Callable[[int], None] | None = None
    ) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in passages]
        passages.update(zip(new, encode(encoder, new, batch_tokens, progress), strict=True))
        return np.stack([passages[text] for text in texts]) if texts else np.empty((0, encoder.dimension), np.float32)

    monkeypatch.setattr(Encoder, "load", staticmethod(cache(load)))
    monkeypatch.setattr(Encoder, "encode", encoded)
    monkeypatch.setattr(Encoder, "encode_query", cache(encode_query))


def build(root: Path, medicine: list[Text], library: list[Text]) -> Project:
    """Write the two sources, their contracts and the golden set, and publish them."""
    project = Project(root)
    pages: dict[str, Text] = {}
    files: dict[str, str] = {}
    for number in range(LONG_DOCUMENTS):
        part = medicine[DOCUMENTS + 4 * number : DOCUMENTS + 4 * number + 4]
        files[f"a{number:02}.md"] = page(*part)
    for number, text in enumerate(medicine[:DOCUMENTS]):
        path = f"b{number:02}.md"
        pages[path], files[path] = text, page(text)
    project.source(SOURCE, files, lambda contract: contract.replace("role: everyone", f"role: {GROUP}") + RULES)
    project.source(OTHER, {f"c{number:02}.md": page(text) for number, text in enumerate(library)})
    project.golden(golden_of(pages))
    ran = run(project)
    assert (ran.decision.status, ran.reasons) == ("published", [])
    return project
