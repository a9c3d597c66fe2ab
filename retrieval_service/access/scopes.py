"""What each route takes. A route that is not in this table takes the scope ``admin``: nothing is open because somebody forgot it."""

from __future__ import annotations

from typing import Final

from starlette.routing import compile_path

from retrieval_service.problems import Forbidden
from search_index.model.search import Principal

PUBLIC: Final = frozenset({"/", "/health/live", "/openapi.json"})
"""Paths that anybody may GET. They hold nothing of the index, and no credential is looked at."""
PARTLY_PUBLIC: Final = frozenset({"/health/ready"})
"""Paths that anybody may GET, and that say more to those who may know more."""

SCOPE_OF: Final[dict[str, str]] = {
    "POST /v1/search": "search",
    "POST /v1/search/batch": "search",
    "POST /v1/context": "search",
    "POST /v1/agent/search": "search",
    "GET /v1/documents/{id:path}": "search",
    "PUT /v1/documents": "push",
    "DELETE /v1/documents": "push",
    "GET /v1/pushed/{receipt}": "push",
    "GET /v1/lineage/{id:path}": "search",
    "GET /v1/releases": "governance",
    "GET /v1/releases/{revision}": "governance",
    "GET /v1/quality": "governance",
    "POST /v1/feedback": "feedback",
    "GET /v1/reviews": "governance",
    "POST /mcp": "search",
    "GET /metrics": "operate",
}
"""Scope by method and path. Some routes ask for more inside: older releases take ``history``, a release's lineage ``governance``."""

_COMPILED: Final = [(route.split(" ")[0], compile_path(route.split(" ")[1])[0], scope) for route, scope in SCOPE_OF.items()]


def scopes_of(method: str, path: str) -> frozenset[str]:
    """The scopes that a request takes: of every line of the table that it matches, so that an overlap opens nothing. Empty: none does."""
    return frozenset(scope for its_method, pattern, scope in _COMPILED if method == its_method and pattern.match(path))


def require(principal: Principal, scope: str) -> None:
    """Let a principal through that has a scope.

    Errors:
        Forbidden: it does not.
    """
    if scope not in principal.scopes:
        raise Forbidden(f"{principal.name} may not do this: it takes the scope `{scope}`.", f"Ask for a key with the scope `{scope}`.")
