"""What the counts of an answer have to be, reckoned from the passages that somebody may see, with nothing but plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

from pydantic import JsonValue as Json

from search_index.bm25 import count_terms
from tests.retrieval_service.access_property.ways import Body
from tests.search_index.engine.points import Passage


def passing(passages: Iterable[Passage], filters: Body) -> list[Passage]:
    """Those that filters let through."""
    return [passage for passage in passages if _passes(passage, filters)]


def _passes(passage: Passage, filters: Body) -> bool:
    sources, documents = cast(list[str], filters.get("sources", [])), cast(list[str], filters.get("documents", []))
    if (sources and passage.source not in sources) or (documents and not {passage.document, passage.uri} & {*documents}):
        return False
    modified = passage.modified_ts or 0.0
    since, until = (_timestamp(filters.get(end)) for end in ("modified_from", "modified_to"))
    if (since is not None and modified < since) or (until is not None and modified >= until):
        return False
    return all(_meets(passage.metadata.get(name), wanted) for name, wanted in cast(Body, filters.get("metadata", {})).items())


def _timestamp(moment: Json) -> float | None:
    return datetime.fromisoformat(str(moment)).timestamp() if moment is not None else None


def _meets(value: object, wanted: Json) -> bool:
    if isinstance(wanted, list):
        return value in wanted
    if not isinstance(wanted, dict):
        return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
    if "none" in wanted:
        return value not in cast(list[Json], wanted["none"])
    if "exists" in wanted:
        return value is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= float(str(wanted["gte"]))


def facet_of(name: str, passages: Iterable[Passage]) -> tuple[dict[str, int], int, int]:
    """How many documents have which value; how many have any; how many have none."""
    of = {passage.document: passage for passage in passages}
    values = [_value(name, passage) for passage in of.values()]
    having = [str(value) for value in values if value is not None]
    return dict(Counter(having)), len(having), len(values) - len(having)


def _value(name: str, passage: Passage) -> object:
    if name == "source":
        return passage.source
    if name == "modified_at.year":
        return datetime.fromtimestamp(passage.modified_ts or 0.0, UTC).strftime("%Y")
    return passage.metadata.get(name.removeprefix("metadata."))


def miscounted(body: Body, answer: Body, seen: list[Passage]) -> list[str]:
    """Counts and reasons of one search's answer that are not those of what may be seen."""
    wrong: list[str] = []
    through = passing(seen, cast(Body, body.get("filters", {})))
    for name, told in cast(dict[str, Body], answer.get("facets") or {}).items():
        values = {str(each["value"]): each["documents"] for each in cast(list[Body], told["values"])}
        if (values, told["documents"], told["missing"]) != facet_of(name, through):
            wrong.append(f"facet {name}")
    hits = cast(list[Body], answer["hits"])
    chunks = {passage.chunk for passage in through}
    if not {hit["chunk_id"] for hit in hits} <= chunks:
        wrong.append("a hit that the filters bar, or that may not be seen")
    codes = {hint["code"] for hint in cast(list[Body], answer["hints"])}
    if ("nothing_indexed" in codes) != (not seen and not hits):
        wrong.append("nothing_indexed")
    terms = set(count_terms(str(body["query"])).ids.tolist())
    known = any(terms & set(count_terms(passage.text).ids.tolist()) for passage in seen)
    by_words = body.get("mode") in ("sparse", "lexical") and not body.get("offset")
    if ("no_terms_known" in codes and known) or (by_words and through and not known and "no_terms_known" not in codes):
        wrong.append("no_terms_known")
    return wrong
