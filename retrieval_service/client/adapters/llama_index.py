"""Plumbline as a LlamaIndex retriever. Needs the extra ``llama-index``."""

from __future__ import annotations

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from retrieval_service.client.adapters.told import told_of
from retrieval_service.client.asynchronous import AsyncPlumblineClient
from retrieval_service.client.synchronous import PlumblineClient
from search_index.model.search import SearchAnswer, SearchRequest


class PlumblineRetriever(BaseRetriever):
    """The best passages as LlamaIndex nodes with their scores, and their provenance as metadata that no model is shown.

    Args:
        client: asks for ``retrieve``.
        asynchronous: asks for ``aretrieve``; without it that asks through ``client``, and blocks.
        request: what every question is asked with; its own ``query`` is put in place of the one there.

    Errors:
        PlumblineProblem: as the clients raise it.
    """

    def __init__(
        self, client: PlumblineClient, asynchronous: AsyncPlumblineClient | None = None, request: SearchRequest | None = None
    ) -> None:
        super().__init__()
        self._plumbline, self._asynchronous = client, asynchronous
        self._request = request or SearchRequest(query="-")

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return _nodes(self._plumbline.search(self._asked(query_bundle)))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        if self._asynchronous is None:
            return self._retrieve(query_bundle)
        return _nodes(await self._asynchronous.search(self._asked(query_bundle)))

    def _asked(self, query_bundle: QueryBundle) -> SearchRequest:
        return self._request.model_copy(update={"query": query_bundle.query_str})


def _nodes(answer: SearchAnswer) -> list[NodeWithScore]:
    found = []
    for hit in answer.hits:
        told = told_of(answer, hit)
        shown = {"uri", "title"}
        hidden = sorted(told.keys() - shown)
        node = TextNode(
            id_=hit.chunk_id, text=hit.text, metadata=told, excluded_llm_metadata_keys=hidden, excluded_embed_metadata_keys=hidden
        )
        found.append(NodeWithScore(node=node, score=hit.score))
    return found
