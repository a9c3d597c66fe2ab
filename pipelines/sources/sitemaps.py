"""What a site says about itself: its robots.txt and its sitemaps, as sitemaps.org and RFC 9309 lay them out."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import BinaryIO, cast
from urllib.parse import urljoin

from protego import Protego

from pipelines.sources.interface import utc
from pipelines.sources.limits import read_bounded
from pipelines.sources.web_client import WebClient, site_of
from search_index.errors import DocumentUnreadable, SourceUnavailable

AGENT = "plumbline"
_ROBOTS_BYTES = 512 << 10
_SITEMAP_BYTES = 50 << 20
"""Both from the standards: what a crawler must read of robots.txt, and the most a sitemap may have unpacked."""
_NESTED = 3
_SITEMAPS = 1000
_SLOWEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A page in a sitemap; ``lastmod`` as it stands there, empty if it does not."""

    url: str
    lastmod: str


def read_robots(client: WebClient, home: str) -> Protego:
    """The site's rules; all is allowed where there are none.

    Raises:
        SourceUnavailable: the server fails on it, which by RFC 9309 forbids everything; or it wants more than a minute between requests.
    """
    url = urljoin(home, "/robots.txt")
    try:
        answer = client.get(url, _ROBOTS_BYTES)
    except (OSError, DocumentUnreadable) as e:
        raise SourceUnavailable(f"{url} cannot be read, so nothing may be taken: {e}.", "Check the address and the network.") from e
    rules = Protego.parse(answer.body.decode("utf-8", "replace") if answer.ok else "")
    delay = rules.crawl_delay(AGENT) or 0.0
    if delay > _SLOWEST_S:
        raise SourceUnavailable(
            f"{url} asks for {delay:g} s between requests, more than {_SLOWEST_S:g}.", "Ask the site's owner for a rule for plumbline."
        )
    return rules


def read_sitemaps(client: WebClient, starts: Sequence[str], most: int) -> Iterator[Listed]:
    """The pages of sitemaps and of those they name.

    Raises:
        SourceUnavailable: one cannot be read, or they list more than ``most``: an incomplete list would remove the rest.
    """
    waiting, seen, pages = [(url, 0) for url in starts], set(starts), 0
    while waiting:
        url, depth = waiting.pop(0)
        listed = _entries(_fetched(client, url), url)
        for entry, is_sitemap in listed:
            if not is_sitemap:
                pages += 1
                yield entry
                if pages > most:
                    raise _unusable(url, f"the site has more than {most:,} pages")
            elif depth < _NESTED and len(seen) < _SITEMAPS and entry.url not in seen:
                if site_of(entry.url) != site_of(starts[0]):
                    raise _unusable(entry.url, "it is on another site")
                seen.add(entry.url)
                waiting.append((entry.url, depth + 1))
            elif entry.url not in seen:
                raise _unusable(url, f"sitemaps are nested deeper than {_NESTED}, or there are more than {_SITEMAPS}")


def lastmod_time(lastmod: str) -> datetime | None:
    """A sitemap's ``lastmod`` (W3C datetime: a year, a month, a day, or a time) in UTC, None for anything else."""
    for shape in ("", "%Y-%m", "%Y"):
        try:
            told = datetime.strptime(lastmod, shape).replace(tzinfo=UTC) if shape else datetime.fromisoformat(lastmod)
        except ValueError:
            continue
        return utc(told)
    return None


def _fetched(client: WebClient, url: str) -> bytes:
    try:
        answer = client.get(url, _SITEMAP_BYTES)
        if not answer.ok:
            raise _unusable(url, f"the server answers {answer.status}")
        if answer.body[:2] != b"\x1f\x8b":
            return answer.body
        return read_bounded(cast("BinaryIO", gzip.GzipFile(fileobj=BytesIO(answer.body))), url, _SITEMAP_BYTES)
    except (OSError, EOFError, DocumentUnreadable) as e:
        raise _unusable(url, str(e)) from e


def _entries(body: bytes, url: str) -> Iterator[tuple[Listed, bool]]:
    """Pages and sitemaps (True) of one file. A sitemap may also be plain text, one address a line."""
    from lxml import etree

    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        lines = body.decode("utf-8-sig", "replace").splitlines()
        yield from ((Listed(line.strip(), ""), False) for line in lines if line.strip().startswith(("http://", "https://")))
        return
    parts = etree.iterparse(
        BytesIO(body),
        events=("end",),
        tag=("{*}url", "{*}sitemap"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        for _, element in parts:
            told = _told(lambda name, found=element: found.findtext(f"{{*}}{name}"))  # type: ignore[misc]
            if told.url:
                yield told, etree.QName(element).localname == "sitemap"
            element.clear()
    except etree.XMLSyntaxError as e:
        raise _unusable(url, f"it is not XML (line {e.lineno})") from e


def _told(text_of: Callable[[str], str | None]) -> Listed:
    return Listed((text_of("loc") or "").strip(), (text_of("lastmod") or "").strip())


def _unusable(url: str, reason: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"The sitemap {url} cannot be used: {reason}.", "Mend the site, or name its sitemap in the contract (`website.sitemap`)."
    )
