"""Golden candidates: what people said of an answer, turned into a judged query that a person puts into a golden set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from quality_checks.golden import GoldenQuery, GoldenSet, Judgement, load_golden
from quality_checks.known_items import distinctive_sentence
from search_index.engine.interface import IndexReader, Payload
from search_index.errors import NotFound, WrongUsage
from search_index.model.search import OPEN_END
from search_index.model.usage import ReviewItem

AUTHOR = "reviewed feedback"
TAG = "feedback"
LIKED_GRADE = 2
CORRECTED_GRADE = 3
_TO_BE_MENDED = "Give the passage with --relevant, or write the judgement into the golden set by hand."


def judged_passages(reader: IndexReader, revision: int, item: ReviewItem, more: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Address and a quote of each passage that somebody called relevant, and of those in ``more``, by chunk id.

    A quote is the most distinctive sentence of a passage: it is found again when the document is cut otherwise.

    Raises:
        NotFound: a passage in ``more`` is not in the index. One that people liked and that is gone since is left out.
    """
    liked = [said.chunk_id for said in item.feedback if said.kind == "relevant" and said.chunk_id]
    payloads = _current(reader, {*liked, *more})
    if gone := [chunk for chunk in more if chunk not in payloads]:
        raise NotFound(f"There is no passage {gone[0]} in the live release.", "`plumbline search --json` gives the chunk ids of passages.")
    return {chunk: (str(payload["uri"]), _quote(payload, reader, revision)) for chunk, payload in payloads.items()}


def _quote(payload: Payload, reader: IndexReader, revision: int) -> str:
    text, statistics = str(payload["text"]), reader.statistics(revision, str(payload["tenant"]))
    return distinctive_sentence(text, statistics, reader.bm25.language) or text


def candidate_of(item: ReviewItem, query: str | None, passages: dict[str, tuple[str, str]], grade: int) -> GoldenQuery:
    """The judged query that an answer makes.

    Args:
        query: its words, where neither the log nor anybody's feedback has them; else in place of those.
        passages: what is relevant, as ``judged_passages`` gives it.
        grade: of the passages that nobody but the reviewer called relevant.

    Raises:
        WrongUsage: the words are not known, or nothing was called relevant.
    """
    asked = query or item.text
    if not asked:
        raise WrongUsage(f"The words of query {item.id} were not kept.", "Give them with --query.")
    liked = {said.chunk_id for said in item.feedback if said.kind == "relevant"}
    judged = [
        Judgement(document=uri, quote=quote, grade=LIKED_GRADE if chunk in liked else grade) for chunk, (uri, quote) in passages.items()
    ]
    corrections = {(said.uri, said.quote) for said in item.feedback if said.kind == "correction" and said.uri and said.quote}
    judged += [Judgement(document=uri, quote=quote, grade=CORRECTED_GRADE) for uri, quote in sorted(corrections) if uri and quote]
    if not judged:
        raise WrongUsage(f"Nobody has said what answers query {item.id}.", _TO_BE_MENDED)
    unique = {(one.document, one.quote): one for one in judged}
    return GoldenQuery(id=item.id, query=asked, tags=(TAG,), relevant=tuple(unique.values()))


def add_to_set(path: Path, query: GoldenQuery, purpose: Literal["evaluation", "training"], tenant: str) -> Path:
    """Put a query into a golden set of JSON Lines, which is made when it is not there; the same query is replaced.

    Raises:
        GoldenInvalid: what stands there is no golden set.
        WrongUsage: it cannot be written, or is of another tenant than whoever asked.
    """
    standing = load_golden(path) if path.exists() else None
    if standing is not None and standing.tenant != tenant:
        what = f"{path} is of the tenant {standing.tenant}, and the query of {tenant}."
        raise WrongUsage(what, "Rename that file, and accept the answer again.")
    kept = [other for other in standing.queries if other.id != query.id] if standing else []
    golden = GoldenSet(
        name=standing.name if standing else path.stem,
        version=standing.version if standing else "1",
        author=standing.author if standing else AUTHOR,
        date=standing.date if standing else "",
        purpose=standing.purpose if standing else purpose,
        tenant=tenant,
        weight=standing.weight if standing else 1.0,
        queries=(*kept, query),
    )
    head = golden.model_dump(mode="json", exclude={"queries"})
    lines = [head, *(one.model_dump(mode="json", exclude_none=True) for one in golden.queries)]
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise WrongUsage(f"{path} cannot be written: {error.strerror}.", "Check its folder, its owner and the disk.") from error
    return path


def _current(reader: IndexReader, chunks: set[str]) -> dict[str, Payload]:
    """Payloads of chunks that are in the newest revision, by chunk id."""
    ledger = reader.ledger()
    wanted = pc.and_(pc.is_in(ledger["chunk_id"], pa.array(sorted(chunks), pa.string())), pc.equal(ledger["valid_to"], OPEN_END))
    points = ledger.filter(wanted)["point_id"].to_pylist()
    return {str(payload["chunk_id"]): payload for payload in reader.payloads(points).values()} if points else {}
