"""GET over HTTP with an end to everything: to bodies, redirects, retries and waiting."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
from tenacity import RetryCallState, retry, retry_if_exception_type, stop_after_attempt

from pipelines.sources.limits import too_large
from search_index.errors import DocumentUnreadable

_REDIRECTS = 5
_BUSY = frozenset({429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 60.0
_BODY_TIMEOUTS = 10
_ATTEMPTS = 3
Headers = Mapping[str, str]


class Unreachable(OSError):
    """The server does not answer, or says that it cannot now; ``wait_s`` is for how long it asked to be left alone."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(0, reason)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is final: not a redirect, and not a server that is busy. ``headers`` have lower-case names."""

    url: str
    status: int
    headers: Headers
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the body is what was asked for."""
        return self.status in (200, 203)


def site_of(url: str) -> tuple[str, int]:
    """Host and port of a URL; http and https on their own ports are one site.

    >>> site_of("http://example.org/a") == site_of("https://EXAMPLE.org:443/b")
    True
    """
    parts = urlsplit(url)
    port = parts.port or 0
    return (parts.hostname or "").lower(), 0 if port in (80, 443) else port


class WebClient:
    """Requests to one site, one at a time.

    Tried three times: connections that break or time out, and the statuses 429, 500, 502, 503 and 504, after as long as the server
    asks for (60 s at most). Credentials come from a netrc file, proxies and certificates from the environment, as httpx documents.

    Args:
        timeout_s: to connect, and between two pieces of an answer; a whole body may take ten times as long.
        interval_s: at least this long from the start of one request to the start of the next.
        sleep: what waits.
    """

    def __init__(self, timeout_s: float, interval_s: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> None:
        netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
        self._http = httpx.Client(
            timeout=timeout_s,
            auth=httpx.NetRCAuth(str(netrc)) if netrc.is_file() else None,
            headers={"user-agent": f"plumbline/{version('plumbline')}", "accept-encoding": "gzip"},
        )
        weakref.finalize(self, self._http.close)
        self.interval_s = interval_s
        self.permits: Callable[[str], bool] = lambda url: True
        self._timeout_s, self._sleep, self._next = timeout_s, sleep, 0.0

    def get(self, url: str, limit: int, headers: Headers | None = None) -> Answer:
        """GET, with redirects followed inside the site.

        Args:
            limit: most bytes of the body, unpacked.

        Raises:
            Unreachable: no answer after three tries.
            DocumentUnreadable: the body is too large or does not end, or the redirects are too many or lead elsewhere.
        """
        return self._follow("GET", url, limit, headers or {})

    def head(self, url: str) -> Answer:
        """HEAD; errors are those of ``get``."""
        return self._follow("HEAD", url, 0, {})

    @contextmanager
    def stream(self, url: str) -> Iterator[Iterator[bytes]]:
        """The pieces of a body of any length, not retried. Errors are those of ``get``; a status that is not 200 is an ``OSError``."""
        final = self.head(url).url
        self._pace()
        with self._opened("GET", final, {}) as response:
            if response.status_code != 200:
                raise OSError(0, f"the server answers {response.status_code}")
            yield response.iter_bytes(1 << 16)

    def _follow(self, method: str, url: str, limit: int, headers: Headers) -> Answer:
        site, here = site_of(url), url
        for _ in range(_REDIRECTS + 1):
            answer = self._once(method, here, limit, headers)
            target = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or target is None:
                return answer
            here = urljoin(here, target)
            if site_of(here) != site or urlsplit(here).scheme not in ("http", "https"):
                raise DocumentUnreadable(f"{url} is redirected to another site.", "Make that a source of its own, or exclude the page.")
            if not self.permits(here):
                raise DocumentUnreadable(f"{url} is redirected to a page that robots.txt forbids.", "Exclude the page in the contract.")
        raise DocumentUnreadable(f"{url} is redirected more than {_REDIRECTS} times.", "Mend the site, or exclude the page.")

    def _once(self, method: str, url: str, limit: int, headers: Headers) -> Answer:
        @retry(retry=retry_if_exception_type(Unreachable), stop=stop_after_attempt(_ATTEMPTS), wait=_wait, sleep=self._sleep, reraise=True)
        def ask() -> Answer:
            self._pace()
            with self._opened(method, url, headers) as response:
                if response.status_code in _BUSY:
                    raise Unreachable(f"the server answers {response.status_code}", _asked_wait(response.headers.get("retry-after")))
                body = self._body(response, url, limit) if method == "GET" and response.status_code in (200, 203) else b""
                return Answer(url, response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)

        return ask()

    def _body(self, response: httpx.Response, url: str, limit: int) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() not in ("identity", "gzip", ""):
            raise DocumentUnreadable(f"{url} comes packed in a way that was not asked for.", "Mend the server, or exclude the page.")
        declared = response.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise too_large(url, int(declared), limit)
        held, end = BytesIO(), time.monotonic() + _BODY_TIMEOUTS * self._timeout_s
        for piece in response.iter_bytes(1 << 16):
            held.write(piece)
            if held.tell() > limit:
                raise too_large(url, None, limit)
            if time.monotonic() > end:
                raise DocumentUnreadable(f"{url} took longer than {_BODY_TIMEOUTS * self._timeout_s:g} s.", "Exclude it in the contract.")
        return held.getvalue()

    @contextmanager
    def _opened(self, method: str, url: str, headers: Headers) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, url, headers=dict(headers)) as response:
                yield response
        except (httpx.TransportError, httpx.DecodingError) as e:
            raise Unreachable(f"{type(e).__name__}: {e}") from e
        except httpx.InvalidURL as e:
            raise DocumentUnreadable(f"{url} is no URL.", "Mend the link, or exclude the page.") from e

    def _pace(self) -> None:
        wait = self._next - time.monotonic()
        if wait > 0:
            self._sleep(wait)
        self._next = time.monotonic() + self.interval_s


def _asked_wait(retry_after: str | None) -> float | None:
    return min(float(retry_after), _LONGEST_WAIT_S) if retry_after and retry_after.isdigit() else None


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_s if isinstance(error, Unreachable) else None
    return 0.5 * 4 ** (state.attempt_number - 1) if asked is None else asked
