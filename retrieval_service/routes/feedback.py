"""``POST /v1/feedback``: what people say of answers; ``GET /v1/reviews``: the answers that wait for a person to look at them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query

from quality_checks.folding import fold
from retrieval_service.access import require
from retrieval_service.deps import CatalogDep, LiveDep, PrincipalDep, QueryLogDep
from retrieval_service.reviewing import readable
from search_index.engine.interface import IndexReader, Visibility
from search_index.errors import NotFound, RevisionUnknown, WrongUsage
from search_index.model.document import document_id
from search_index.model.feedback import FeedbackRequest, FeedbackTaken
from search_index.model.release import now
from search_index.model.usage import Feedback, ReviewItem

router = APIRouter(tags=["quality"])


@router.post("/v1/feedback", status_code=201, summary="Say what an answer was worth", operation_id="give_feedback")
def give_feedback(said: FeedbackRequest, live: LiveDep, catalog: CatalogDep, log: QueryLogDep, principal: PrincipalDep) -> FeedbackTaken:
    """Write down what somebody says of an answer that they, and nobody else, were given.

    The same word on the same passage twice counts once, the newer one. It changes no ranking by itself: a person reviews it first.
    """
    require(principal, "feedback")
    query = log.given_to(said.answer, principal, catalog)
    with live.acquire() as serving:
        loaded = serving.loaded
        seen = loaded.searcher.sight(loaded.record.revision, principal)
        if said.chunk_id is not None and (said.chunk_id not in query.chunks or seen.excluded_documents):
            _visible_chunk(loaded.reader, replace(seen, revision=query.release), said.chunk_id)
        if said.uri is not None and said.quote is not None:
            _quoted(loaded.reader, seen, said.uri, said.quote)
    catalog.add_feedback(
        Feedback(
            query_id=query.id,
            at=now(),
            principal=query.principal,
            release=query.release,
            **said.model_dump(exclude={"answer"}),
        )
    )
    return FeedbackTaken(answer=query.id, kind=said.kind, release=query.release)


@router.get("/v1/reviews", summary="Answers to look at", operation_id="list_reviews")
def list_reviews(
    catalog: CatalogDep, live: LiveDep, principal: PrincipalDep, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[ReviewItem]:
    """Answers that were disliked or corrected, then those that the service itself was not sure of, the newest first.

    What of them is about documents that you may not read now is left out. `plumbline golden accept` makes a golden query of one,
    `plumbline golden dismiss` takes it off.
    """
    require(principal, "governance")
    found = catalog.review_queue(limit, principal.tenant)
    with live.acquire() as serving:
        loaded = serving.loaded
        return readable(found, loaded.reader, loaded.searcher.sight(loaded.record.revision, principal))


def _visible_chunk(reader: IndexReader, seen: Visibility, chunk_id: str) -> None:
    """Make sure that it was to be seen in the release that answered.

    Raises:
        NotFound: it was not, or that release is no longer held.
    """
    try:
        found = reader.find(seen, chunk_id=chunk_id)
    except RevisionUnknown:
        found = []
    if not found:
        raise NotFound(f"The answer held no passage {chunk_id}.", "Name the `chunk_id` of one of its hits.")


def _quoted(reader: IndexReader, seen: Visibility, uri: str, quote: str) -> None:
    """Make sure that the document may be read, and says so.

    Raises:
        NotFound: there is no such document, or none that this principal may read.
        WrongUsage: no passage of it holds these words.
    """
    source, separator, path = uri.partition(":")
    passages = reader.find(seen, document_id=document_id(source, path)) if separator else []
    if not passages:
        raise NotFound(f"There is no document {uri}, or none that you may read.", "Give its address as hits do: `source:path`.")
    wanted = fold(quote).text
    if not any(wanted in fold(str(passage["text"])).text for passage in passages):
        raise WrongUsage(f"No passage of {uri} holds these words.", "Quote it as it stands, from one passage.")
