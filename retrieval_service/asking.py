"""Which release answers a request, and the answer: the live one, an older one, the canary, or the one a cursor is pinned to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from retrieval_service.answer_cache import Look
from retrieval_service.canary import CanaryRelease
from retrieval_service.cursors import Pinned, cursor_for, expired, pinned_by
from retrieval_service.live import LiveRelease, Serving
from retrieval_service.problems import ReleaseLoading, describe
from retrieval_service.telemetry import Telemetry
from search_index.deadline import Deadline
from search_index.errors import DeadlineExceeded, FilterInvalid, NotFound, PlumblineError, RevisionUnknown, WrongUsage
from search_index.hints import why_missing
from search_index.home import Home, LoadedRelease, release_ref, searcher_of, trusted_manifest
from search_index.model.filters import Filters
from search_index.model.search import OPEN_END, Hint, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.ranker import ARMS
from search_index.searcher import Searcher
from search_index.tenancy import held_for, quarantined_for


def answer_for(
    request: SearchRequest,
    live: LiveRelease,
    canary: CanaryRelease,
    principal: Principal,
    client: str,
    telemetry: Telemetry,
    deadline: Deadline,
    look: Look,
) -> SearchAnswer:
    """An answer of the canary for those who are chosen, and of the live release for all others, and where the canary fails.

    What is not the first page of the live release or of an older one is never kept.
    """
    if request.cursor is not None:
        return _next_page(request, live, canary, principal, client, telemetry, deadline)
    if request.as_of is not None:
        return answer_of(request, live, principal, telemetry, deadline, look)
    with canary.for_one(principal, client) as loaded:
        if loaded is not None:
            try:
                answer = loaded.searcher.search(request, loaded.ref, principal, deadline=deadline)
                answer = _with_cursor(answer, request, principal, loaded, live)
            except Exception as e:  # noqa: BLE001 - whoever asks is answered by the live release, and the canary has one failure more
                if not _callers_own(e):
                    telemetry.log.warning("canary failed", release=loaded.record.revision, **describe(e))
                    canary.note(None, by_canary=True)
            else:
                canary.note(answer, by_canary=True)
                return answer
    try:
        answer = answer_of(request, live, principal, telemetry, deadline, look)
    except PlumblineError as e:
        if not _callers_own(e):
            canary.note(None, by_canary=False)
        raise
    if look.result != "hit":  # which would be held against a canary, whose answers are not kept
        canary.note(answer, by_canary=False)
    return answer


def to_be_encoded(request: SearchRequest, live: LiveRelease, principal: Principal, look: Look) -> list[str]:
    """The query of a request that will be answered by searching the live release for its meaning; nothing of any other.

    To be called from the event loop: it waits for nothing, so not for an overlay that cannot be read just now either.
    """
    if "dense" not in ARMS[request.mode] or request.as_of is not None:
        return []
    try:
        live.overlay.check()
        with live.acquire() as serving:
            kept = look.wanted and serving.answers.holds(request, serving.loaded.ref, principal, serving.loaded)
    except PlumblineError:  # which the search will say
        return []
    return [] if kept else [request.query]


def _callers_own(error: Exception) -> bool:
    """Whether it says nothing of the release: who asks for a field that there is not must not get a canary withdrawn."""
    return isinstance(error, FilterInvalid | WrongUsage | DeadlineExceeded)


def answer_of(
    request: SearchRequest, live: LiveRelease, principal: Principal, telemetry: Telemetry, deadline: Deadline, look: Look
) -> SearchAnswer:
    """One search on one release, which stays open until the answer is complete."""
    with live.acquire() as serving:
        return answer_from(serving, request, release_asked_for(request.as_of, serving), principal, telemetry, deadline, look)


def answer_from(
    serving: Serving,
    request: SearchRequest,
    release: ReleaseRef,
    principal: Principal,
    telemetry: Telemetry,
    deadline: Deadline,
    look: Look,
) -> SearchAnswer:
    """The same on a release that is open, with the cursor of the next page and, where nothing was found, why that may be.

    Cursors and reasons are made for each answer, kept or not: the one is signed and ends, the others change beside releases.
    """
    loaded = serving.loaded

    def search() -> SearchAnswer:
        return loaded.searcher.search(request, release, principal, deadline=deadline)

    answer = serving.answers.answer(request, release, principal, loaded, search, look)
    answer = _pinned_on(answer, Pinned(release.revision, loaded.record.revision, 0), request, principal, serving.home)
    if answer.hits:
        return answer
    return answer.model_copy(update={"hints": [*answer.hints, *why_nothing(request.filters.sources, serving, principal, telemetry)]})


def release_asked_for(as_of: int | datetime | None, serving: Serving) -> ReleaseRef:
    """The live release, or the older one that ``as_of`` names, once its signature holds.

    Errors:
        RevisionUnknown: it was never published, is no longer retained, or belongs to another index.
        ReleaseUntrusted: its manifest is not what was signed.
        ReleaseLoading: it is newer than what this process has loaded.
    """
    loaded = serving.loaded
    if as_of is None:
        return loaded.ref
    if isinstance(as_of, int) and not 0 < as_of < OPEN_END:
        raise RevisionUnknown(f"There is no release {as_of}.", "`plumbline releases list` shows those there are.")
    record = serving.home.catalog.resolve(as_of)
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


def why_nothing(sources: list[str], serving: Serving, principal: Principal, telemetry: Telemetry) -> list[Hint]:
    """Sources whose newest documents the answer could not have held: held back by a gate, or quarantined.

    Told are those of which whoever asks may see something, and all of the tenant's to the scope ``governance``.
    """
    try:
        quarantined, lanes = serving.home.catalog.quarantined(), serving.home.catalog.lane_tenants()
    except PlumblineError as e:  # a hint is not worth an answer
        telemetry.log.warning("no quarantine hint", slug=e.slug, what=e.what)
        quarantined, lanes = {}, {}
    manifest, tenant = serving.loaded.manifest, principal.tenant
    held, unread = held_for(manifest, tenant), quarantined_for(quarantined, manifest, tenant, lanes)
    if "governance" not in principal.scopes:
        heard_of = _seen_sources({*(each.source for each in held), *unread}, serving, principal)
        held = [each for each in held if each.source in heard_of]
        unread = {source: count for source, count in unread.items() if source in heard_of}
    return why_missing(held, unread, set(sources))


def _seen_sources(sources: set[str], serving: Serving, principal: Principal) -> set[str]:
    """Those of which something is to be seen; none while the engine cannot be asked."""
    loaded = serving.loaded
    try:
        sight = loaded.searcher.sight(loaded.record.revision, principal)
        return {source for source in sources if loaded.reader.count(replace(sight, filters=Filters(sources=[source])))}
    except PlumblineError:
        return set()


def _next_page(
    request: SearchRequest,
    live: LiveRelease,
    canary: CanaryRelease,
    principal: Principal,
    client: str,
    telemetry: Telemetry,
    deadline: Deadline,
) -> SearchAnswer:
    """The page that a cursor leads to, in the very ranking that the page before was of.

    Errors:
        CursorInvalid: it is no cursor of this request.
        CursorExpired: it is too old, or its release is no longer held.
    """
    with live.acquire() as serving, canary.for_one(principal, client) as tried:
        pinned = pinned_by(request.cursor or "", request, principal, serving.home.signing_key())
        page = request.model_copy(update={"cursor": None, "offset": pinned.offset})
        try:
            if tried is not None and tried.record.revision == pinned.ranked_by:
                searcher, release = tried.searcher, tried.ref
            else:
                searcher, release = _ranking_of(pinned, serving)
            answer = searcher.search(page, release, principal, deadline=deadline)
        except (RevisionUnknown, NotFound):
            telemetry.log.info("page no longer held", release=pinned.revision)
            raise expired() from None
        return _pinned_on(answer, pinned, request, principal, serving.home)


def _ranking_of(pinned: Pinned, serving: Serving) -> tuple[Searcher, ReleaseRef]:
    """What ranks as ``pinned.ranked_by`` did, over what is open; and the release whose revision is looked at."""
    loaded, home = serving.loaded, serving.home
    release = release_asked_for(pinned.revision, serving)
    if pinned.ranked_by == loaded.record.revision:
        return loaded.searcher, release
    manifest = trusted_manifest(home, home.catalog.release(pinned.ranked_by))
    if manifest.index != loaded.manifest.index:
        raise RevisionUnknown(f"Release {pinned.ranked_by} belongs to another index.")
    if manifest.ranking == loaded.manifest.ranking:
        return loaded.searcher, release
    return searcher_of(home, manifest, loaded.reader), release


def _with_cursor(answer: SearchAnswer, request: SearchRequest, principal: Principal, by: LoadedRelease, live: LiveRelease) -> SearchAnswer:
    if answer.next_offset is None:
        return answer
    with live.acquire() as serving:
        return _pinned_on(answer, Pinned(answer.release.revision, by.record.revision, 0), request, principal, serving.home)


def _pinned_on(answer: SearchAnswer, pinned: Pinned, request: SearchRequest, principal: Principal, home: Home) -> SearchAnswer:
    if answer.next_offset is None:
        return answer
    following = pinned._replace(offset=answer.next_offset)
    return answer.model_copy(update={"next": cursor_for(following, request, principal, home.signing_key())})
