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
