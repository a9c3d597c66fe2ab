"""A website as a source: the pages its sitemap lists, fetched politely and only when they have changed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from urllib.parse import urldefrag, urljoin, urlsplit

from protego import Protego

from pipelines.sources.interface import UNKNOWN_TIME, SourceItem, refuse_problem
from pipelines.sources.limits import problem_item, within_limits
from pipelines.sources.locations import refuse_secrets
from pipelines.sources.names import Wanted
from pipelines.sources.page_paths import page_paths
from pipelines.sources.sitemaps import AGENT, Listed, lastmod_time, read_robots, read_sitemaps
from pipelines.sources.web_client import Answer, Headers, Unreachable, WebClient, site_of
from pipelines.sources.web_files import modified_header
from quality_checks.contract_terms import Website
from quality_checks.contracts import Contract
from search_index.errors import DocumentUnreadable, SourceUnavailable
from search_index.model.document import sha256

_GIVE_UP_AFTER = 5
_OTHER_PAGES = 50
"""A site may have this many times the pages that the contract allows, most of which lie elsewhere on it."""
_PAGE_TYPES = ("text/html", "application/xhtml+xml", "text/plain", "")


class WebsiteSource:
    """Pages of one site, below the path of the contract's location, one request at a time.

    What listing costs: robots.txt and the sitemaps, and nothing for a page that has a ``lastmod`` there, which is its signature. For
    each other page one conditional request (ETag, Last-Modified), which downloads it only if it has changed; its body is kept for the
    ``read`` that follows. Without ``known`` signatures such pages are listed without asking, and count as changed.
    """

    def __init__(self, contract: Contract, known: Mapping[str, str] | None = None) -> None:
        self._contract, self._known = contract, known
        self._settings = contract.website or Website()
        self._wanted = Wanted(contract.include, contract.exclude)
        self._client = WebClient(self._settings.timeout_s, 1 / self._settings.requests_per_second)
        self._kept: tuple[str, bytes] | None = None
        self._failures = 0

    @cached_property
    def _rules(self) -> Protego:
        refuse_secrets(self._contract.location)
        refuse_secrets(self._settings.sitemap or "")
        rules = read_robots(self._client, self._contract.location)
        self._client.interval_s = max(self._client.interval_s, rules.crawl_delay(AGENT) or 0.0)
        self._client.permits = lambda url: bool(rules.can_fetch(url, AGENT))
        return rules

    def list(self) -> Iterator[SourceItem]:
        """See ``Source.list``: in the order of the addresses."""
        pages = self._pages()
        paths = page_paths([page.url for page in pages])
        items = (self._item(page, paths[page.url]) for page in pages if self._wanted(paths[page.url]))
        return within_limits(items, self._contract)

    def read(self, item: SourceItem) -> bytes:
        """See ``Source.read``. A page in an encoding that only its HTTP header names is given as UTF-8 with a byte order mark."""
        refuse_problem(item)
        if self._kept is not None and self._kept[0] == item.location:
            return self._kept[1]
        answer = self._fetched(item.location, {})
        if not answer.ok:
            raise OSError(0, f"the server answers {answer.status}")
        return self._content(answer, item.path)

    def _pages(self) -> Sequence[Listed]:
        home, most = self._contract.location, self._settings.max_pages
        rules = self._rules
        starts = self._starts(rules)
        below = urlsplit(home).path.rpartition("/")[0] + "/" if home not in starts else "/"
        pages: dict[str, Listed] = {}
        for page in read_sitemaps(self._client, starts, most=_OTHER_PAGES * most):
            url, _ = urldefrag(urljoin(home, page.url))
            if site_of(url) != site_of(home) or urlsplit(url).path.startswith(below):
                pages.setdefault(url, replace(page, url=url))
        if len(pages) > most:
            raise SourceUnavailable(
                f"Source {self._contract.name}: the sitemap lists more than {most:,} pages (`website.max_pages`).",
                "Raise `max_pages` in the contract, or make the location a part of the site.",
            )
        return [pages[url] for url in sorted(pages)]

    def _starts(self, rules: Protego) -> Sequence[str]:
        home = self._contract.location
        if self._settings.sitemap:
            return [urljoin(home, self._settings.sitemap)]
        if re.search(r"\.(?:xml|xml\.gz|txt)$", urlsplit(home).path):
            return [home]
        return [url for url in rules.sitemaps if site_of(url) == site_of(home)] or [urljoin(home, "/sitemap.xml")]

    def _item(self, page: Listed, path: str) -> SourceItem:
        url = page.url
        if site_of(url) != site_of(self._contract.location):
            return problem_item(path, f"{url} is on another site.", "Make that site a source of its own, or mend the sitemap.")
        if not self._rules.can_fetch(url, AGENT):
            return problem_item(path, f"{url} is forbidden by the site's robots.txt.", "Ask the site's owner, or exclude the page.")
        modified_at = lastmod_time(page.lastmod)
        if page.lastmod:
            return SourceItem(path, url, 0, modified_at or UNKNOWN_TIME, f"lastmod {sha256(page.lastmod + url)[:32]}")
        if self._known is None:
            return SourceItem(path, url, 0, UNKNOWN_TIME, "")
        return self._asked(path, url, self._known.get(path, ""))

    def _asked(self, path: str, url: str, signature: str) -> SourceItem:
        """The item of a page that only the server can say of whether it has changed."""
        kind, _, validator = signature.partition(" ")
        conditions = {"etag": {"if-none-match": validator}, "modified": {"if-modified-since": validator}}.get(kind, {})
        try:
            answer = self._fetched(url, conditions)
            if answer.status == 304:
                return SourceItem(path, url, 0, modified_header(answer.headers), signature)
            if not answer.ok:
                return problem_item(
                    path, f"{url} is in the sitemap, but the server answers {answer.status}.", "Mend the site or its sitemap."
                )
            body = self._content(answer, path)
        except DocumentUnreadable as e:
            return problem_item(path, e.what, e.remedy)
        except Unreachable as e:
            if signature:
                return SourceItem(path, url, 0, UNKNOWN_TIME, signature)  # one failure is no news: it stays as it was
            return problem_item(path, f"{url} cannot be read: {e.strerror}.", "Run again when the site answers.")
        self._kept = url, body
        return SourceItem(path, url, len(body), modified_header(answer.headers), _validator(answer.headers))

    def _fetched(self, url: str, conditions: Headers) -> Answer:
        """GET; a site that fails on one page after the other has gone, and its pages must not go with it."""
        self._kept = None
        _ = self._rules
        try:
            answer = self._client.get(url, self._contract.limits.file_bytes, conditions)
        except Unreachable as e:
            self._failures += 1
            if self._failures >= _GIVE_UP_AFTER:
                raise SourceUnavailable(
                    f"Source {self._contract.name}: the site does not answer any more: {e.strerror}.", "Run again when it does."
                ) from e
            raise
        self._failures = 0
        return answer

    def _content(self, answer: Answer, path: str) -> bytes:
        told, _, parameters = answer.headers.get("content-type", "").partition(";")
        kind = told.strip().lower()
        if path.endswith(".html") and kind not in _PAGE_TYPES:
            raise DocumentUnreadable(f"{path} is {kind}, not a web page.", "Exclude it, or give its address the right extension.")
        charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
        return _as_utf8(answer.body, charset[1]) if charset and kind.startswith(("text/", "application/xhtml")) else answer.body


def _validator(headers: Headers) -> str:
    if headers.get("etag"):
        return f"etag {headers['etag']}"
    return f"modified {headers['last-modified']}" if headers.get("last-modified") else ""


def _as_utf8(body: bytes, charset: str) -> bytes:
    """The header's encoding comes before the one a page declares (WHATWG encoding standard); a byte order mark before both."""
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return body
    if name == "utf-8" or body.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body
    return codecs.BOM_UTF8 + body.decode("cp1252" if name in ("iso8859-1", "ascii") else name, "replace").encode()
