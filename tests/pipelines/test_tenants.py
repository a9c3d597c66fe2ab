"""Two contracts of two tenants: ingested, gated and served together, and each as if the other were not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.cli.search import ask
from quality_checks.golden import load_golden_folder
from search_index.errors import WrongUsage
from search_index.home import Home, open_release, trusted_manifest
from search_index.model.release import Manifest
from search_index.model.search import Mode, Principal, SearchRequest
from search_index.model.tenant import DEFAULT_TENANT
from tests.project import ANIMALS, MACHINES, Project

WORKS = "works"
MODES: tuple[Mode, ...] = ("hybrid", "dense", "sparse")
QUERIES = ("which animal hunts eels at dusk", "what burns limestone", "the grey heron and the rotary kiln", "a pump with its gland packing")
PLANTS = {f"plant{n}.md": f"# Plant {n}\n\nThe plant number {n} grows by the river and flowers in May.\n" for n in range(4)}


def of_tenant(name: str) -> Callable[[str], str]:
    """A contract's text, saying whose the source is."""
    return lambda text: f"tenant: {name}\n{text}"


def answers(project: Project, tenant: str, queries: tuple[str, ...] = QUERIES) -> list[list[tuple[str, float, dict[str, float]]]]:
    """What the live release answers somebody of a tenant, in every mode, with each arm's scores."""
    home = project.home
    loaded = open_release(home, home.catalog.resolve(None))
    try:
        found = [
            loaded.searcher.search(SearchRequest(query=query, mode=mode, explain=True), loaded.ref, Principal(tenant=tenant)).hits
            for query in queries
            for mode in MODES
        ]
        return [[(hit.uri, hit.score, dict(hit.scores)) for hit in hits] for hits in found]
    finally:
        loaded.close()
        home.close()


def as_of_first(project: Project, tenant: str) -> set[str]:
    """The sources that somebody of a tenant finds in release 1, in every mode, by the newest release's own directory."""
    home = project.home
    loaded = open_release(home, home.catalog.resolve(None))
    try:
        first = loaded.ref.model_copy(update={"revision": 1})
        asked = [SearchRequest(query=query, mode=mode, as_of=1) for query in QUERIES for mode in MODES]
        return {hit.source for each in asked for hit in loaded.searcher.search(each, first, Principal(tenant=tenant)).hits}
    finally:
        loaded.close()
        home.close()


def sources_in(found: list[list[tuple[str, float, dict[str, float]]]]) -> set[str]:
    return {uri.partition(":")[0] for hits in found for uri, *_ in hits}


def head(home: Home) -> Manifest:
    try:
        return trusted_manifest(home, home.catalog.release(home.catalog.pointer().head or 0))
    finally:
        home.close()


@pytest.fixture
def shared(tmp_path: Path, models_dir: Path) -> Project:
    """``animals`` of the default tenant and ``machines`` of another."""
    made = Project(tmp_path / "shared")
    made.source("animals", ANIMALS)
    made.source("machines", MACHINES, of_tenant(WORKS))
    return made


@pytest.mark.slow
def test_each_tenant_is_answered_as_if_it_were_alone(shared: Project, tmp_path: Path) -> None:
    assert shared.ingest().success
    alone = Project(tmp_path / "alone")
    alone.source("animals", ANIMALS)
    assert alone.ingest().success
    mine = answers(shared, DEFAULT_TENANT)
    assert mine == answers(alone, DEFAULT_TENANT), "scores are the same to the last bit"
    assert sources_in(mine) == {"animals"}
    assert sources_in(answers(shared, WORKS)) == {"machines"}
    assert sources_in(answers(shared, "nobody")) == set()
    assert {hit.source for hit in ask(shared.settings, {"query": QUERIES[0]}, WORKS).hits} == {"machines"}, "and so on the command line"
    with pytest.raises(WrongUsage, match="cannot be a tenant"):
        ask(shared.settings, {"query": QUERIES[0]}, "Works")
    manifest = head(shared.home)
    assert {source: pin.tenant for source, pin in manifest.sources.items()} == {"animals": DEFAULT_TENANT, "machines": WORKS}
    assert {tenant: counts.documents for tenant, counts in manifest.tenants.items()} == {DEFAULT_TENANT: 4, WORKS: 3}
    assert shared.home.engine.verify(manifest.index, manifest.revision) == []


@pytest.mark.slow
def test_what_one_does_changes_nothing_for_the_other(shared: Project) -> None:
    assert shared.ingest().success
    before, index = answers(shared, DEFAULT_TENANT), head(shared.home).index
    shared.source("plants", PLANTS, of_tenant("gardens"))
    assert shared.ingest().success
    manifest = head(shared.home)
    assert manifest.index == index, "a tenant that comes in comes into the index there is"
    assert set(dict(manifest.bm25)["avgdl"]) == {DEFAULT_TENANT, WORKS, "gardens"}  # type: ignore[arg-type]
    assert answers(shared, DEFAULT_TENANT) == before
    long = " ".join(f"part{n} of the boiler is riveted, caulked and tested with water under pressure" for n in range(12))
    shared.source("machines", {name: f"{text}\n{long}\n" for name, text in MACHINES.items()}, of_tenant(WORKS))
    assert shared.ingest().success
    drifted = head(shared.home)
    assert drifted.index != index, "its passages are longer by more than a fifth"
    lengths = [manifest.bm25["avgdl"], drifted.bm25["avgdl"]]
    assert [one[DEFAULT_TENANT] for one in lengths if isinstance(one, dict)] == [dict(manifest.bm25)["avgdl"][DEFAULT_TENANT]] * 2  # type: ignore[index,call-overload]
    assert answers(shared, DEFAULT_TENANT) == before
    assert shared.ingest().decision.status == "unchanged"  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_source_moves_to_another_tenant_when_somebody_has_said_so(shared: Project) -> None:
    assert shared.ingest().success
    shared.source("machines", MACHINES)
    held = shared.ingest()
    assert held.decision is not None
    assert "moves the source from the tenant works to the tenant default" in str(held.decision.held["machines"])
    assert sources_in(answers(shared, DEFAULT_TENANT)) == {"animals"}, "until then it is not the new one's"
    assert (sources_in(answers(shared, WORKS)), as_of_first(shared, WORKS)) == (set(), set()), "and no more the old one's"
    home = shared.home
    (change,) = [one for one in home.catalog.changes("machines") if one.accepted_at is None]
    home.catalog.accept_change("machines", change.change, "tester", "the works are ours now")
    home.close()
    outcome = shared.ingest()
    assert outcome.success
    assert outcome.decision is not None
    assert (outcome.decision.counts["staged"], outcome.decision.counts["retired"]) == (3, 3), "as for a change of access, every point anew"
    assert sources_in(answers(shared, DEFAULT_TENANT)) == {"animals", "machines"}
    assert sources_in(answers(shared, WORKS)) == set()
    assert as_of_first(shared, WORKS) == set(), "not in a release from before it moved either"
    assert as_of_first(shared, DEFAULT_TENANT) == {"animals"}, "which was not the new one's, and so is not shown to it"
    home = shared.home
    assert {(entry.source, entry.tenant) for entry in home.catalog.overlay_entries()} == {("machines", DEFAULT_TENANT)}
    home.close()


@pytest.mark.slow
def test_a_golden_set_is_asked_of_its_own_tenants_documents(shared: Project) -> None:
    folder = shared.root / "contracts" / "golden"
    folder.mkdir(parents=True)
    for name, tenant in (("ours", DEFAULT_TENANT), ("theirs", WORKS), ("strayed", DEFAULT_TENANT)):
        document = "animals:otter.md" if name == "ours" else "machines:kiln.txt"
        query = "which animal hunts eels" if name == "ours" else "what burns limestone to clinker"
        (folder / f"{name}.yaml").write_text(
            f"name: {name}\ntenant: {tenant}\nqueries:\n  - id: one\n    query: {query}\n    relevant:\n      - document: {document}\n"
        )
    assert {golden.name: golden.tenant for golden in load_golden_folder([folder])} == {
        "ours": "default",
        "strayed": "default",
        "theirs": WORKS,
    }
    assert shared.ingest().success
    home = shared.home
    record = home.catalog.release(1)
    verdicts = {verdict.check: verdict for verdict in home.catalog.verdicts(1) if verdict.subject == "candidate"}
    home.close()
    assert record.scores["queries"] == 2
    assert verdicts["golden_sets_resolve"].evidence["which"][0].startswith("strayed/one: machines:kiln.txt")  # type: ignore[index,union-attr]
    assert dict(record.scores["modes"])["hybrid"]["ndcg@10"]["value"] == 1.0  # type: ignore[arg-type,index,call-overload]
    assert {verdict.outcome for verdict in verdicts.values() if verdict.severity == "error"} == {"passed"}
