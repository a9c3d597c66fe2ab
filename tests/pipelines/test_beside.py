"""A release that is published beside the live one: gated, signed and open to be tried, and live only when somebody says so."""

from __future__ import annotations

import json

import pytest

from plumbline.cli.runner import run
from search_index.catalog import Catalog
from search_index.errors import Refused
from search_index.home import open_release
from tests.pipelines.test_gates import edit_animals
from tests.project import Project
from tests.search_index.test_catalog import manifest
from tests.search_index.test_catalog import published as published_in

NEW = "crested newt ponds"


def test_it_waits_until_it_is_resumed(published: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    before = published.found("otter")
    edit_animals(published)
    monkeypatch.setenv("PLUMBLINE_HOME", str(published.settings.root))
    monkeypatch.setenv("PLUMBLINE_CONTRACTS", str(published.root / "contracts"))
    assert run(["ingest", "--beside", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["status"], said["release"], said["candidate"]) == ("beside", 1, 2)
    catalog = published.home.catalog
    pointer = catalog.pointer()
    assert (pointer.live, pointer.head) == (1, 2)
    assert pointer.paused == "release 2 waits beside the live one"
    assert published.found("otter") == before
    assert "animals:newt.md" not in published.found(NEW)

    loaded = open_release(published.home, catalog.release(2))
    loaded.close()
    assert published.found(NEW, as_of=2)[0] == "animals:newt.md", "signed, so that it can be tried"
    assert run(["ingest"]) == 3
    assert "waits beside" in capfd.readouterr().out, "one at a time"

    assert run(["releases", "resume"]) == 0
    assert "Release 2, the one published last, is live now (was 1)" in capfd.readouterr().out
    assert published.found(NEW)[0] == "animals:newt.md"
    assert run(["releases", "rollback", "1"]) == 0


def test_the_first_release_has_none_to_wait_beside() -> None:
    catalog = Catalog.open("sqlite://")
    first = catalog.begin("run")
    catalog.record_manifest(manifest(first, None), None)
    catalog.publish_beside(first, None, "tester")
    assert (catalog.pointer().live, catalog.pointer().paused) == (first, None)


def test_what_was_live_at_an_instant_is_what_stayed_live() -> None:
    catalog = Catalog.open("sqlite://")
    first = published_in(catalog, None)
    second = catalog.begin("run")
    catalog.record_manifest(manifest(second, first), None)
    catalog.publish_beside(second, first, "tester")
    waiting = catalog.release(second)
    assert (waiting.status, catalog.release(first).status) == ("retired", "live")
    assert waiting.published_at is not None
    assert catalog.resolve(waiting.published_at).revision == first
    third = catalog.begin("run")
    catalog.record_manifest(manifest(third, second), None)
    with pytest.raises(Refused, match="waits beside"):
        catalog.publish(third, second, "tester")
