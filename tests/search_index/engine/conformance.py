"""What every engine has to pass. A test module of one engine subclasses ``EngineConformance`` and gives the fixture ``engine``."""

from __future__ import annotations

from tests.search_index.engine.conformance_answers import AnswersConformance
from tests.search_index.engine.conformance_revisions import RevisionsConformance


class EngineConformance(AnswersConformance, RevisionsConformance):
    """Behaviour that does not depend on where the points are."""
