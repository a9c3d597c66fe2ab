"""Golden sets as a release can be judged by them: every judgement found in the documents that the release holds."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.compute as pc

from pipelines.tables import Lake
from quality_checks.evaluation import Judged
from quality_checks.golden import GoldenSet
from quality_checks.resolution import Resolver
from search_index.model.release import Manifest, SourcePin
from search_index.model.search import Principal
from search_index.model.tenant import DEFAULT_TENANT


def judge_golden(lake: Lake, sets: Sequence[GoldenSet], manifest: Manifest) -> list[Judged]:
    """Each golden set with its judgements found in the documents of its own tenant that a release holds."""
    tenants = {golden.tenant for golden in sets}
    resolvers = {tenant: _resolver(lake, [one for one in sets if one.tenant == tenant], manifest, tenant) for tenant in sorted(tenants)}
    return [Judged(golden, resolvers[golden.tenant].resolve(golden)) for golden in sets]


def _resolver(lake: Lake, sets: Sequence[GoldenSet], manifest: Manifest, tenant: str) -> Resolver:
    wanted = sorted({j.document for golden in sets for query in golden.queries for j in query.relevant})
    texts: dict[str, str] = {}
    indexed_as: dict[str, str] = {}
    for source, pin in manifest.sources.items():
        if pin.tenant != tenant:
            continue
        of_it = [uri for uri in wanted if uri.startswith(f"{source}:")]
        if of_it:
            instead = {uri: other for uri, other in _indexed_as(lake, source, pin).items() if uri in of_it}
            indexed_as.update(instead)
            where = (pc.field("source") == source) & pc.field("uri").isin([*of_it, *instead.values()]) & (pc.field("status") == "ok")
            rows = lake.read("documents", columns=["uri", "text"], where=where, version=pin.documents.version)
            texts.update(zip(rows["uri"].to_pylist(), rows["text"].to_pylist(), strict=True))
    return Resolver(texts, indexed_as)


def _indexed_as(lake: Lake, source: str, pin: SourcePin) -> dict[str, str]:
    """For the URI of each document without chunks the URI of the near-duplicate that is indexed instead of it."""
    chunks = lake.read_source("chunks", source, columns=["document_id", "also_at"], version=pin.chunks.version)
    named = chunks.filter(pc.greater(pc.list_value_length(chunks["also_at"]), 0))
    if named.num_rows == 0:
        return {}
    documents = lake.read_source("documents", source, columns=["document_id", "uri"], version=pin.documents.version)
    uris = dict(zip(documents["document_id"].to_pylist(), documents["uri"].to_pylist(), strict=True))
    indexed = {uris[document] for document in set(chunks["document_id"].to_pylist())}
    places = zip(named["document_id"].to_pylist(), named["also_at"].to_pylist(), strict=True)
    return {uri: uris[document] for document, others in places for uri in others if uri not in indexed}


def everyone_of(manifest: Manifest, tenant: str = DEFAULT_TENANT) -> Principal:
    """One who may read every source of a release: what is measured is ranking, not access. Of one tenant, for nobody is of two."""
    return Principal(name="evaluation", tenant=tenant, groups=frozenset(g for pin in manifest.sources.values() for g in pin.access))
