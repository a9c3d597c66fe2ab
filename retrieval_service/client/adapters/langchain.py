"""Plumbline as a LangChain retriever. Needs the extra ``langchain``."""

from __future__ import annotations

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from retrieval_service.client.adapters.told import told_of
from retrieval_service.client.asynchronous import AsyncPlumblineClient
from retrieval_service.client.synchronous import PlumblineClient
from search_index.model.search import SearchAnswer, SearchRequest


class PlumblineRetriever(BaseRetriever):
    """The best passages as LangChain documents, their provenance in ``metadata``.

    ``request`` is what every question is asked with; its own ``query`` is put in place of the one there. ``asynchronous`` answers
    ``ainvoke``; without it that runs the other in a thread.

    Errors:
        PlumblineProblem: as the clients raise it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    client: PlumblineClient
    asynchronous: AsyncPlumblineClient | None = None
    request: SearchRequest = SearchRequest(query="-")

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return _documents(self.client.search(self.request.model_copy(update={"query": query})))

    async def _aget_relevant_documents(self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun) -> list[Document]:
        if self.asynchronous is None:
            return await super()._aget_relevant_documents(query, run_manager=run_manager)
        return _documents(await self.asynchronous.search(self.request.model_copy(update={"query": query})))


def _documents(answer: SearchAnswer) -> list[Document]:
    return [Document(id=hit.chunk_id, page_content=hit.text, metadata=told_of(answer, hit)) for hit in answer.hits]
