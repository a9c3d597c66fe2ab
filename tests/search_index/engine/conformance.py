"""What every engine has to pass: of what it answers, of how one revision follows another, and of tenants."""

from __future__ import annotations

from tests.search_index.engine.conformance_answers import AnswersConformance
from tests.search_index.engine.conformance_revisions import RevisionsConformance
from tests.search_index.engine.conformance_tenants import TenantsConformance


class EngineConformance(AnswersConformance, RevisionsConformance, TenantsConformance):
    """A subclass gives the fixture ``engine``."""
