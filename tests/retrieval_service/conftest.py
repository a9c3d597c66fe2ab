"""The service over an index made by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from tests.retrieval_service.fakes import FakeIndex
from tests.retrieval_service.real_index import RealIndex, corpus_at, staged_corpus


@pytest.fixture
def index(tmp_path: Path) -> FakeIndex:
    """A home with nothing in it; ``publish`` puts releases there."""
    return FakeIndex(tmp_path)


@pytest.fixture
def log() -> io.StringIO:
    """What the service logged, JSON lines."""
    return io.StringIO()


@pytest.fixture
def client(index: FakeIndex, log: io.StringIO) -> Iterator[TestClient]:
    """The service with release 1 live."""
    index.publish()
    with TestClient(create_app(index.settings, telemetry=Telemetry(log), load=index.load)) as client:
        yield client


@pytest.fixture
def empty(index: FakeIndex, log: io.StringIO) -> Iterator[TestClient]:
    """The service before there is a home."""
    with TestClient(create_app(index.settings, telemetry=Telemetry(log), load=index.load)) as client:
        yield client


@pytest.fixture(scope="session")
def _staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return staged_corpus(tmp_path_factory.mktemp("staged"))


@pytest.fixture
def real(tmp_path: Path, _staged: Path) -> RealIndex:
    """A home over the embedded engine; release 1 holds passages that not everyone may read."""
    return corpus_at(tmp_path, _staged)


@pytest.fixture
def searching(real: RealIndex, log: io.StringIO) -> Iterator[TestClient]:
    """The service over ``real``."""
    with TestClient(create_app(real.settings, telemetry=Telemetry(log), load=real.load)) as client:
        yield client
