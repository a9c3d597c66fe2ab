"""Pushing, batches and whole documents through both clients, against the double; and against the service itself."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient

from retrieval_service.client import PlumblineClient, PlumblineProblem, PushNotLive
from retrieval_service.client.testing import InMemoryPlumbline, Passage
from search_index.model.batch import BatchRequest
from search_index.model.pushing import PushedDocument, PushRequest
from search_index.model.search import SearchRequest
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.answering.corpus import CORPUS

NOTE = PushRequest(
    source="tickets", access=["everyone"], documents=[PushedDocument(path="1.txt", text="The gland of pump three leaks.", title="Pump")]
)


@pytest.fixture
def plumbline() -> InMemoryPlumbline:
    return InMemoryPlumbline([Passage("handbook:freeze.md", "A freeze stops publishing.")])


class TestTheDouble:
    def test_what_is_pushed_is_live_once_it_was_taken_in(self, plumbline: InMemoryPlumbline) -> None:
        with plumbline.client() as client:
            receipt = client.put_documents(NOTE)
            assert client.pushed(receipt.receipt).documents[0].state == "waiting"
            assert client.search("gland").hits == []
            plumbline.take_in()
            status = client.wait_until_live(receipt.receipt, 0)
            assert (status.live, status.documents[0].release) == (True, plumbline.revision)
            hit = client.search("gland").hits[0]
            assert (hit.uri, hit.title) == ("tickets:1.txt", "Pump")
            gone = client.delete_documents("tickets", ["1.txt"])
            assert client.search("gland").hits
            plumbline.take_in()
            assert client.wait_until_live(gone.receipt, 0).documents[0].sha256 is None
            assert client.search("gland").hits == []
            assert client.search("freeze").hits

    def test_waiting_ends_with_time_and_with_what_a_person_has_to_see(self, plumbline: InMemoryPlumbline) -> None:
        with plumbline.client() as client:
            receipt = client.put_documents(NOTE).receipt
            with pytest.raises(PushNotLive, match="not within 0 seconds"):
                client.wait_until_live(receipt, 0)
            plumbline.take_in(held_by="removal_accepted")
            with pytest.raises(PushNotLive, match="held by removal_accepted") as raised:
                client.wait_until_live(receipt, 60)
            assert raised.value.status.documents[0].uri == "tickets:1.txt"

    def test_the_asynchronous_client_waits_too(self, plumbline: InMemoryPlumbline) -> None:
        async def pushing() -> int | None:
            async with plumbline.async_client() as client:
                receipt = await client.put_documents(NOTE)
                waiting = asyncio.create_task(client.wait_until_live(receipt.receipt, 30, every_s=0.01))
                await asyncio.sleep(0.03)
                assert not waiting.done()
                plumbline.take_in()
                document = await client.document("tickets:1.txt")
                assert document.passages[0].text == "The gland of pump three leaks."
                batch = await client.search_batch(BatchRequest(requests=[SearchRequest(query="gland")]))
                assert batch.answers[0].answer is not None
                await client.delete_documents("tickets", ["1.txt"])
                return (await waiting).documents[0].release

        assert asyncio.run(pushing()) == 2

    def test_a_document_comes_by_pages(self) -> None:
        double = InMemoryPlumbline([Passage("a:b.md", f"passage {n}") for n in range(5)])
        with double.client() as client:
            first = client.document("a:b.md", limit=3)
            rest = client.document(first.document_id, offset=first.next_offset or 0, limit=3)
            assert [p.text for p in [*first.passages, *rest.passages]] == [f"passage {n}" for n in range(5)]
            assert (first.total, rest.next_offset) == (5, None)
            with pytest.raises(PlumblineProblem, match="no document"):
                client.document("a:c.md")


class TestTheService:
    @pytest.fixture
    def client(self, searching: TestClient) -> Iterator[PlumblineClient]:
        def send(request: httpx.Request) -> httpx.Response:
            answer = searching.request(
                request.method, str(request.url).removeprefix("http://127.0.0.1"), content=request.content, headers=dict(request.headers)
            )
            return httpx.Response(answer.status_code, content=answer.content)

        with PlumblineClient("http://127.0.0.1", transport=httpx.MockTransport(send)) as client:
            yield client

    def test_it_takes_what_the_client_sends(self, client: PlumblineClient, real: RealIndex) -> None:
        receipt = client.put_documents(NOTE)
        assert [taken.uri for taken in receipt.documents] == ["tickets:1.txt"]
        assert [each.state for each in client.pushed(receipt.receipt).documents] == ["waiting"]
        file = PushedDocument(path="a b/ü.pdf", content=base64.b64encode(b"%PDF").decode())
        assert client.put_documents(PushRequest(source="papers", access=["everyone"], documents=[file])).documents[0].sha256
        gone = client.delete_documents("papers", ["a b/ü.pdf"])
        assert (gone.documents[0].uri, gone.documents[0].sha256) == ("papers:a b/ü.pdf", None)
        assert not list((real.settings.root / "pushed" / "papers" / "documents" / "a b").iterdir())

    def test_the_examples_of_its_description_are_taken(self, searching: TestClient) -> None:
        for example in searching.get("/openapi.json").json()["components"]["schemas"]["PushRequest"]["examples"]:
            assert searching.put("/v1/documents", json=example).status_code == 202

    def test_batches_and_documents_are_the_service_s_own(self, client: PlumblineClient) -> None:
        uri = CORPUS[-1].uri
        batch = client.search_batch(BatchRequest(requests=[SearchRequest(query="golden part", limit=1)], as_of=1))
        assert batch.answers[0].answer is not None
        assert len(batch.answers[0].answer.hits) == 1
        document = client.document(uri, limit=1, as_of=1)
        assert (document.uri, len(document.passages)) == (uri, 1)
