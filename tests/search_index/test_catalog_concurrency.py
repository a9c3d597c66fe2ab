"""Several processes at one catalog: of two that publish one wins, whichever database it is in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from search_index.catalog import Catalog
from search_index.errors import PlumblineError, Refused
from tests.search_index.test_catalog import KEY, manifest, published

Result = TypeVar("Result")
WRITERS = 4


@pytest.fixture
def catalogs(catalog_url: str) -> Iterator[list[Catalog]]:
    """One for each writer, each with connections of its own, as processes have."""
    opened = [Catalog.open(catalog_url, lambda: KEY) for _ in range(WRITERS)]
    yield opened
    for catalog in opened:
        catalog.close()


def at_once(work: list[Callable[[], Result]]) -> list[Result | PlumblineError]:
    """All of it begun at the same moment; what each gave or raised."""
    start = threading.Barrier(len(work))

    def one(do: Callable[[], Result]) -> Result | PlumblineError:
        start.wait()
        try:
            return do()
        except PlumblineError as error:
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(one, work))


def test_of_several_that_publish_against_one_head_exactly_one_wins(catalogs: list[Catalog]) -> None:
    head: int | None = None
    for _ in range(5):
        waiting = [catalogs[0].begin(f"run {number}") for number in range(WRITERS)]
        for revision in waiting:
            catalogs[0].record_manifest(manifest(revision, head), "signature")

        def publish(catalog: Catalog, revision: int, expected: int | None) -> Callable[[], int]:
            def do() -> int:
                catalog.publish(revision, expected, "tester")
                return revision

            return do

        said = at_once([publish(catalog, revision, head) for catalog, revision in zip(catalogs, waiting, strict=True)])
        won = [each for each in said if isinstance(each, int)]
        assert len(won) == 1
        assert {type(each) for each in said if not isinstance(each, int)} == {Refused}
        head = won[0]
        assert (catalogs[0].pointer().head, catalogs[0].pointer().live) == (head, head)
        assert [r.revision for r in catalogs[0].releases() if r.status == "live"] == [head]


def test_no_revision_is_given_to_two(catalogs: list[Catalog]) -> None:
    given = [taken for _ in range(5) for taken in at_once([lambda c=c: c.begin("run") for c in catalogs])]  # type: ignore[misc]
    assert sorted(given) == list(range(1, 5 * WRITERS + 1))


def test_a_rollback_and_a_publish_do_not_cross(catalogs: list[Catalog]) -> None:
    first = published(catalogs[0], None)
    second = published(catalogs[0], first)
    waiting = catalogs[0].begin("run")
    catalogs[0].record_manifest(manifest(waiting, second), "signature")
    said = at_once(
        [
            lambda: catalogs[0].publish(waiting, second, "tester"),
            lambda: catalogs[1].move_live(first, "rollback", "tester", "", paused="x"),
        ]
    )
    assert said[1] is None
    assert catalogs[2].pointer().live == first
    assert [r.revision for r in catalogs[2].releases() if r.status == "live"] == [first]
    assert said[0] is None or isinstance(said[0], Refused)


def test_several_may_open_a_catalog_that_is_not_there_yet(catalog_url: str) -> None:
    opened = at_once([lambda: Catalog.open(catalog_url) for _ in range(WRITERS)])
    for catalog in opened:
        assert isinstance(catalog, Catalog)
        assert catalog.pointer().live is None
        catalog.close()
