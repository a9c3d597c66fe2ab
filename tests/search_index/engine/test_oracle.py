"""The conformance suite holds for an engine that others wrote, so it asks for what Qdrant means and not for what we made of it."""

from __future__ import annotations

import pytest

from search_index.engine.interface import Engine
from tests.search_index.engine.conformance import EngineConformance
from tests.search_index.engine.oracle import OracleEngine


class TestOracle(EngineConformance):
    @pytest.fixture
    def engine(self) -> Engine:
        return OracleEngine()
