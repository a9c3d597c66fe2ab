"""The engine over a Qdrant server: the conformance suite on the client's local mode, and on a real server where there is one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_index.engine.interface import Engine
from search_index.engine.server import ServerEngine
from search_index.engine.server_client import Server, connect
from tests.conftest import REAL_QDRANT
from tests.search_index.engine.conformance import EngineConformance
from tests.search_index.engine.local_server import LocalServer, engine_on


class TestServerInLocalMode(EngineConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return engine_on(LocalServer(), tmp_path / "lake" / "_indexes")


class RealServer(EngineConformance):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        server = Server(os.environ[REAL_QDRANT], prefix=f"test_{uuid.uuid4().hex[:12]}")
        engine = ServerEngine(server, str(tmp_path / "lake" / "_indexes"), connect)
        yield engine
        client = connect(server)
        for collection in client.get_collections().collections:
            if collection.name.startswith(server.prefix):
                client.delete_collection(collection.name)
        client.close()
        engine.close()


if REAL_QDRANT in os.environ:

    class TestRealServer(RealServer):
        """The same on the server that is there."""

else:

    @pytest.mark.skip(
        reason="needs a Qdrant server on loopback: set PLUMBLINE_QDRANT_URL to its address to run the conformance suite on it"
    )
    def test_a_real_server() -> None:
        """Stands for the whole suite where there is none."""
