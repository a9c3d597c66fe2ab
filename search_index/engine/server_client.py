"""Reaching a Qdrant server: where it is, how long to wait for it, and what its failures mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from search_index.errors import DiskFull, HomeDamaged, ServerUnavailable

_AWAY = "Look whether it runs and PLUMBLINE_QDRANT_URL is its address; what is stored there is not touched."
_REFUSED = "Set PLUMBLINE_QDRANT_API_KEY to a key of it that may read, and for ingestion write."
REBUILD = "Run `plumbline doctor`; put the collection back from a snapshot, or publish again to build it anew."


@dataclass(frozen=True, slots=True)
class Server:
    """A Qdrant server. Times are in whole seconds, as the client takes them, and hold for each call.

    ``prefix`` begins the names of all collections.
    """

    url: str
    prefix: str = "plumbline"
    api_key: SecretStr | None = field(default=None, repr=False)
    read_s: int = 5
    write_s: int = 60


def connect(server: Server) -> QdrantClient:
    """A client of the server, safe for many threads. Nothing is sent yet."""
    key = server.api_key.get_secret_value() if server.api_key else None
    # The check of versions is a thread that prints; what is wrong shows with the first call.
    return QdrantClient(url=server.url, api_key=key, timeout=server.read_s, check_compatibility=False)


@contextmanager
def server_errors(what: str) -> Iterator[None]:
    """The client's exceptions as errors that a person can act on. They quote neither request nor answer, which may hold text.

    Raises:
        ServerUnavailable: the server does not answer in time, is overloaded, or lets nobody in with this key.
        DiskFull: it has no room.
        HomeDamaged: it answers, but not as it would if everything were there: a collection is missing, for one.
    """
    try:
        yield
    except QdrantException as error:
        raise ServerUnavailable(f"{what}: Qdrant's limit on requests is reached.", "Wait, or raise its limit.") from error
    except ResponseHandlingException as error:
        raise ServerUnavailable(f"{what}: Qdrant does not answer ({type(error.source).__name__}).", _AWAY) from error
    except json.JSONDecodeError as error:
        raise ServerUnavailable(f"{what}: what answers is no Qdrant.", _AWAY) from error
    except UnexpectedResponse as error:
        status = error.status_code or 0
        if status in (401, 403):
            raise ServerUnavailable(f"{what}: Qdrant refuses the key (status {status}).", _REFUSED) from error
        if status == 507 or b"No space left" in error.content or b"exceeds available disk space" in error.content:
            raise DiskFull(f"{what}: the disk of the Qdrant server is full.", "Free some space there and run it again.") from error
        if status == 429 or status >= 500:
            raise ServerUnavailable(f"{what}: Qdrant cannot answer now (status {status}).", _AWAY) from error
        raise HomeDamaged(f"{what}: Qdrant refuses it (status {status}).", REBUILD) from error
