"""Files on a web server: one, or those an index page lists; and answers that never end."""

from __future__ import annotations

import pytest

from pipelines.sources import open_source
from pipelines.sources.conformance import check_changes, check_source, check_unavailable
from quality_checks.contracts import RecordMapping
from search_index.errors import DocumentUnreadable, SourceUnavailable
from tests.pipelines.sources.contracts import contract, listed
from tests.pipelines.sources.web import Page, Site


@pytest.fixture
def index(site: Site) -> Site:
    links = '<a href="../">up</a><a href="?C=M">by date</a><a href="a.md">a</a><a href="sub/">sub</a><a href="/etc/x.md">x</a>'
    site.pages["/docs/"] = Page(f'{links}<a href="http://elsewhere.invalid/x.md">y</a>'.encode())
    site.pages["/docs/sub/"] = Page(b'<a href="b%20c.md">b</a><a href="/docs/a.md">a</a>')
    site.pages["/docs/a.md"] = Page(b"ay", headers={"ETag": '"1"', "Last-Modified": "Wed, 01 Apr 2026 10:00:00 GMT"})
    site.pages["/docs/sub/b%20c.md"] = Page(b"bee", no_head=True)
    return site


def test_it_conforms(index: Site) -> None:
    def change() -> str:
        index.pages["/docs/a.md"] = Page(b"AY", headers={"ETag": '"2"'})
        return "a.md"

    def remove() -> str:
        index.pages["/docs/sub/"] = Page(b"nothing")
        return "sub/b c.md"

    make = lambda: open_source(contract(f"{index.url}/docs/"))  # noqa: E731
    a, b = check_source(make, at_least=2)
    assert (a.path, a.size, a.modified_at.month) == ("a.md", 2, 4)
    assert (b.path, b.signature) == ("sub/b c.md", ""), "no HEAD, so it is read every time"
    check_changes(make, change, remove)
    check_unavailable(lambda: open_source(contract(f"{index.url}/nowhere/")))
    check_unavailable(lambda: open_source(contract(f"{index.url}/nowhere.md")))


def test_one_file_is_a_source(index: Site) -> None:
    source = open_source(contract(f"{index.url}/docs/a.md"))
    (item,) = source.list()
    assert (item.path, source.read(item)) == ("a.md", b"ay")


def test_an_endless_body_stops_at_the_limit(site: Site) -> None:
    site.pages["/endless.txt"] = Page(b"x" * 65_536, endless=True)
    source = open_source(contract(f"{site.url}/endless.txt", {"file_bytes": 1 << 20}))
    (item,) = source.list()
    with pytest.raises(DocumentUnreadable, match=r"did not end.*limits\.file_bytes") as stopped:
        source.read(item)
    assert "Raise" in stopped.value.remedy
    assert site.sent < 64 << 20


def test_endless_records_stop_at_the_limits(site: Site) -> None:
    site.pages["/endless.jsonl"] = Page(b'{"id": "1", "text": "x"}\n' * 1000, endless=True)
    site.pages["/line.jsonl"] = Page(b"x" * 65_536, endless=True)
    mapping = RecordMapping(id="id", text="text")
    with pytest.raises(SourceUnavailable, match=r"limits\.files"):
        listed(contract(f"{site.url}/endless.jsonl", {"files": 5000}, format="records", records=mapping))


def test_an_endless_index_page_holds_the_source(site: Site) -> None:
    site.pages["/docs/"] = Page(b"<p>text</p>" * 10_000, endless=True)
    with pytest.raises(SourceUnavailable, match="did not end"):
        listed(contract(f"{site.url}/docs/"))


def test_redirects_end_and_stay_on_the_site(site: Site) -> None:
    for path, target in {"/loop.md": "/loop.md", "/away.md": "http://127.0.0.2:9/x.md", "/ok.md": "/real.md"}.items():
        site.pages[path] = Page(status=302, headers={"Location": target})
    site.pages["/real.md"] = Page(b"text")
    source = open_source(contract(f"{site.url}/ok.md"))
    assert [source.read(item) for item in source.list()] == [b"text"]
    for path, reason in {"/loop.md": "more than 5 times", "/away.md": "another site"}.items():
        with pytest.raises(SourceUnavailable, match=reason):
            listed(contract(f"{site.url}{path}"))
    assert len([asked for asked in site.asked if "loop" in asked]) == 6


def test_limits_hold(index: Site) -> None:
    with pytest.raises(SourceUnavailable, match=r"limits\.files"):
        listed(contract(f"{index.url}/docs/", {"files": 1}))


def test_a_server_that_is_gone_holds_the_source() -> None:
    with pytest.raises(SourceUnavailable, match="cannot be listed"):
        listed(contract("http://127.0.0.1:9/docs/"))
