"""``POST /v1/search``: hybrid, dense or keyword search over the live release or an older one."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, BackgroundTasks, Response

from retrieval_service.access import require
from retrieval_service.canary import CanaryRelease
from retrieval_service.deps import CanaryDep, ClientDep, LiveDep, PrincipalDep, ShadowDep, TelemetryDep, WorkersDep
from retrieval_service.live import LiveRelease, Serving
from retrieval_service.problems import ReleaseLoading, describe
from retrieval_service.telemetry import Telemetry
from search_index.errors import PlumblineError, RevisionUnknown
from search_index.hints import why_missing
from search_index.home import release_ref, trusted_manifest
from search_index.model.search import OPEN_END, Hint, Principal, ReleaseRef, SearchAnswer, SearchRequest

router = APIRouter(tags=["search"])


@router.post(
    "/v1/search",
    response_model=SearchAnswer,
    summary="Search",
    responses={
        200: {
            "description": "Hits, best first, all from one release.",
            "headers": {
                "Plumbline-Release": {"description": "The revision that answered", "schema": {"type": "integer"}},
                "Plumbline-Index": {"description": "Fingerprint of the index that answered", "schema": {"type": "string"}},
                "Plumbline-Override": {"description": "The override of gates that stands, if any", "schema": {"type": "string"}},
                "Plumbline-Degraded": {"description": "Left out, if any: `dense`, `sparse`, `rerank`", "schema": {"type": "string"}},
            },
        }
    },
)
async def search(
    request: SearchRequest,
    response: Response,
    background: BackgroundTasks,
    live: LiveDep,
    shadow: ShadowDep,
    canary: CanaryDep,
    client: ClientDep,
    workers: WorkersDep,
    principal: PrincipalDep,
    telemetry: TelemetryDep,
) -> SearchAnswer:
    """Find the passages that answer a query.

    `mode` chooses the arms: `dense` (meaning), `sparse` (BM25 over words) or `hybrid` (both, fused). `filters` narrow the search
    inside every arm. `as_of` asks an older release: a revision, or an instant. Every hit says where it came from.
    """
    require(principal, "search")
    if request.as_of is not None:
        require(principal, "history")
    answer = await workers.run(partial(answer_for, request, live, canary, principal, client, telemetry))
    response.headers["Plumbline-Release"] = str(answer.release.revision)
    response.headers["Plumbline-Index"] = answer.release.index
    if answer.degraded:
        response.headers["Plumbline-Degraded"] = ", ".join(d.arm for d in answer.degraded)
    telemetry.searched(answer)
    if shadow.revision is not None:
        background.add_task(shadow.compare, request, principal, answer)
    return answer


def answer_for(
    request: SearchRequest, live: LiveRelease, canary: CanaryRelease, principal: Principal, client: str, telemetry: Telemetry
) -> SearchAnswer:
    """An answer of the canary for those who are chosen, and of the live release for all others, and where the canary fails."""
    if request.as_of is not None:
        return answer_of(request, live, principal, telemetry)
    with canary.for_one(principal, client) as loaded:
        if loaded is not None:
            try:
                answer = loaded.searcher.search(request, loaded.ref, principal)
            except Exception as e:  # noqa: BLE001 - whoever asks is answered by the live release, and the canary has one failure more
                telemetry.log.warning("canary failed", release=loaded.record.revision, **describe(e))
                canary.note(None, by_canary=True)
            else:
                canary.note(answer, by_canary=True)
                return answer
    try:
        answer = answer_of(request, live, principal, telemetry)
    except PlumblineError:
        canary.note(None, by_canary=False)
        raise
    canary.note(answer, by_canary=False)
    return answer


def answer_of(request: SearchRequest, live: LiveRelease, principal: Principal, telemetry: Telemetry) -> SearchAnswer:
    """One search on one release, which stays open until the answer is complete."""
    with live.acquire() as serving:
        answer = serving.loaded.searcher.search(request, release_asked_for(request, serving), principal)
        if answer.hits:
            return answer
        return answer.model_copy(update={"hints": [*answer.hints, *_why_missing(request, serving, telemetry)]})


def release_asked_for(request: SearchRequest, serving: Serving) -> ReleaseRef:
    """The live release, or the older one that ``as_of`` names, once its signature holds.

    Errors:
        RevisionUnknown: it was never published, is no longer retained, or belongs to another index.
        ReleaseUntrusted: its manifest is not what was signed.
        ReleaseLoading: it is newer than what this process has loaded.
    """
    loaded = serving.loaded
    if request.as_of is None:
        return loaded.ref
    if isinstance(request.as_of, int) and not 0 < request.as_of < OPEN_END:
        raise RevisionUnknown(f"There is no release {request.as_of}.", "`plumbline releases list` shows those there are.")
    record = serving.home.catalog.resolve(request.as_of)
    if record.revision == loaded.record.revision:
        return loaded.ref
    manifest = trusted_manifest(serving.home, record)
    if manifest.index != loaded.manifest.index:
        raise RevisionUnknown(
            f"Release {record.revision} belongs to another index ({manifest.index[:12]}) than the live one ({loaded.manifest.index[:12]}).",
            "Roll back to it with `plumbline releases rollback`, or ask for a release of the live index.",
        )
    if record.revision > loaded.reader.directory_revision:
        raise ReleaseLoading(f"Release {record.revision} was published a moment ago and is being loaded.", "Ask again in a second.")
    return release_ref(record)


def _why_missing(request: SearchRequest, serving: Serving, telemetry: Telemetry) -> list[Hint]:
    """Sources whose newest documents the answer could not have held: held back by a gate, or quarantined."""
    try:
        quarantined = serving.home.catalog.quarantined()
    except PlumblineError as e:  # a hint is not worth an answer
        telemetry.log.warning("no quarantine hint", slug=e.slug, what=e.what)
        quarantined = {}
    return why_missing(serving.loaded.manifest.held, quarantined, set(request.filters.sources))
