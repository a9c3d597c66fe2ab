"""Plumbline as a Haystack component. Needs the extra ``haystack``.

Haystack reads the annotations of ``run``, so this module does not postpone them.
"""

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import Secret, deserialize_secrets_inplace

from retrieval_service.client.adapters.told import told_of
from retrieval_service.client.synchronous import PlumblineClient
from search_index.model.search import SearchRequest


@component
class PlumblineRetriever:
    """The best passages as Haystack documents, their provenance in ``meta``.

    Args:
        address: of the service.
        key: an API key; by default what the environment has as ``PLUMBLINE_KEY``, if it has it.
        request: what every question is asked with; its own ``query`` is put in place of the one there.
        client: used instead of one that is made of address and key; such a component is not written into a pipeline's file whole.

    Errors:
        PlumblineProblem: as the client raises it.
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:8000",
        key: Secret | None = None,
        request: dict[str, object] | None = None,
        client: PlumblineClient | None = None,
    ) -> None:
        self.address = address
        self.key = key or Secret.from_env_var("PLUMBLINE_KEY", strict=False)
        self.request = SearchRequest.model_validate({"query": "-", **(request or {})})
        self._client = client

    @component.output_types(documents=list[Document])
    def run(self, query: str, limit: int | None = None) -> dict[str, list[Document]]:
        """Search.

        Args:
            limit: how many passages; None takes the request's own.
        """
        asked = self.request.model_copy(update={"query": query, **({"limit": limit} if limit is not None else {})})
        if self._client is not None:
            answer = self._client.search(asked)
        else:  # a component is never told that it is done with, so it keeps no connection
            with PlumblineClient(self.address, self.key.resolve_value()) as client:
                answer = client.search(asked)
        return {
            "documents": [Document(id=hit.chunk_id, content=hit.text, meta=told_of(answer, hit), score=hit.score) for hit in answer.hits]
        }

    def to_dict(self) -> dict[str, object]:
        """For a pipeline's file; a key goes in as the name of its variable alone."""
        asked = self.request.model_dump(mode="json", exclude_defaults=True, exclude={"query"})
        written: dict[str, object] = default_to_dict(self, address=self.address, key=self.key.to_dict(), request=asked)
        return written

    @classmethod
    def from_dict(cls, data: dict[str, dict[str, object]]) -> "PlumblineRetriever":
        """From a pipeline's file."""
        deserialize_secrets_inplace(data["init_parameters"], keys=["key"])
        made: PlumblineRetriever = default_from_dict(cls, data)
        return made
