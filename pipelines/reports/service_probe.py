"""The hourly probe: golden queries asked of the running service over HTTP, beside what its release scored when it was evaluated."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from pipelines.evaluation.judged_sets import judge_golden
from pipelines.workspace import Workspace
from quality_checks.service_probe import Asked, measured, recorded_mean, recorded_of, to_ask
from search_index.errors import NotFound, RevisionUnknown
from search_index.home import trusted_manifest
from search_index.model.keys import key_id_of
from search_index.model.problem import Problem
from search_index.model.release import Manifest, ReleaseRecord
from search_index.model.search import EVERYONE, SearchAnswer
from search_index.model.service_probe import ProbeProblem, ServiceProbe
from search_index.model.tenant import DEFAULT_TENANT
from search_index.settings import Settings

if TYPE_CHECKING:
    import httpx

PROBE_HEADER = {"Plumbline-Probe": "true"}
REQUEST_S = 10.0
BUDGET_S = 60.0
"""Nothing more is asked after that, so that a service that hangs costs a minute."""
MOST_FAILED = 0.05
"""Share of requests that may fail, or be answered without an arm, before a probe calls it a problem."""
_OTHER = "no search service"


@dataclass(frozen=True)
class Reader:
    """Who the probe asks as: the tenant and the groups of its key, or of nobody in particular."""

    tenant: str = DEFAULT_TENANT
    groups: frozenset[str] = frozenset({EVERYONE})


@dataclass
class Answers:
    """What came back."""

    given: list[tuple[Asked, SearchAnswer]] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    ms: list[float] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """Requests that were made."""
        return len(self.given) + self.failed.total()


def probe_service(workspace: Workspace, at: datetime, client: httpx.Client | None = None) -> ServiceProbe:
    """Ask the running service; one that is not there, or is not what it should be, is said and is no error. Writes nothing.

    Args:
        client: asks instead of one over HTTP; its base URL is the service.

    Errors:
        ReleaseUntrusted: the release that answers is not what was signed.
        HomeDamaged: catalog or tables cannot be read.
    """
    import httpx

    reader = reader_of(workspace)
    made = client or httpx.Client(
        base_url=service_address(workspace.settings),
        headers=_headers(workspace.settings),
        timeout=REQUEST_S,
        trust_env=workspace.settings.service_url is not None,  # what is on this machine is asked without a proxy
    )
    with made as http:
        try:
            ready = http.get("/health/ready")
        except httpx.HTTPError as e:
            return ServiceProbe(at=at, tenant=reader.tenant, reachable=False, why=f"nothing answers at {made.base_url}: {type(e).__name__}")
        return _probed(workspace, http, ready, reader, at)


def service_address(settings: Settings) -> str:
    """The service that is probed."""
    return (settings.service_url or settings.address).rstrip("/")


def reader_of(workspace: Workspace) -> Reader:
    """Who holds the probe's key, as this home knows it."""
    secret = workspace.settings.probe_key
    id = key_id_of(secret.get_secret_value()) if secret else None
    if id is None:
        return Reader()
    try:
        key = workspace.home.catalog.api_key(id)
    except NotFound:  # the service will say so
        return Reader()
    return Reader(key.tenant, frozenset(key.groups) | {EVERYONE})


def _probed(workspace: Workspace, http: httpx.Client, ready: httpx.Response, reader: Reader, at: datetime) -> ServiceProbe:
    said = _object(ready)
    nothing = ServiceProbe(at=at, tenant=reader.tenant, reachable=True)
    if ready.status_code != 200 or not isinstance(revision := said.get("revision"), int):
        slug = _slug(ready)
        if slug == _OTHER:
            return nothing.model_copy(update={"reachable": False, "why": f"what answers at {http.base_url} is {_OTHER}"})
        why = f"it answers no search ({ready.status_code} {slug})"
        return nothing.model_copy(update={"why": why, "problems": {"not_ready": why}})
    catalog = workspace.home.catalog
    record = _record(workspace, revision)
    if record is None or record.manifest is None or record.manifest.index != said.get("index"):
        why = f"release {revision} answers, and it is none of this home's"
        return nothing.model_copy(update={"revision": revision, "why": why, "problems": {"elsewhere": why}})
    manifest = trusted_manifest(workspace.home, record)
    answers = _ask(http, to_ask(judge_golden(workspace.lake, workspace.golden_sets, manifest), reader.tenant))
    return _found(nothing, answers, record, manifest, reader, catalog.pointer().live, workspace.settings.regression_tolerance)


def _ask(http: httpx.Client, queries: Sequence[Asked], clock: Callable[[], float] = time.perf_counter) -> Answers:
    import httpx

    answers, until = Answers(), clock() + BUDGET_S
    for query in queries:
        began = clock()
        if began > until:
            break
        try:
            answered = http.post("/v1/search", json=query.body(), headers=PROBE_HEADER)
            if answered.status_code != 200:
                answers.failed[f"{answered.status_code} {_slug(answered)}"] += 1
                continue
            answer = SearchAnswer.model_validate_json(answered.content)
        except httpx.HTTPError as e:
            answers.failed[type(e).__name__] += 1
            continue
        except ValueError:
            answers.failed["200 not an answer"] += 1
            continue
        answers.ms.append((clock() - began) * 1e3)
        answers.given.append((query, answer))
    return answers


def _found(
    nothing: ServiceProbe,
    answers: Answers,
    record: ReleaseRecord,
    manifest: Manifest,
    reader: Reader,
    live: int | None,
    tolerance: float,
) -> ServiceProbe:
    """The figures, and what is wrong.

    Only answers of the release that says it is ready are measured: its documents are what judgements were looked for in.
    """
    of_it = [(query, answer) for query, answer in answers.given if answer.release.revision == record.revision]
    values = measured(of_it)
    degraded = sum(bool(answer.degraded) for _, answer in answers.given)
    recorded, compared = _recorded(values["ndcg@10"], record, manifest, reader)
    own = {name: values["ndcg@10"][name] for name in compared} if compared else values["ndcg@10"]
    problems: dict[ProbeProblem, str] = {}
    if live is not None and live != record.revision:
        problems["behind"] = f"release {record.revision} answers, and {live} is live"
    failed = answers.failed.total()
    if answers.asked and failed / answers.asked > MOST_FAILED:
        problems["failing"] = f"{failed} of {answers.asked} requests failed ({', '.join(sorted(answers.failed))})"
    if answers.given and degraded / len(answers.given) > MOST_FAILED:
        problems["degraded"] = f"{degraded} of {len(answers.given)} answers had to do without a part"
    if compared and recorded is not None and (lost := recorded - _mean(own)) > tolerance:
        problems["worse"] = (
            f"nDCG@10 of {len(compared)} queries is {_mean(own):.3f}, and was {recorded:.3f} when release {record.revision} was evaluated"
            f" ({lost:.3f} less)"
        )
    return nothing.model_copy(
        update={
            "revision": record.revision,
            "why": "" if answers.asked else "there is no golden query that it could be asked",
            "asked": answers.asked,
            "answered": len(answers.given),
            "failed": dict(sorted(answers.failed.items())),
            "degraded": degraded,
            "measures": {name: round(_mean(by_query), 5) for name, by_query in values.items() if by_query},
            "compared": len(compared),
            "recorded": round(recorded, 5) if recorded is not None else None,
            "p50_ms": _percentile(answers.ms, 50),
            "p95_ms": _percentile(answers.ms, 95),
            "problems": problems,
        }
    )


def _recorded(measured_now: dict[str, float], record: ReleaseRecord, manifest: Manifest, reader: Reader) -> tuple[float | None, set[str]]:
    """nDCG@10 when the release was evaluated, and of which queries: of the same, or their mean alone, which compares with nothing.

    It was evaluated as somebody who may read every source; where the probe may not, its rankings are others.
    """
    sources = [pin for pin in manifest.sources.values() if pin.tenant == reader.tenant]
    if any(reader.groups.isdisjoint(pin.access) for pin in sources):
        return None, set()
    by_query = recorded_of(record.scores, measured_now)
    return (_mean(by_query), set(by_query)) if by_query else (recorded_mean(record.scores), set())


def _record(workspace: Workspace, revision: int) -> ReleaseRecord | None:
    try:
        return workspace.home.catalog.release(revision)
    except RevisionUnknown:
        return None


def _headers(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.probe_key.get_secret_value()}"} if settings.probe_key else {}


def _object(response: httpx.Response) -> dict[str, object]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _slug(response: httpx.Response) -> str:
    """The class of problem that a service of ours tells of."""
    try:
        return Problem.model_validate_json(response.content).type.rpartition(":")[2]
    except ValueError:
        return _OTHER


def _mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else 0.0


def _percentile(values: Sequence[float], at: float) -> float | None:
    return round(float(np.percentile(values, at)), 2) if values else None
