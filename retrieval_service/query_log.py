"""The query log: what was asked, by its figures, written down a few times a second beside the answers and never before them."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import deque
from datetime import timedelta

from retrieval_service.telemetry import Telemetry
from search_index.bm25 import count_terms
from search_index.catalog import Catalog
from search_index.errors import NotFound, PlumblineError, WrongUsage
from search_index.home import Home
from search_index.model.release import now
from search_index.model.search import Principal, SearchAnswer
from search_index.model.usage import LoggedQuery, pseudonym
from search_index.settings import Settings

WAITING_MOST = 10_000
"""Queries that may wait to be written. What comes beyond it, while the catalog cannot be written, is counted and left out."""
WRITTEN_EVERY_S = 1.0
TIDY_EVERY_S = 3600.0
CHUNKS_KEPT = 10


class QueryLog:
    """Gathers answers and writes them to the catalog when told to follow it; forgets them after the days that settings say.

    Nobody waits for it and no answer fails with it. Who asked is kept as a pseudonym, and the query's words only where
    ``PLUMBLINE_QUERY_LOG=text``.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._kept = settings.query_log
        self._days = timedelta(days=settings.query_log_days)
        self._telemetry = telemetry
        self._waiting: deque[LoggedQuery] = deque()
        self._room = threading.Lock()
        self._key: bytes | None = None
        self._home: Home | None = None
        self._written, self._tidied = -WRITTEN_EVERY_S, -TIDY_EVERY_S

    @property
    def on(self) -> bool:
        """Whether anything is kept."""
        return self._kept != "off"

    def answered(self, answer: SearchAnswer, principal: Principal) -> SearchAnswer:
        """Gather an answer; gives it with the id under which feedback on it is taken, or as it is where nothing is kept."""
        if not self.on or self._key is None:
            return answer
        answer = answer.model_copy(update={"id": secrets.token_hex(12)})
        self._gather(self._logged(answer, principal, self._key))
        return answer

    def _logged(self, answer: SearchAnswer, principal: Principal, key: bytes) -> LoggedQuery:
        cosines = [hit.scores["dense"] for hit in answer.hits if "dense" in hit.scores]
        return LoggedQuery(
            id=answer.id or "",
            at=now(),
            release=answer.release.revision,
            mode=answer.mode,
            principal=pseudonym(key, principal.name),
            tenant=principal.tenant,
            text=answer.query.replace("\0", "") if self._kept == "text" else None,  # which not every database can keep
            terms=count_terms(answer.query).length,
            hits=len(answer.hits),
            chunks=[hit.chunk_id for hit in answer.hits[:CHUNKS_KEPT]],
            source=answer.hits[0].source if answer.hits else None,
            took_ms=answer.took_ms,
            best_cosine=max(cosines, default=None),
            confidence=answer.confidence,
            answerable=answer.answerable,
            degraded=[left_out.arm for left_out in answer.degraded],
        )

    def _gather(self, logged: LoggedQuery) -> None:
        with self._room:
            if len(self._waiting) < WAITING_MOST:
                self._waiting.append(logged)
                return
        self._telemetry.queries_not_logged.inc()

    def given_to(self, id: str, principal: Principal, catalog: Catalog) -> LoggedQuery:
        """The answer that this principal was given under an id; one that waits to be written counts too.

        Raises:
            NotFound: there is none. One that was given to somebody else is not told from one that does not exist.
            WrongUsage: no log is kept.
        """
        if not self.on:
            raise WrongUsage("This service keeps no log of queries, so it takes no feedback.", "Set PLUMBLINE_QUERY_LOG=figures.")
        with self._room:
            found = next((each for each in self._waiting if each.id == id), None)
        found = found or catalog.logged_query(id)
        theirs = self._key is not None and hmac.compare_digest(found.principal, pseudonym(self._key, principal.name))
        if not theirs or found.tenant != principal.tenant:
            raise NotFound(f"There is no query {id} in the log.", "The log may be off, or the query older than it keeps them.")
        return found

    def follow(self, home: Home) -> None:
        """Write down what has gathered, at most once a second, and forget what is too old."""
        if not self.on:
            return
        self._home, self._key = home, self._key or home.signing_key()
        if time.monotonic() - self._written >= WRITTEN_EVERY_S:
            self._written = time.monotonic()
            self.write()
        if time.monotonic() - self._tidied >= TIDY_EVERY_S:
            self._tidied = time.monotonic()
            home.catalog.forget_queries(now() - self._days)

    def write(self) -> None:
        """Write down what has gathered. What cannot be written now waits for the next time."""
        home = self._home
        with self._room:
            gathered = list(self._waiting)
        if home is None or not gathered:
            return
        try:
            home.catalog.add_queries(gathered)
        except PlumblineError as error:
            self._telemetry.log.warning("queries not logged yet", slug=error.slug, what=error.what, waiting=len(gathered))
            return
        with self._room:
            for _ in gathered:
                self._waiting.popleft()
