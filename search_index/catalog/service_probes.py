"""What probes of the running service found, kept for a while."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import delete, insert, select

from search_index.catalog import tables as t
from search_index.catalog.database import Database
from search_index.model.service_probe import ProbedDay, ServiceProbe

PROBES_KEPT = 2400
"""A hundred days of one an hour."""


class ServiceProbes(Database):
    """Probes, the newest ``PROBES_KEPT``."""

    def add_probe(self, probe: ServiceProbe) -> None:
        """Write one down; the oldest go."""
        with self._transaction() as c:
            c.execute(insert(t.service_probes).values(at=probe.at, tenant=probe.tenant, body=probe.model_dump_json()))
            beyond = select(t.service_probes.c.id).order_by(t.service_probes.c.id.desc()).offset(PROBES_KEPT).limit(1)
            oldest = c.execute(beyond).scalar()
            if oldest is not None:
                c.execute(delete(t.service_probes).where(t.service_probes.c.id <= oldest))

    def last_probe(self) -> ServiceProbe | None:
        """The newest one."""
        with self._transaction() as c:
            body = c.execute(select(t.service_probes.c.body).order_by(t.service_probes.c.id.desc()).limit(1)).scalar()
        return ServiceProbe.model_validate_json(body) if body is not None else None

    def probes_between(self, since: datetime, until: datetime, tenant: str) -> list[ServiceProbe]:
        """Those that asked as a tenant, from ``since`` to before ``until``, oldest first."""
        p = t.service_probes.c
        query = select(p.body).where(p.at >= since, p.at < until, p.tenant == tenant).order_by(p.id)
        with self._transaction() as c:
            return [ServiceProbe.model_validate_json(body) for body in c.execute(query).scalars()]

    def probed(self, since: datetime, until: datetime, tenant: str) -> list[ProbedDay]:
        """The same by day (UTC) and release."""
        found: defaultdict[tuple[date, int | None], list[ServiceProbe]] = defaultdict(list)
        for probe in self.probes_between(since, until, tenant):
            found[probe.at.date(), probe.revision].append(probe)
        ordered = sorted(found.items(), key=lambda each: (each[0][0], each[0][1] or 0))
        return [_day(day, release, probes) for (day, release), probes in ordered]


def _day(day: date, release: int | None, probes: Sequence[ServiceProbe]) -> ProbedDay:
    return ProbedDay(
        day=day,
        release=release,
        probes=len(probes),
        unreachable=sum(not probe.reachable for probe in probes),
        asked=sum(probe.asked for probe in probes),
        failed=sum(sum(probe.failed.values()) for probe in probes),
        degraded=sum(probe.degraded for probe in probes),
        ndcg=_mean([(probe.measures.get("ndcg@10"), probe.answered) for probe in probes]),
        recorded=_mean([(probe.recorded, probe.answered) for probe in probes]),
        p95_ms=max((probe.p95_ms for probe in probes if probe.p95_ms is not None), default=None),
        problems=dict(sorted(Counter(problem for probe in probes for problem in probe.problems).items())),
    )


def _mean(weighed: Sequence[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in weighed if value is not None and weight]
    total = sum(weight for _, weight in known)
    return round(sum(value * weight for value, weight in known) / total, 5) if total else None
