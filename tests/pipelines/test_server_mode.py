"""A home whose points are on a Qdrant server: the same life as one with the embedded engine, here on the client's local mode."""

from __future__ import annotations

from pathlib import Path

import pytest
from qdrant_client import models

from pipelines.release import publishing
from pipelines.release.vacuum import points_unseen
from plumbline.cli.replay import compare, content_signed, put_in_place, replay
from search_index.engine.filters import Conditions
from search_index.engine.server import ServerEngine
from search_index.errors import RevisionUnknown
from search_index.home import Home
from search_index.retention import kept
from tests.project import ANIMALS, MACHINES, Project
from tests.search_index.engine.local_server import LocalServer

OTTERS = "which animal hunts eels at dusk"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> LocalServer:
    made = LocalServer()
    monkeypatch.setattr("search_index.engine.server_client.connect", lambda _: made)
    return made


@pytest.fixture
def project(tmp_path: Path, models_dir: Path, server: LocalServer) -> Project:
    made = Project(tmp_path, {"qdrant_url": "http://127.0.0.1:6333", "retain_releases": 2})
    made.source("animals", ANIMALS)
    made.source("machines", MACHINES)
    return made


def edit(project: Project, text: str) -> None:
    (project.root / "sources" / "animals" / "otter.md").write_text(f"# The otter\n\n{text}\n")


def engine_of(home: Home) -> ServerEngine:
    assert isinstance(home.engine, ServerEngine)
    return home.engine


def stored(home: Home) -> int:
    """All points there are, of every revision."""
    (index,) = engine_of(home).folders.indexes()
    place = engine_of(home).folders.place(index, engine_of(home).folders.revisions(index)[-1])
    assert place is not None
    return engine_of(home).collection(index, place).count(Conditions(()))


def verified(home: Home) -> list[str]:
    manifest = home.catalog.release(home.catalog.pointer().head or 0).manifest
    assert manifest is not None
    return home.engine.verify(manifest.index, manifest.revision)


@pytest.mark.slow
def test_the_life_of_a_home(project: Project, server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.ingest().success
    assert project.found(OTTERS)[0] == "animals:otter.md"
    assert (len(server.get_collections().collections), (project.settings.root / "index").exists()) == (1, False)
    again = project.ingest()
    assert again.decision and again.decision.status == "unchanged"

    edit(project, "The otter plays the trombone in a brass band on Sundays.")
    assert project.ingest().success
    assert project.found("trombone in a brass band", "sparse")[0] == "animals:otter.md"
    assert project.found("trombone in a brass band", "sparse", as_of=1) == []
    assert project.found("eels at dusk", "sparse", as_of=1) == ["animals:otter.md"]

    home = project.home
    home.catalog.move_live(1, "rollback", "tester", "brass", paused="brass")
    assert project.found("eels at dusk", "sparse") == ["animals:otter.md"]
    home.catalog.move_live(2, "resume", "tester", "", paused=None)

    before = stored(home)
    edit(project, "The otter learns the bassoon.")
    home.catalog.freeze("tester", "moving")
    refused = project.ingest()
    assert refused.decision and refused.decision.status == "frozen"
    home.catalog.thaw("tester", "moved")
    assert (stored(home), verified(home)) == (before, [])

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "log_points", _killed)
        patched.setattr(ServerEngine, "take_back", lambda *_: None)  # what is killed clears nothing away
        assert not project.ingest().success
    assert stored(home) > before
    assert project.found("trombone in a brass band", "sparse")[0] == "animals:otter.md"
    assert verified(home) == []
    assert any("Took back 2 points" in line for line in home.engine.recover(kept(home)))
    assert (stored(home), verified(home)) == (before, [])

    published = project.ingest()
    assert published.decision and published.decision.status == "published"
    assert project.found("bassoon", "sparse")[0] == "animals:otter.md"
    assert verified(home) == []

    (collection,) = server.get_collections().collections
    server.delete(collection.name, models.FilterSelector(filter=models.Filter()))
    assert "8 points are missing" in verified(home)[0]
    rebuilt(home)
    assert verified(home) == []
    assert project.found("bassoon", "sparse")[0] == "animals:otter.md"
    assert project.found("trombone in a brass band", "sparse", as_of=2) == ["animals:otter.md"]
    home.close()


@pytest.mark.slow
def test_what_no_release_can_see_goes_with_the_publish_after_the_next(project: Project) -> None:
    counts = []
    for instrument in ("trombone", "bassoon", "viola", "harp", "celesta"):
        edit(project, f"The otter plays the {instrument} in an orchestra by the river.")
        assert project.ingest().success
        home = project.home
        counts.append(stored(home))
        assert verified(home) == []
        assert points_unseen(home) <= 1
        home.close()
    assert counts[-1] == counts[-2], "one comes and one goes"
    assert [project.found(i, "sparse", as_of=r) for i, r in (("harp", 4), ("celesta", 5))] == [["animals:otter.md"]] * 2
    with pytest.raises(RevisionUnknown):
        project.found("trombone", "sparse", as_of=1)
    home = project.home
    assert len(engine_of(home).folders.revisions(engine_of(home).folders.indexes()[0])) <= 2
    home.close()


@pytest.mark.slow
def test_a_home_of_the_embedded_engine_moves_to_a_server_by_a_rebuild(published: Project, server: LocalServer) -> None:
    before, visible = published.found(OTTERS), published.visible()
    moved = Project(published.root, {"qdrant_url": "http://127.0.0.1:6333"})
    home = moved.home
    with pytest.raises(RevisionUnknown):
        moved.found(OTTERS)
    rebuilt(home)
    assert verified(home) == []
    assert (moved.found(OTTERS), moved.visible()) == (before, visible)
    again = moved.ingest()
    assert again.decision and again.decision.status == "unchanged"
    edit(moved, "The otter plays the trombone in a brass band on Sundays.")
    assert moved.ingest().success
    assert moved.found("trombone", "sparse")[0] == "animals:otter.md"
    assert moved.found("eels at dusk", "sparse", as_of=1)[0] == "animals:otter.md"
    assert verified(home) == []
    home.close()


def rebuilt(home: Home) -> None:
    """What ``plumbline releases rebuild`` does with the head."""
    head = home.catalog.release(home.catalog.pointer().head or 0)
    built = replay(home, head, home.settings.root / "rebuilding", lambda _: None)
    assert compare(home, head, built).damaged
    assert content_signed(home, head, built)
    assert put_in_place(home, head, built)
    assert compare(home, head, built).identical


def _killed(*_: object) -> None:
    raise SystemExit("the process ends here")
