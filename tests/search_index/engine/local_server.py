"""``qdrant-client`` in local mode in the place of a server: the same calls, answered in this process."""

from __future__ import annotations

from pathlib import Path

from qdrant_client import QdrantClient, models

from search_index.engine.server import ServerEngine
from search_index.engine.server_client import Server

SERVER = Server("http://127.0.0.1:6333")


class LocalServer(QdrantClient):
    """Everything in memory, for as many engines as ask for it. What only a server can do is left out here."""

    def __init__(self) -> None:
        super().__init__(":memory:")

    def create_payload_index(self, *_: object, **__: object) -> None:  # type: ignore[override]
        """Local mode warns that it has none."""

    def query_points(  # type: ignore[override]
        self,
        collection_name: str,
        query: list[float] | models.SparseVector,
        *,
        using: str,
        query_filter: models.Filter,
        search_params: models.SearchParams | None,
        limit: int,
        with_payload: bool,
        timeout: int,
    ) -> models.QueryResponse:
        """Local mode compares all, and warns when told how to search."""
        return super().query_points(
            collection_name, query, using=using, query_filter=query_filter, limit=limit, with_payload=with_payload, timeout=timeout
        )

    def close(self, *_: object, **__: object) -> None:
        """What a server holds is there when the client has gone."""


def engine_on(client: QdrantClient, folder: Path, server: Server = SERVER) -> ServerEngine:
    return ServerEngine(server, str(folder), lambda _: client)
