"""``plumbline lineage``: where a passage, a document or a release came from, and what was checked on its way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import out

if TYPE_CHECKING:
    from retrieval_service.lineage import Graph, StoredPoint
    from retrieval_service.provenance import Lineage
    from search_index.home import Home, LoadedRelease
    from search_index.model.release import ReleaseRecord

RELEASES_LOOKED_AT = 500


def register(app: typer.Typer) -> None:
    """Add ``lineage``."""

    @command(app, "lineage", "plumbline lineage samples:inspection-manual.pdf")
    def lineage(
        id: Annotated[str, typer.Argument(metavar="ID", help="A chunk id, a document id or address (source:path), or a revision.")],
    ) -> Result:
        """Where something came from.

        Its file, parser, chunker, model and run, the releases that hold it, and the checks that decided those.
        """
        from plumbline.cli.settings import existing_home, load_settings

        found = lineage_of(existing_home(load_settings()), id)
        return Result(found.model_dump(mode="json"), lambda: _show(found))


def lineage_of(home: Home, id: str) -> Lineage:
    """The graph behind a chunk, a document or a release.

    Errors:
        NotFound, RevisionUnknown: there is none.
        NothingPublished: nothing is published, so no chunk or document can be seen.
    """
    from retrieval_service.lineage import Graph, add_parts, add_release, add_verdicts
    from search_index.home import open_release

    catalog, graph = home.catalog, Graph()
    if id.isdecimal():
        record = catalog.release(int(id))
        release = add_release(graph, record)
        add_parts(graph, record)
        add_verdicts(graph, record, catalog.verdicts(record.revision), sources=None)
        if record.manifest is not None and record.manifest.parent is not None:
            graph.link(release, "built_on", add_release(graph, catalog.release(record.manifest.parent)))
        return graph.about(release)
    loaded = open_release(home, catalog.resolve(None))
    try:
        releases = catalog.releases(RELEASES_LOOKED_AT, published_only=True)
        return _of_points(home, graph, id, _points(loaded, releases, id), releases)
    finally:
        loaded.close()


def _of_points(home: Home, graph: Graph, id: str, points: list[StoredPoint], releases: list[ReleaseRecord]) -> Lineage:
    from retrieval_service.lineage import add_point, add_verdicts

    subject, deciding = "", dict[int, "ReleaseRecord"]()
    for point in points:
        chunk, document = add_point(graph, point, releases)
        subject = subject or (chunk if point.chunk_id == id else document)
        holders = [r for r in releases if point.valid_from <= r.revision < point.valid_to]
        deciding |= {r.revision: r for r in (*holders[:1], *holders[-1:])}
    sources = frozenset(point.source for point in points)
    for revision, record in sorted(deciding.items(), reverse=True):
        add_verdicts(graph, record, home.catalog.verdicts(revision), sources)
    return graph.about(subject)


def _points(loaded: LoadedRelease, releases: list[ReleaseRecord], id: str) -> list[StoredPoint]:
    """Every version of the passages, of all revisions the live index still holds.

    An operator at the home sees every source of every tenant, but nothing that was erased.
    """
    from retrieval_service.lineage import points_of
    from search_index.errors import NotFound
    from search_index.model.search import Principal

    pins = [pin for r in releases if r.manifest for pin in r.manifest.sources.values()]
    revisions = [r.revision for r in releases if r.manifest and r.manifest.index == loaded.manifest.index]
    found: list[StoredPoint] = []
    missing: NotFound | None = None
    for tenant in sorted({pin.tenant for pin in pins}):
        groups = frozenset(group for pin in pins if pin.tenant == tenant for group in pin.access)
        operator = Principal(name="operator", tenant=tenant, groups=groups)
        try:
            found += points_of(id, loaded.reader, revisions, partial(loaded.searcher.sight, principal=operator))
        except NotFound as e:
            missing = e
    if missing is not None and not found:
        raise missing
    return found


def _show(found: Lineage) -> None:
    """The graph as trees: a thing, and below it what it stands in relation to. What was shown is not shown again; checks are counted."""
    from rich.text import Text
    from rich.tree import Tree

    from plumbline.cli.lineage_words import checks_say, says

    nodes = {node.key: node for node in found.nodes}
    links: dict[str, list[tuple[str, str]]] = {}
    for edge in found.edges:
        links.setdefault(edge.subject, []).append((edge.relation, edge.object))
    shown: set[str] = set()

    def grow(tree: Tree, key: str) -> None:
        shown.add(key)
        decided = [nodes[other] for relation, other in links.get(key, ()) if relation == "decided_by"]
        for relation, other in links.get(key, ()):
            if relation != "decided_by" and other not in shown:
                branch = tree.add(Text.assemble((f"{relation.replace('_', ' ')} ", "dim"), says(nodes[other])))
                grow(branch, other)
        for line in checks_say(decided):
            tree.add(Text.assemble(("decided by ", "dim"), line))

    console = out()
    others = sorted((key for key in links if key.startswith(("chunk:", "release:"))), key=lambda key: (key[0], -_revision(key), key))
    for root in (found.subject, *others):
        if root in nodes and root not in shown:
            tree = Tree(Text(says(nodes[root]), style="bold"))
            grow(tree, root)
            console.print(tree)


def _revision(key: str) -> int:
    return int(key.partition(":")[2]) if key.startswith("release:") else 0
