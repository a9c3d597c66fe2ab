"""The query log, what people said of answers, and the queue of those to be looked at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

import numpy as np
from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, true

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.errors import NotFound
from search_index.model.release import now
from search_index.model.usage import Feedback, LoggedQuery, ReviewItem, ReviewOutcome, ReviewReason, UsageCounts

_AT_ONCE = 500
_SAID: dict[str, ReviewReason] = {"not_relevant": "disliked", "correction": "corrected"}


class Usage(Database):
    """Queries by their figures, feedback, and reviews. None of it decides what is served."""

    def add_queries(self, queries: Iterable[LoggedQuery]) -> None:
        """Write queries down."""
        rows = [{**query.model_dump(), "worth_a_look": query.worth_a_look} for query in queries]
        with self._transaction() as c:
            for start in range(0, len(rows), _AT_ONCE):
                c.execute(insert(t.queries), rows[start : start + _AT_ONCE])

    def logged_query(self, id: str) -> LoggedQuery:
        """One query.

        Raises:
            NotFound: it is not in the log, or not any more.
        """
        with self._transaction() as c:
            row = c.execute(select(t.queries).where(t.queries.c.id == id)).mappings().first()
        if row is None:
            raise NotFound(f"There is no query {id} in the log.", "The log may be off, or the query older than it keeps them.")
        return LoggedQuery(**row)

    def queries_between(self, since: datetime, until: datetime, limit: int = 100_000) -> list[LoggedQuery]:
        """Queries from ``since`` to before ``until``, the newest ``limit`` of them, oldest first."""
        query = select(t.queries).where(t.queries.c.at >= since, t.queries.c.at < until).order_by(t.queries.c.at.desc()).limit(limit)
        with self._transaction() as c:
            return [LoggedQuery(**row) for row in c.execute(query).mappings()][::-1]

    def forget_queries(self, before: datetime) -> int:
        """Delete queries older than that, and what was said of them. Gives how many queries went."""
        old = select(t.queries.c.id).where(t.queries.c.at < before)
        with self._transaction() as c:
            c.execute(delete(t.feedback).where(t.feedback.c.at < before))
            c.execute(delete(t.reviews).where(t.reviews.c.query_id.in_(old)))
            return int(c.execute(delete(t.queries).where(t.queries.c.at < before)).rowcount)

    def add_feedback(self, said: Feedback) -> None:
        """Write down what somebody said. The same principal's earlier word of the same kind on the same passage is replaced."""
        same = (
            (t.feedback.c.query_id == said.query_id)
            & (t.feedback.c.principal == said.principal)
            & (t.feedback.c.kind == said.kind)
            & t.feedback.c.chunk_id.is_not_distinct_from(said.chunk_id)
        )
        with self._transaction() as c:
            c.execute(delete(t.feedback).where(same))
            c.execute(insert(t.feedback).values(**said.model_dump()))

    def feedback_on(self, query_id: str) -> list[Feedback]:
        """What was said of one answer, oldest first."""
        with self._transaction() as c:
            return _feedback(c, [query_id])[query_id]

    def review_queue(self, limit: int = 100, tenant: str | None = None) -> list[ReviewItem]:
        """Answers nobody has looked at yet that were disliked or corrected, or that the service was not sure of, the newest first.

        What people said comes before what only the figures say.

        Args:
            tenant: whose queries; None for whoever operates the home.
        """
        reviewed = select(t.reviews.c.query_id)
        disliked = select(t.feedback.c.query_id).where(t.feedback.c.kind.in_(_SAID))
        weak = (t.queries.c.worth_a_look.is_not(None)) | t.queries.c.id.in_(disliked)
        query = select(t.queries).where(t.queries.c.id.not_in(reviewed), weak, _asked_by(tenant))
        query = query.order_by(t.queries.c.id.in_(disliked).desc(), t.queries.c.at.desc()).limit(limit)
        with self._transaction() as c:
            found = [LoggedQuery(**row) for row in c.execute(query).mappings()]
            said = _feedback(c, [each.id for each in found])
        return [_item(each, said[each.id]) for each in found]

    def review_item(self, id: str) -> ReviewItem:
        """One answer as the queue shows it, reviewed or not.

        Raises:
            NotFound: it is not in the log.
        """
        return _item(self.logged_query(id), self.feedback_on(id))

    def review(self, id: str, outcome: ReviewOutcome, actor: str) -> None:
        """Take an answer off the queue.

        Raises:
            NotFound: it is not in the log.
        """
        self.logged_query(id)
        with self._transaction() as c:
            c.execute(delete(t.reviews).where(t.reviews.c.query_id == id))
            c.execute(insert(t.reviews).values(query_id=id, at=now(), outcome=outcome, actor=actor))

    def usage(self, since: datetime, until: datetime, tenant: str | None = None) -> list[UsageCounts]:
        """What people met from ``since`` to before ``until``, a release a row; of a tenant, or of all where that is None."""
        wanted = select(t.queries.c.release, t.queries.c.source, t.queries.c.worth_a_look, t.queries.c.degraded, t.queries.c.took_ms)
        of_release: defaultdict[int, list[RowMapping]] = defaultdict(list)
        with self._transaction() as c:
            for row in c.execute(wanted.where(t.queries.c.at >= since, t.queries.c.at < until, _asked_by(tenant))).mappings():
                of_release[row["release"]].append(row)
        statement = select(t.feedback.c.release, t.feedback.c.kind).where(t.feedback.c.at >= since, t.feedback.c.at < until)
        if tenant is not None:
            statement = statement.where(t.feedback.c.query_id.in_(select(t.queries.c.id).where(_asked_by(tenant))))
        said: defaultdict[int, list[str]] = defaultdict(list)
        with self._transaction() as c:
            for release, kind in c.execute(statement):
                said[release].append(kind)
        return [_counts(release, of_release[release], said[release]) for release in sorted({*of_release, *said})]


def _asked_by(tenant: str | None) -> ColumnElement[bool]:
    return true() if tenant is None else t.queries.c.tenant == tenant


def _feedback(connection: Connection, ids: list[str]) -> defaultdict[str, list[Feedback]]:
    found: defaultdict[str, list[Feedback]] = defaultdict(list)
    query = select(t.feedback).where(t.feedback.c.query_id.in_(ids)).order_by(t.feedback.c.id)
    for row in connection.execute(query).mappings():
        found[row["query_id"]].append(Feedback(**{name: row[name] for name in Feedback.model_fields}))
    return found


def _item(query: LoggedQuery, said: list[Feedback]) -> ReviewItem:
    reasons = {reason: None for each in said if (reason := _SAID.get(each.kind))}
    if query.worth_a_look:
        reasons[query.worth_a_look] = None
    told = next((each.query for each in said if each.query), None)
    return ReviewItem(
        id=query.id,
        at=query.at,
        reasons=list(reasons),
        tenant=query.tenant,
        text=query.text or told,
        release=query.release,
        confidence=query.confidence,
        chunks=query.chunks,
        feedback=said,
    )


def _counts(release: int, queries: list[RowMapping], said: list[str]) -> UsageCounts:
    reasons = [query["worth_a_look"] for query in queries]
    took = np.array([query["took_ms"] for query in queries])
    return UsageCounts(
        release=release,
        queries=len(queries),
        by_source=dict(sorted(Counter(query["source"] for query in queries if query["source"]).items())),
        zero_results=reasons.count("nothing_found"),
        unsure=reasons.count("unsure"),
        not_answerable=reasons.count("not_answerable"),
        degraded=sum(bool(query["degraded"]) for query in queries),
        p50_ms=round(float(np.percentile(took, 50)), 2) if len(took) else None,
        p95_ms=round(float(np.percentile(took, 95)), 2) if len(took) else None,
        clicks=said.count("click"),
        relevant=said.count("relevant"),
        not_relevant=said.count("not_relevant"),
        corrections=said.count("correction"),
    )
