"""Services that ask for keys, as the tests of access have them."""

from __future__ import annotations

from tests.retrieval_service.access.conftest import admin, services

__all__ = ["admin", "services"]
