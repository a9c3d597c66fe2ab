"""The overlay in the catalog: it narrows at once, widens only when it is settled, and every change shows in its version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from search_index.catalog import Catalog
from search_index.model.search import Principal

ALL, BOARD, NOBODY = frozenset({"everyone", "board"}), frozenset({"board"}), frozenset[str]()


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    opened = Catalog.open(catalog_url)
    yield opened
    opened.close()


def groups(catalog: Catalog) -> dict[str, frozenset[str]]:
    return {entry.document_id: entry.groups for entry in catalog.overlay_entries()}


def withheld(catalog: Catalog, *named: str, tenant: str = "default") -> frozenset[str]:
    return catalog.overlay().withheld_from(Principal(tenant=tenant, groups=frozenset(named)))


def test_there_is_none_at_first(catalog: Catalog) -> None:
    assert (catalog.overlay_version(), catalog.overlay_entries(), catalog.overlaid()) == (0, [], {})
    assert withheld(catalog, "everyone") == frozenset()


def test_who_meets_no_group_that_is_left_does_not_see_the_document(catalog: Catalog) -> None:
    assert catalog.narrow_documents("wiki", "default", {"a": BOARD, "b": NOBODY}, "run 1") == 2
    assert withheld(catalog, "everyone") == {"a", "b"}
    assert withheld(catalog, "everyone", "board") == {"b"}
    assert withheld(catalog, "everyone", "board", tenant="other") == {"a", "b"}
    assert withheld(catalog) == {"a", "b"}
    entry = catalog.overlay_entries("wiki")[0]
    assert (entry.why, entry.by, catalog.overlay_entries("other")) == ("narrowed", "run 1", [])


def test_narrowing_never_widens(catalog: Catalog) -> None:
    catalog.narrow_documents("wiki", "default", {"a": BOARD}, "run 1")
    assert catalog.narrow_documents("wiki", "default", {"a": ALL}, "run 2") == 0
    assert groups(catalog) == {"a": BOARD}
    assert catalog.narrow_documents("wiki", "default", {"a": frozenset({"everyone"})}, "run 3") == 1
    assert groups(catalog) == {"a": NOBODY}
    catalog.narrow_documents("wiki", "default", {"b": ALL}, "run 4")
    catalog.narrow_documents("wiki", "other", {"b": ALL}, "run 4")
    assert groups(catalog)["b"] == NOBODY, "it was another tenant's"


def test_settling_widens_what_goes_on_and_takes_out_what_leaves(catalog: Catalog) -> None:
    catalog.narrow_documents("wiki", "default", {"a": NOBODY, "b": BOARD}, "run 1")
    assert catalog.settle_narrowed("wiki", "default", {"a": BOARD, "new": BOARD}, ["b", "unknown"]) == 2
    assert groups(catalog) == {"a": BOARD}
    catalog.narrow_documents("other", "default", {"c": NOBODY}, "run 1")
    assert catalog.settle_narrowed("wiki", "default", {"c": BOARD}, ["c"]) == 0, "it is another source's"


def test_what_is_erased_stays_so(catalog: Catalog) -> None:
    catalog.narrow_documents("wiki", "default", {"a": BOARD}, "run 1")
    assert catalog.erase_documents({"a": "wiki", "b": "wiki"}, "ada") == 2
    assert catalog.erase_documents({"a": "wiki"}, "bo") == 0
    catalog.narrow_documents("wiki", "default", {"a": ALL}, "run 2")
    catalog.settle_narrowed("wiki", "default", {"a": ALL}, ["a", "b"])
    assert groups(catalog) == {"a": NOBODY, "b": NOBODY}
    assert {(e.why, e.by) for e in catalog.overlay_entries()} == {("erased", "ada")}
    assert catalog.overlaid() == {"erased": 2}


def test_each_change_raises_the_version_and_nothing_else_does(catalog: Catalog) -> None:
    seen = [catalog.overlay_version()]

    def after(_: int) -> int:
        seen.append(catalog.overlay_version())
        return seen[-1] - seen[-2]

    assert after(catalog.narrow_documents("wiki", "default", {"a": ALL, "b": ALL}, "run 1")) == 1
    assert after(catalog.narrow_documents("wiki", "default", {"a": ALL}, "run 1")) == 0
    assert after(catalog.settle_narrowed("wiki", "default", {"a": BOARD}, [])) == 1
    assert after(catalog.settle_narrowed("wiki", "default", {"a": BOARD}, [])) == 0
    assert after(catalog.settle_narrowed("wiki", "default", {}, ["a"])) == 1
    assert after(catalog.settle_narrowed("wiki", "default", {}, ["a"])) == 0
    assert after(catalog.erase_documents({"b": "wiki"}, "ada")) == 1
    assert after(catalog.erase_documents({"b": "wiki"}, "ada")) == 0


def test_a_source_of_thousands_of_documents_is_narrowed_as_one(catalog: Catalog) -> None:
    many = {f"document {number}": BOARD for number in range(2500)}
    assert catalog.narrow_documents("wiki", "default", many, "run 1") == 2500
    assert catalog.overlay_version() == 1
    assert len(withheld(catalog, "everyone")) == 2500
    assert catalog.settle_narrowed("wiki", "default", {}, many) == 2500
