"""A web server on loopback whose pages are data, and which notes what it was asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


@dataclass
class Page:
    """What is answered at one path. ``endless``: the body is repeated until the client hangs up. ``no_head``: HEAD gets 405."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    no_head: bool = False


@dataclass
class Site:
    """The server: its address, its pages by path, the requests so far (``GET /a``), and bytes sent as bodies."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: int = 0

    def sitemap(self, *entries: str | tuple[str, str]) -> None:
        """Put a sitemap of these paths (with their lastmod) at its usual place."""
        pairs = [(entry, "") if isinstance(entry, str) else entry for entry in entries]
        urls = "".join(
            f"<url><loc>{path if '://' in path else self.url + path}</loc>{f'<lastmod>{lastmod}</lastmod>' if lastmod else ''}</url>"
            for path, lastmod in pairs
        )
        xml = f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'
        self.pages["/sitemap.xml"] = Page(xml.encode(), headers={"Content-Type": "application/xml"})

    def html(self, path: str, text: str, **headers: str) -> None:
        """Put a page at ``path``; header names have _ for -."""
        told = {"Content-Type": "text/html; charset=utf-8"} | {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Page(f"<html><body><p>{text}</p></body></html>".encode(), headers=told)


@contextmanager
def served() -> Iterator[Site]:
    """A server for as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_port}")
    _Handler.sites[server.server_port] = site
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        del _Handler.sites[server.server_port]


class _Handler(BaseHTTPRequestHandler):
    sites: ClassVar[dict[int, Site]] = {}

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        site = self.sites[self.server.server_address[1]]
        site.asked.append(f"{self.command} {self.path}")
        page = site.pages.get(self.path, Page(b"not here", 404))
        if page.no_head and self.command == "HEAD":
            page = Page(status=405)
        etag, date = page.headers.get("ETag"), page.headers.get("Last-Modified")
        if (etag and self.headers.get("If-None-Match") == etag) or (date and self.headers.get("If-Modified-Since") == date):
            page = Page(status=304, headers=page.headers)
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if not page.endless:
            self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if self.command == "GET" and page.status != 304:
            with contextlib.suppress(OSError):  # the client may hang up
                site.sent += len(page.body)  # before the client can have it, and go on to look
                self.wfile.write(page.body)
                while page.endless:
                    self.wfile.write(page.body)
                    site.sent += len(page.body)
