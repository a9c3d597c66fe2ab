"""A website from its sitemap: politely, and no page downloaded twice without need."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from pipelines.sources import SourceItem, open_source
from pipelines.sources.conformance import check_changes, check_source, check_unavailable
from pipelines.sources.web_client import WebClient
from pipelines.sources.website import WebsiteSource
from quality_checks.contract_terms import Website
from quality_checks.contracts import Contract
from search_index.errors import DocumentUnreadable, SourceUnavailable
from tests.pipelines.sources.contracts import contract
from tests.pipelines.sources.web import Page, Site


def website(site: Site, path: str = "/", limits: dict[str, int] | None = None, globs: tuple[str, ...] = (), **more: object) -> Contract:
    settings = Website.model_validate({"requests_per_second": 100, "timeout_s": 5} | more)
    return contract(f"{site.url}{path}", limits, format="website", website=settings, server_type="http", exclude=globs)


def listed(of: Contract, known: dict[str, str] | None = None) -> dict[str, SourceItem]:
    return {item.path: item for item in open_source(of, known).list()}


@pytest.fixture
def pages(site: Site) -> Site:
    """Two pages with a lastmod, one with an ETag, one with nothing."""
    site.sitemap(("/", "2026-04-01"), ("/guide/intro", "2026-04-02T10:00:00+02:00"), "/etag.html", "/plain")
    site.html("/", "home")
    site.html("/guide/intro", "intro")
    site.html("/etag.html", "etag", ETag='"1"')
    site.html("/plain", "plain")
    return site


@pytest.mark.parametrize("known", [None, {}])
def test_it_conforms(pages: Site, known: dict[str, str] | None) -> None:
    def change() -> str:
        pages.html("/etag.html", "other", ETag='"2"')
        return "etag.html"

    def remove() -> str:
        pages.sitemap(("/", "2026-04-01"), "/etag.html", "/plain")
        return "guide/intro.html"

    make = lambda: open_source(website(pages), known)  # noqa: E731
    items = check_source(make, at_least=4)
    assert {i.path for i in items} == {"index.html", "guide/intro.html", "etag.html", "plain.html"}
    assert next(i for i in items if i.path == "guide/intro.html").modified_at == datetime(2026, 4, 2, 8, tzinfo=UTC)
    check_changes(make, change, remove)
    pages.pages["/sitemap.xml"] = Page(status=404)
    check_unavailable(make)


def test_an_unchanged_page_is_not_downloaded(pages: Site) -> None:
    first = listed(website(pages), {})
    pages.asked.clear()
    before = pages.sent
    again = listed(website(pages), {path: item.signature for path, item in first.items()})
    assert pages.asked == ["GET /robots.txt", "GET /sitemap.xml", "GET /etag.html", "GET /plain"]
    sent = pages.sent - before - len(pages.pages["/sitemap.xml"].body) - len(b"not here")
    assert sent == len(pages.pages["/plain"].body), "of the pages only the one that says nothing of its age came again"
    assert {p: i.signature for p, i in again.items()} == {p: i.signature for p, i in first.items()}


def test_what_listing_fetched_is_not_fetched_again_to_read(pages: Site) -> None:
    source = open_source(website(pages), {})
    bodies = {item.path: source.read(item) for item in source.list()}
    assert b"etag" in bodies["etag.html"] and b"intro" in bodies["guide/intro.html"]
    assert sorted(pages.asked) == sorted(set(pages.asked))


def test_without_known_signatures_listing_asks_for_no_page(pages: Site) -> None:
    listed(website(pages))
    assert pages.asked == ["GET /robots.txt", "GET /sitemap.xml"]


def test_robots_are_obeyed(pages: Site) -> None:
    sitemaps = f"Sitemap: {pages.url}/other.xml\n"
    pages.pages["/robots.txt"] = Page(f"User-agent: *\nDisallow: /guide/\nCrawl-delay: 0.05\n{sitemaps}".encode())
    pages.pages["/other.xml"] = pages.pages.pop("/sitemap.xml")
    source = WebsiteSource(website(pages), {})
    items = {item.path: item for item in source.list()}
    assert "robots.txt" in items["guide/intro.html"].problem
    with pytest.raises(DocumentUnreadable):
        source.read(items["guide/intro.html"])
    assert "GET /guide/intro" not in pages.asked
    assert source._client.interval_s == 0.05
    pages.pages["/robots.txt"] = Page(b"User-agent: plumbline\nCrawl-delay: 3600")
    with pytest.raises(SourceUnavailable, match="3600 s"):
        listed(website(pages))


def test_a_robots_file_that_fails_forbids_everything(pages: Site) -> None:
    pages.pages["/robots.txt"] = Page(status=503, headers={"Retry-After": "0"})
    with pytest.raises(SourceUnavailable, match="nothing may be taken"):
        listed(website(pages))
    assert pages.asked == ["GET /robots.txt"] * 3


def test_requests_are_spaced(pages: Site) -> None:
    waits: list[float] = []
    client = WebClient(5.0, interval_s=7.0, sleep=waits.append)
    for _ in range(3):
        client.get(f"{pages.url}/", 1000)
    assert len(waits) == 2 and all(6 < wait <= 7 for wait in waits)


def test_a_busy_server_is_asked_again_after_as_long_as_it_says(site: Site) -> None:
    waits: list[float] = []
    site.pages["/busy"] = Page(status=429, headers={"Retry-After": "11"})
    with pytest.raises(OSError, match="429"):
        WebClient(5.0, sleep=waits.append).get(f"{site.url}/busy", 1000)
    assert waits == [11, 11] and len(site.asked) == 3


def test_sitemaps_may_be_nested_and_packed(pages: Site) -> None:
    packed = pages.pages["/sitemap.xml"].body
    index = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><sitemap><loc>{pages.url}/one.xml.gz</loc></sitemap></sitemapindex>'
    pages.pages |= {"/sitemap.xml": Page(index.encode()), "/one.xml.gz": Page(gzip.compress(packed))}
    assert len(listed(website(pages))) == 4
    pages.pages["/map.txt"] = Page(f"{pages.url}/plain\n{pages.url}/\n".encode())
    assert set(listed(website(pages, sitemap="/map.txt"))) == {"plain.html", "index.html"}
    assert len(listed(website(pages, path="/sitemap.xml"))) == 4


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(bytes(60 << 20)),
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><urlset><url><loc>&b;</loc></url>',
        b"<urlset><url><loc>http://x/</loc></url>",
    ],
)
def test_a_bomb_or_a_broken_sitemap_holds_the_source(site: Site, body: bytes) -> None:
    site.pages["/sitemap.xml"] = Page(body)
    with pytest.raises(SourceUnavailable, match="sitemap"):
        listed(website(site))


def test_a_sitemap_that_names_itself_ends(site: Site) -> None:
    index = f"<sitemapindex><sitemap><loc>{site.url}/sitemap.xml</loc></sitemap></sitemapindex>"
    site.pages["/sitemap.xml"] = Page(index.encode())
    assert listed(website(site)) == {}


def test_other_sites_are_reported_and_not_asked(pages: Site) -> None:
    pages.sitemap("http://127.0.0.2:9/secret", "/plain")
    items = listed(website(pages), {})
    assert "another site" in items["secret.html"].problem and not items["plain.html"].problem


def test_only_pages_below_the_location_and_wanted_by_the_contract(pages: Site) -> None:
    assert set(listed(website(pages, path="/guide/"))) == {"guide/intro.html"}
    assert set(listed(website(pages, globs=("guide/*", "*tag*")))) == {"index.html", "plain.html"}


def test_max_pages_holds_the_source(pages: Site) -> None:
    with pytest.raises(SourceUnavailable, match="max_pages"):
        listed(website(pages, max_pages=3))
    pages.sitemap("/guide/intro", *(f"/{n}" for n in range(60)))
    with pytest.raises(SourceUnavailable, match="more than 50 pages"):
        listed(website(pages, path="/guide/", max_pages=1))


def test_pages_that_fail_end_in_quarantine_with_their_reason(pages: Site) -> None:
    pages.sitemap("/missing", "/endless", "/pdf", "/plain")
    pages.pages["/endless"] = Page(b"x" * 65_536, endless=True, headers={"Content-Type": "text/html"})
    pages.pages["/pdf"] = Page(b"%PDF-", headers={"Content-Type": "application/pdf"})
    items = listed(website(pages, limits={"file_bytes": 1 << 20}), {})
    assert "answers 404" in items["missing.html"].problem
    assert "did not end" in items["endless.html"].problem
    assert "application/pdf" in items["pdf.html"].problem
    assert not items["plain.html"].problem


def test_a_site_that_stops_answering_holds_the_source(site: Site) -> None:
    site.sitemap(*(f"/{n}" for n in range(9)))
    site.pages |= {f"/{n}": Page(status=503, headers={"Retry-After": "0"}) for n in range(9)}
    with pytest.raises(SourceUnavailable, match="does not answer any more"):
        listed(website(site), {})


def test_one_failure_leaves_a_known_page_as_it_was(pages: Site) -> None:
    known = {path: item.signature for path, item in listed(website(pages), {}).items()}
    pages.pages["/etag.html"] = Page(status=503, headers={"Retry-After": "0"})
    assert listed(website(pages), known)["etag.html"].signature == known["etag.html"] != ""


def test_the_encoding_of_the_header_is_kept(site: Site) -> None:
    site.sitemap("/a")
    site.pages["/a"] = Page("<p>café €</p>".encode("cp1252"), headers={"Content-Type": "text/html; charset=ISO-8859-1"})
    source = open_source(website(site), {})
    (item,) = source.list()
    assert source.read(item).decode("utf-8-sig") == "<p>café €</p>"


def test_pages_whose_paths_would_be_one_have_each_their_own(site: Site) -> None:
    site.sitemap("/b", "/b.html", "/b?x=1", "/%2e%2e/%2e%2e/etc/passwd")
    paths = set(listed(website(site)))
    assert {"b.html", "b@x=1.html"} < paths and len(paths) == 4
    assert not any(".." in path.split("/") for path in paths)
