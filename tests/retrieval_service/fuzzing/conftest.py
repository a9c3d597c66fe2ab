"""The service as it runs, over a small index of the embedded engine, with limits that let fuzzing be quick."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI

from retrieval_service.app import create_app
from retrieval_service.telemetry import Telemetry
from search_index.settings import Settings
from tests.retrieval_service.access.conftest import bearer, issue
from tests.retrieval_service.fuzzing.asgi import Header
from tests.retrieval_service.fuzzing.bodies import MOST
from tests.retrieval_service.fuzzing.judging import Defects
from tests.retrieval_service.real_index import RealIndex

Service = Callable[[], FastAPI]


@dataclass(frozen=True)
class Keys:
    """Secrets of three keys: one may do everything, one may search, one may only say what answers were worth."""

    admin: str
    search: str
    feedback: str

    def headers(self) -> tuple[Header, ...]:
        """Each as a request sends it."""
        return tuple((b"authorization", f"Bearer {secret}".encode()) for secret in (self.admin, self.search, self.feedback))


@pytest.fixture
def defects() -> Defects:
    """What the service logged that it should never have to."""
    return Defects()


@pytest.fixture
def service(real: RealIndex, defects: Defects) -> Service:
    """Makes the application, in development mode until there is a key."""

    def make() -> FastAPI:
        settings = Settings(**(real.settings.model_dump() | {"max_body": MOST, "rate_limit": 0}))
        return create_app(settings, telemetry=Telemetry(defects), load=real.load)

    return make


@pytest.fixture
def keys(real: RealIndex) -> Keys:
    """Three keys, with which the service asks for one."""
    made = [issue(real, scopes, groups).secret for scopes, groups in ((["admin"], ["board"]), (["search"], []), (["feedback"], []))]
    return Keys(*made)


def authorization(secret: str) -> dict[str, str]:
    """As an HTTP client takes it."""
    return bearer(secret)


def resident_mb(process: int | None = None) -> float:
    """Memory that a process holds, this one unless another is named."""
    fields = Path(f"/proc/{process or os.getpid()}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
