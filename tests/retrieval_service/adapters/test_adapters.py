"""LangChain, LlamaIndex and Haystack ask a real service, through their own packages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from retrieval_service.client import AsyncPlumblineClient, PlumblineClient
from retrieval_service.client.testing import InMemoryPlumbline, Passage
from search_index.model.filters import Filters
from search_index.model.search import SearchRequest
from tests.project import Project
from tests.retrieval_service.test_end_to_end import serving

TOLD = {"uri", "title", "source", "document_id", "chunk_id", "start", "end", "page", "section", "run_id", "release", "answer", "raw_sha256"}
QUESTION = "where does the otter live?"


@pytest.fixture
def double() -> InMemoryPlumbline:
    return InMemoryPlumbline(
        [Passage("animals:otter.md", "The otter lives by the river."), Passage("animals:owl.md", "Owls live in trees.")]
    )


@pytest.fixture
def address(published: Project, child_env: dict[str, str]) -> Iterator[str]:
    """A real service."""
    with serving(published, child_env) as found:
        yield found


class TestLangChain:
    def test_documents_say_where_they_came_from(self, double: InMemoryPlumbline) -> None:
        langchain = pytest.importorskip("retrieval_service.client.adapters.langchain", reason="needs the extra `langchain`")
        request = SearchRequest(query="-", limit=1, filters=Filters(sources=["animals"]))
        retriever = langchain.PlumblineRetriever(client=double.client(), asynchronous=double.async_client(), request=request)
        (document,) = retriever.invoke(QUESTION)
        assert (document.page_content, document.metadata["uri"]) == ("The otter lives by the river.", "animals:otter.md")
        assert document.metadata.keys() >= TOLD
        assert double.asked == [request.model_copy(update={"query": QUESTION})]
        assert [each.id for each in asyncio.run(retriever.ainvoke(QUESTION))] == [document.id]

    @pytest.mark.slow
    def test_a_real_service_answers(self, address: str) -> None:
        langchain = pytest.importorskip("retrieval_service.client.adapters.langchain", reason="needs the extra `langchain`")
        with PlumblineClient(address) as client:
            found = langchain.PlumblineRetriever(client=client).invoke(QUESTION)
            expected = client.search(QUESTION)
            assert [document.id for document in found] == [hit.chunk_id for hit in expected.hits]

        async def ask() -> list[str]:
            async with AsyncPlumblineClient(address) as asynchronous:
                retriever = langchain.PlumblineRetriever(client=client, asynchronous=asynchronous)
                return [document.id for document in await retriever.ainvoke(QUESTION)]

        assert asyncio.run(ask()) == [hit.chunk_id for hit in expected.hits]


class TestLlamaIndex:
    def test_nodes_have_scores_and_show_a_model_only_title_and_address(self, double: InMemoryPlumbline) -> None:
        adapter = pytest.importorskip("retrieval_service.client.adapters.llama_index", reason="needs the extra `llama-index`")
        from llama_index.core.schema import MetadataMode

        retriever = adapter.PlumblineRetriever(double.client(), double.async_client(), SearchRequest(query="-", limit=1))
        (found,) = retriever.retrieve(QUESTION)
        assert found.score is not None
        assert found.node.metadata.keys() >= TOLD
        shown = found.node.get_content(MetadataMode.LLM)
        assert "animals:otter.md" in shown
        assert found.node.metadata["raw_sha256"] not in shown
        assert [each.node.node_id for each in asyncio.run(retriever.aretrieve(QUESTION))] == [found.node.node_id]

    @pytest.mark.slow
    def test_a_real_service_answers(self, address: str) -> None:
        adapter = pytest.importorskip("retrieval_service.client.adapters.llama_index", reason="needs the extra `llama-index`")
        with PlumblineClient(address) as client:
            found = adapter.PlumblineRetriever(client).retrieve(QUESTION)
            assert [each.node.node_id for each in found] == [hit.chunk_id for hit in client.search(QUESTION).hits]


class TestHaystack:
    def test_documents_say_where_they_came_from(self, double: InMemoryPlumbline) -> None:
        adapter = pytest.importorskip("retrieval_service.client.adapters.haystack", reason="needs the extra `haystack`")
        (document,) = adapter.PlumblineRetriever(client=double.client()).run(QUESTION, limit=1)["documents"]
        assert (document.content, document.meta["uri"]) == ("The otter lives by the river.", "animals:otter.md")
        assert document.meta.keys() >= TOLD

    @pytest.mark.slow
    def test_a_pipeline_that_was_written_to_a_file_asks_a_real_service(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        adapter = pytest.importorskip("retrieval_service.client.adapters.haystack", reason="needs the extra `haystack`")
        from haystack import Pipeline

        monkeypatch.setenv("PLUMBLINE_KEY", "plb_secret")
        pipeline = Pipeline()
        pipeline.add_component("passages", adapter.PlumblineRetriever(address, request={"limit": 3}))
        written = pipeline.dumps()
        assert "plb_secret" not in written
        monkeypatch.delenv("PLUMBLINE_KEY")
        found = Pipeline.loads(written, allowed_modules=[adapter.__name__]).run({"passages": {"query": QUESTION}})["passages"]["documents"]
        with PlumblineClient(address) as client:
            expected = client.search(SearchRequest(query=QUESTION, limit=3))
        assert [document.id for document in found] == [hit.chunk_id for hit in expected.hits]
