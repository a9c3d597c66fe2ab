"""``GET /v1/lineage/{id}``: where a chunk, a document or a release came from, and what was checked on its way."""

from __future__ import annotations

from fastapi import APIRouter

from retrieval_service.access import require
from retrieval_service.deps import LiveDep, PrincipalDep
from retrieval_service.lineage import Graph, StoredPoint, add_parts, add_point, add_release, add_verdicts, points_of, without_wholes
from retrieval_service.live import Serving
from retrieval_service.provenance import Lineage
from search_index.catalog import Catalog
from search_index.errors import RevisionUnknown
from search_index.model.release import ReleaseRecord
from search_index.model.search import Principal
from search_index.tenancy import record_for, verdicts_for

router = APIRouter(tags=["lineage"])

RELEASES_LOOKED_AT = 500


@router.get("/v1/lineage/{id:path}", summary="Where something came from")
def get_lineage(id: str, live: LiveDep, principal: PrincipalDep) -> Lineage:
    """The graph behind a chunk id, a document id or URI (`source:path`), or a revision number.

    A document leads to its file (address, sha256, time), its parser and its passages; a passage to its chunker, model, run and the
    releases that hold it, with the checks that decided the first and the newest of them. With the scope `history` passages that
    only older retained releases hold are found too. What releases hold as a whole takes the scope `governance`.
    """
    if id.isdecimal():
        require(principal, "governance")
        return _of_release(id, live.catalog, principal)
    require(principal, "search")
    with live.acquire() as serving:
        releases = serving.home.catalog.releases(RELEASES_LOOKED_AT, published_only=True)
        points = _points(id, serving, releases, principal)
        found = _of_points(id, points, releases, serving, principal.tenant)
    return found if "governance" in principal.scopes else without_wholes(found)


def _of_release(id: str, catalog: Catalog, principal: Principal) -> Lineage:
    if len(id) > 15:  # more digits than the database can hold
        raise RevisionUnknown("There is no release of so high a number.", "`plumbline releases list` shows those there are.")
    signed, tenant = catalog.release(int(id)), principal.tenant
    record = record_for(signed, tenant)
    graph = Graph()
    release = add_release(graph, record)
    add_parts(graph, record)
    add_verdicts(graph, record, verdicts_for(catalog.verdicts(record.revision), signed.manifest, tenant), sources=None)
    if record.manifest is not None and record.manifest.parent is not None:
        graph.link(release, "built_on", add_release(graph, record_for(catalog.release(record.manifest.parent), tenant)))
    return graph.about(release)


def _of_points(id: str, points: list[StoredPoint], releases: list[ReleaseRecord], serving: Serving, tenant: str) -> Lineage:
    graph = Graph()
    subject = ""
    deciding: dict[int, ReleaseRecord] = {}
    shown = [record_for(record, tenant) for record in releases]
    for point in points:
        chunk, document = add_point(graph, point, shown)
        subject = subject or (chunk if point.chunk_id == id else document)
        holders = [r for r in releases if point.valid_from <= r.revision < point.valid_to]
        deciding |= {r.revision: r for r in (*holders[:1], *holders[-1:])}
    sources = frozenset(p.source for p in points)
    for revision, record in sorted(deciding.items(), reverse=True):
        verdicts = verdicts_for(serving.home.catalog.verdicts(revision), record.manifest, tenant)
        add_verdicts(graph, record_for(record, tenant), verdicts, sources)
    return graph.about(subject)


def _points(id: str, serving: Serving, releases: list[ReleaseRecord], principal: Principal) -> list[StoredPoint]:
    """What the principal may see of it: in the live release, and with the scope ``history`` in the retained ones."""
    loaded = serving.loaded
    revisions = [loaded.record.revision]
    if "history" in principal.scopes:
        revisions += [
            r.revision for r in releases if r.manifest and r.manifest.index == loaded.manifest.index and r.revision not in revisions
        ]
    return points_of(id, loaded.reader, revisions, lambda revision: loaded.searcher.sight(revision, principal))
