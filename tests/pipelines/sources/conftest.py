"""A real web server and a real S3 server on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipelines.sources.web import Site, served


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server whose pages a test writes."""
    with served() as site:
        yield site
