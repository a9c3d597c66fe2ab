"""Addresses of pages as paths: stable, each its own, and ending in an extension that parsers know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from pipelines.sources.names import clean_path, harmless_path, leaves_its_root
from search_index.model.document import sha256

_DOCUMENT = re.compile(
    r"\.(?:html?|xhtml|pdf|txt|md|docx?|pptx?|xlsx?|odt|rtf|epub|csv|tsv|json|xml|rst|eml|png|jpe?g|tiff?)$", re.IGNORECASE
)


def page_path(url: str) -> str:
    """The path of one page.

    >>> page_path("https://a.org/"), page_path("https://a.org/guide/intro"), page_path("https://a.org/guide/")
    ('index.html', 'guide/intro.html', 'guide/index.html')
    >>> page_path("https://a.org/v?id=3"), page_path("https://a.org/report.pdf")
    ('v@id=3.html', 'report.pdf')
    """
    name = unquote(urlsplit(url).path, errors="surrogateescape").lstrip("/")
    query = urlsplit(url).query
    if not name or name.endswith("/"):
        name += "index.html"
    if query:
        name += "@" + unquote(query, errors="surrogateescape").replace("/", "%2F")
    if query or not _DOCUMENT.search(name):
        name += ".html"
    return harmless_path(name) if leaves_its_root(name) else clean_path(name)


def page_paths(urls: Sequence[str]) -> Mapping[str, str]:
    """A path for each URL, no two the same: of pages that would share one, that whose address is written just so has it.

    >>> page_paths(["https://a.org/b", "https://a.org/b.html"])
    {'https://a.org/b': 'b~8cb70016.html', 'https://a.org/b.html': 'b.html'}
    """
    claims: dict[str, list[str]] = {}
    for url in urls:
        claims.setdefault(page_path(url), []).append(url)
    paths: dict[str, str] = {}
    for path, claimants in claims.items():
        owner = min(claimants, key=lambda url: (not urlsplit(url).path.endswith(f"/{path}"), url))
        stem, dot, extension = path.rpartition(".")
        paths |= {url: path if url == owner else f"{stem}~{sha256(url)[:8]}{dot}{extension}" for url in claimants}
    return {url: paths[url] for url in urls}
