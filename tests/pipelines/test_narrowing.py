"""Access that a contract takes away is gone at once, also from older releases and where a gate holds the source; what it gives waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.release.outcomes import Decision
from search_index.home import open_release
from search_index.model.overlay import OverlayEntry
from search_index.model.search import Principal, SearchRequest
from tests.project import ANIMALS, MACHINES, Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GUESTS, BOARD, STAFF = ("everyone", "guests"), ("everyone", "board"), ("everyone", "staff")


def decided(project: Project) -> Decision:
    outcome = project.ingest()
    assert outcome.decision is not None, outcome.failures
    return outcome.decision


def roles(*groups: str) -> Callable[[str], str]:
    """An edit of a contract: these groups may read, and no others."""

    def edit(text: str) -> str:
        head, _, _ = text.partition("roles:")
        listed = "".join(f"  - role: {group}\n    access: read\n" for group in groups)
        return f"{head}roles:\n{listed}"

    return edit


def readable(project: Project, groups: tuple[str, ...], as_of: int | None = None) -> set[str]:
    """The documents of animals that somebody in these groups finds."""
    home = project.home
    loaded = open_release(home, home.catalog.resolve(None))
    try:
        ref = loaded.ref.model_copy(update={"revision": as_of}) if as_of else loaded.ref
        request = SearchRequest(query="otter eels badger sett heron fish swift eggs", limit=50)
        hits = loaded.searcher.search(request, ref, Principal(groups=frozenset(groups))).hits
        return {hit.uri for hit in hits if hit.source == "animals"}
    finally:
        loaded.close()
        home.close()


def entries(project: Project) -> list[OverlayEntry]:
    home = project.home
    found: list[OverlayEntry] = home.catalog.overlay_entries()
    home.close()
    return found


def contract(project: Project, *groups: str) -> None:
    project.source("animals", {}, roles(*groups))


@pytest.fixture
def published(tmp_path: Path, models_dir: Path) -> Project:
    """Release 1: animals that guests and the board may read, and machines."""
    project = Project(tmp_path)
    project.source("animals", ANIMALS, roles("guests", "board"))
    project.source("machines", MACHINES)
    assert decided(project).status == "published"
    assert len(readable(project, GUESTS)) == len(ANIMALS)
    return project


def test_a_source_that_is_held_does_not_keep_its_old_readers(published: Project) -> None:
    contract(published, "board", "staff")
    assert "animals" in decided(published).held, "a group more waits to be accepted"
    assert readable(published, GUESTS) == set()
    assert len(readable(published, BOARD)) == len(ANIMALS)
    assert {(e.source, e.why, e.groups) for e in entries(published)} == {("animals", "narrowed", frozenset({"board"}))}
    assert len(entries(published)) == len(ANIMALS)
    contract(published, "board", "staff", "guests")
    assert "animals" in decided(published).held
    assert readable(published, GUESTS) == set(), "what is given back waits until nothing holds the source"
    contract(published, "board", "guests")
    assert decided(published).held == {}
    assert len(readable(published, GUESTS)) == len(ANIMALS), "and is back once it is what is published"
    assert entries(published) == []


def test_a_source_that_cannot_be_listed_is_narrowed_all_the_same(published: Project, tmp_path: Path) -> None:
    contract(published, "board")
    (tmp_path / "sources" / "animals").rename(tmp_path / "elsewhere")
    published.ingest()
    assert readable(published, GUESTS) == set()


def test_an_entry_stays_as_long_as_an_older_release_says_more_and_then_leaves(tmp_path: Path, models_dir: Path) -> None:
    project = Project(tmp_path, {"retain_releases": 2})
    folder = project.source("animals", ANIMALS, roles("guests", "board"))
    assert decided(project).revision == 1
    contract(project, "board")
    assert decided(project).revision == 2
    assert len(entries(project)) == len(ANIMALS)
    assert (readable(project, GUESTS, as_of=1), readable(project, GUESTS)) == (set(), set())
    assert len(readable(project, BOARD, as_of=1)) == len(ANIMALS)
    for revision in (3, 4):
        (folder / "otter.md").write_text(f"# The otter\n\nThe otter hunts eels at dusk and was counted {revision} times by the river.\n")
        assert decided(project).revision == revision
    assert entries(project) == []
    assert readable(project, GUESTS) == set()
    assert len(readable(project, BOARD)) == len(ANIMALS)


def test_groups_that_take_turns_gain_nothing_before_the_release(published: Project) -> None:
    contract(published, "board", "staff")
    assert "animals" in decided(published).held
    assert readable(published, STAFF) == set()
    home = published.home
    waiting = next(change for change in home.catalog.changes("animals") if change.accepted_at is None)
    home.catalog.accept_change("animals", waiting.change, "ada", "they moved")
    home.close()
    assert decided(published).status == "published"
    assert readable(published, GUESTS) == set()
    assert len(readable(published, STAFF)) == len(readable(published, BOARD)) == len(ANIMALS)
    assert readable(published, STAFF, as_of=1) == readable(published, GUESTS, as_of=1) == set()


def test_a_source_that_becomes_another_tenants_is_lost_to_the_old_one_before_anybody_accepts_it(published: Project) -> None:
    published.source("animals", {}, lambda text: f"{roles('guests', 'board')(text)}tenant: other\n")
    assert "animals" in decided(published).held
    assert readable(published, GUESTS) == readable(published, BOARD) == set()
    assert {(entry.tenant, entry.groups) for entry in entries(published)} == {("other", frozenset())}
