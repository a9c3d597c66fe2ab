"""The Python client against the in-memory double, and the double against the client."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from retrieval_service.client import PlumblineClient, PlumblineProblem
from retrieval_service.client.calls import search
from retrieval_service.client.retrying import LONGEST_WAIT_S, Retrying
from retrieval_service.client.testing import Failure, InMemoryPlumbline, Passage
from search_index.model.context import ContextRequest
from search_index.model.feedback import FeedbackRequest
from search_index.model.filters import Filters
from search_index.model.search import SearchRequest

PASSAGES = [
    Passage("handbook:rollback.md", "A rollback points at the release before, and pauses publishing.", "Rolling back"),
    Passage("handbook:freeze.md", "A freeze stops publishing until somebody lifts it.", "Freezing"),
    *(Passage(f"reports:{n}.md", f"Report {n} on the bridge: the bridge stands, release unknown.") for n in range(7)),
]
AT_ONCE = Retrying(attempts=3)


@pytest.fixture
def plumbline() -> InMemoryPlumbline:
    return InMemoryPlumbline(PASSAGES)


def test_a_question_alone_is_enough(plumbline: InMemoryPlumbline) -> None:
    with plumbline.client() as client:
        answer = client.search("who lifts a freeze?")
    assert [hit.uri for hit in answer.hits] == ["handbook:freeze.md"]
    assert plumbline.asked == [SearchRequest(query="who lifts a freeze?")]


def test_only_what_differs_from_the_defaults_is_sent() -> None:
    assert search(SearchRequest(query="q", limit=10)).body == {"query": "q"}
    assert search(SearchRequest(query="q", limit=3, filters=Filters(sources=["handbook"]))).body == {
        "query": "q",
        "limit": 3,
        "filters": {"sources": ["handbook"]},
    }


def test_pages_follow_one_another_to_the_end(plumbline: InMemoryPlumbline) -> None:
    request = SearchRequest(query="bridge report", limit=3)
    with plumbline.client() as client:
        pages = list(client.pages(request))
        whole = client.search(SearchRequest(query="bridge report", limit=100))
    assert [len(page.hits) for page in pages] == [3, 3, 1]
    assert [hit.chunk_id for page in pages for hit in page.hits] == [hit.chunk_id for hit in whole.hits]
    assert [hit.rank for page in pages for hit in page.hits] == list(range(1, 8))


def test_a_filter_narrows(plumbline: InMemoryPlumbline) -> None:
    with plumbline.client() as client:
        answer = client.search(SearchRequest(query="release", filters=Filters(sources=["handbook"])))
        one = client.search(SearchRequest(query="release", filters=Filters(documents=["reports:3.md"])))
    assert {hit.source for hit in answer.hits} == {"handbook"}
    assert [hit.uri for hit in one.hits] == ["reports:3.md"]


def test_context_keeps_to_its_budget_and_says_what_it_left_out(plumbline: InMemoryPlumbline) -> None:
    with plumbline.client() as client:
        found = client.context(ContextRequest(query="bridge report", budget=30))
    assert found.tokens <= 30
    assert [passage.citation for passage in found.passages] == [1, 2]
    assert len(found.passages) + len(found.dropped) == 7
    assert all(f"[{passage.citation}]" in found.text and passage.text in found.text for passage in found.passages)


def test_feedback_names_an_answer_that_was_given(plumbline: InMemoryPlumbline) -> None:
    with plumbline.client() as client:
        answer = client.search("freeze")
        said = FeedbackRequest(answer=str(answer.id), kind="relevant", chunk_id=answer.hits[0].chunk_id)
        assert client.feedback(said).kind == "relevant"
        with pytest.raises(PlumblineProblem) as refused:
            client.feedback(said.model_copy(update={"answer": "0" * 24}))
    assert plumbline.feedback == [said]
    assert (refused.value.slug, refused.value.status) == ("not-found", 404)


def test_another_publish_is_another_release(plumbline: InMemoryPlumbline) -> None:
    with plumbline.client() as client:
        before = client.search("freeze")
        plumbline.publish([Passage("handbook:thaw.md", "Lifting a freeze is called thawing.")])
        after = client.search("freeze")
        assert client.ready()["release"] == after.release.revision == before.release.revision + 1
    assert [hit.uri for hit in after.hits] == ["handbook:thaw.md"]


class TestTryingAgain:
    @pytest.mark.parametrize(
        "failure", [Failure("overloaded", 503, retry_after_s=0.01), Failure("too-many-requests", 429, retry_after_s=0.01)]
    )
    def test_what_passes_by_itself_is_asked_again(self, plumbline: InMemoryPlumbline, failure: Failure) -> None:
        plumbline.fail(failure, times=2)
        with plumbline.client(AT_ONCE) as client:
            assert client.search("freeze").hits
        plumbline.fail(failure, times=3)
        with plumbline.client(AT_ONCE) as client, pytest.raises(PlumblineProblem) as given_up:
            client.search("freeze")
        assert (given_up.value.slug, given_up.value.retry_after_s) == (failure.slug, 0.01)

    @pytest.mark.parametrize(
        "failure", [Failure("forbidden", 403), Failure("internal", 500), Failure("overloaded", 503, retry_after_s=LONGEST_WAIT_S + 1)]
    )
    def test_what_does_not_is_raised_at_once(self, plumbline: InMemoryPlumbline, failure: Failure) -> None:
        plumbline.fail(failure)
        with plumbline.client(AT_ONCE) as client, pytest.raises(PlumblineProblem) as refused:
            client.search("freeze")
        assert refused.value.slug == failure.slug
        assert plumbline.asked == []

    def test_as_long_is_waited_as_the_service_asks(self, plumbline: InMemoryPlumbline) -> None:
        plumbline.fail(Failure("overloaded", 503, retry_after_s=0.6))
        began = time.monotonic()
        with plumbline.client(AT_ONCE) as client:
            client.search("freeze")
        assert time.monotonic() - began >= 0.6

    def test_a_service_that_is_not_there_is_unreachable(self) -> None:
        tried = []

        def refuse(request: httpx.Request) -> httpx.Response:
            tried.append(request)
            raise httpx.ConnectError("refused")

        nowhere = PlumblineClient("http://nowhere", retrying=AT_ONCE, transport=httpx.MockTransport(refuse))
        with nowhere as client, pytest.raises(PlumblineProblem) as lost:
            client.search("freeze")
        assert (lost.value.slug, lost.value.status, len(tried)) == ("unreachable", 0, 3)

    def test_a_proxy_that_answers_instead_is_a_problem_too(self) -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(502, text="<html>Bad gateway</html>"))
        with PlumblineClient("http://proxy", transport=transport) as client, pytest.raises(PlumblineProblem) as refused:
            client.search("freeze")
        assert (refused.value.slug, refused.value.status) == ("http", 502)


def test_the_key_is_sent_and_is_in_no_message(plumbline: InMemoryPlumbline) -> None:
    seen: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(401, content=json.dumps({"type": "urn:plumbline:problem:unauthorized", "detail": "No valid key."}))

    locked = PlumblineClient("http://x", "plb_secret", transport=httpx.MockTransport(refuse))
    with locked as client, pytest.raises(PlumblineProblem) as refused:
        client.search("freeze")
    assert seen == ["Bearer plb_secret"]
    assert "plb_secret" not in f"{refused.value!r} {refused.value}"


def test_the_asynchronous_client_does_the_same(plumbline: InMemoryPlumbline) -> None:
    async def ask() -> None:
        plumbline.fail(Failure("overloaded", 503, retry_after_s=0.01))
        async with plumbline.async_client(AT_ONCE) as client:
            answers = await asyncio.gather(*(client.search("freeze") for _ in range(5)))
            assert len({answer.hits[0].chunk_id for answer in answers}) == 1
            pages = [page async for page in client.pages(SearchRequest(query="bridge report", limit=3))]
            assert [len(page.hits) for page in pages] == [3, 3, 1]
            assert (await client.context("freeze")).passages
            plumbline.fail(Failure("forbidden", 403))
            with pytest.raises(PlumblineProblem):
                await client.search("freeze")

    asyncio.run(ask())
