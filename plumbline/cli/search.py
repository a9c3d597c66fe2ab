"""``plumbline search``: ask the index from a terminal, in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command

if TYPE_CHECKING:
    from search_index.model.search import SearchAnswer
    from search_index.settings import Settings

_EXAMPLE = "plumbline search 'how long must a plumb bob hang' --limit 3 --filter 'pages>=10' --facet source --explain"


def register(app: typer.Typer) -> None:
    """Add ``search``."""

    @command(app, "search", _EXAMPLE)
    def search(
        query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in your own words.")],
        mode: Annotated[str, typer.Option("--mode", help="hybrid (both), dense (meaning) or sparse (words).")] = "hybrid",
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many passages, or documents with --group.")] = 10,
        offset: Annotated[int, typer.Option("--offset", min=0, help="How many of the best to skip.")] = 0,
        source: Annotated[list[str] | None, typer.Option("--source", "-s", help="Only from this source; may be repeated.")] = None,
        filters: Annotated[
            list[str] | None,
            typer.Option("--filter", "-f", metavar="CONDITION", help="lang=en, pages>=10, on<2025-01-01, status!=draft; may be repeated."),
        ] = None,
        since: Annotated[str | None, typer.Option("--since", help="Only documents modified at this instant or later.")] = None,
        until: Annotated[str | None, typer.Option("--until", help="Only documents modified before this instant.")] = None,
        group: Annotated[int, typer.Option("--group", min=0, max=10, help="Documents, each with so many of its passages.")] = 0,
        diversity: Annotated[float, typer.Option("--diversity", min=0, max=1, help="0 the most relevant, 1 the least alike.")] = 0.0,
        neighbours: Annotated[int, typer.Option("--neighbours", min=0, max=5, help="Passages before and after each.")] = 0,
        facet: Annotated[
            list[str] | None,
            typer.Option("--facet", metavar="NAME", help="source, modified_at.year, modified_at.month or metadata.NAME; may be repeated."),
        ] = None,
        highlight: Annotated[bool, typer.Option("--highlight", help="With --json: where the words stand that were asked for.")] = False,
        explain: Annotated[bool, typer.Option("--explain", help="How each score came about.")] = False,
        as_of: Annotated[
            str | None, typer.Option("--as-of", help="An older release: its revision, or an instant (UTC unless it says).")
        ] = None,
        tenant: Annotated[str, typer.Option("--tenant", help="Whose documents to search, and no other's.")] = "default",
    ) -> Result:
        """Search the live release, or an older one.

        Every passage says where it stands: document, page, section. With --json it is the API's answer.
        """
        from plumbline.cli.search_filters import metadata_filters
        from plumbline.cli.search_report import show
        from plumbline.cli.settings import load_settings

        settings = load_settings()
        asked: dict[str, object] = {
            "query": query,
            "mode": mode,
            "limit": limit,
            "offset": offset,
            "filters": {
                "sources": source or [],
                "metadata": metadata_filters(filters or []),
                "modified_from": _instant(since),
                "modified_to": _instant(until),
            },
            "group_by": "document" if group else None,
            "group_size": max(group, 1),
            "diversity": diversity,
            "neighbours": neighbours,
            "facets": facet or [],
            "highlight": highlight,
            "explain": explain,
            "as_of": int(as_of) if as_of is not None and as_of.isdecimal() else _instant(as_of),
        }
        answer = ask(settings, asked, tenant)
        return Result(answer.model_dump(mode="json"), lambda: show(settings, answer))


def ask(settings: Settings, asked: dict[str, object], tenant: str = "default") -> SearchAnswer:
    """One search on the live release or the one that ``as_of`` names; ``asked`` has the fields of the search API.

    Errors:
        NothingPublished: there is nothing to search yet.
        RevisionUnknown: that release was never published, or is no longer held.
        WrongUsage, FilterInvalid: the question cannot be asked like that.
    """
    from pydantic import ValidationError

    from plumbline.cli.settings import existing_home
    from search_index.errors import WrongUsage
    from search_index.model.search import Principal, SearchRequest
    from search_index.model.tenant import check_tenant

    try:
        request = SearchRequest.model_validate(asked)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise WrongUsage(f"This cannot be searched for: {said}.", "`plumbline search --help` shows how it goes.") from error
    check_tenant(tenant)
    home = existing_home(settings)
    record = home.catalog.resolve(request.as_of)
    from search_index.home import open_release

    loaded = open_release(home, record)
    try:
        answer = loaded.searcher.search(request, loaded.ref, Principal(tenant=tenant))
        if answer.hits:
            return answer
        from search_index.hints import why_missing
        from search_index.tenancy import held_for, quarantined_for

        held = held_for(loaded.manifest, tenant)
        quarantined = quarantined_for(home.catalog.quarantined(), loaded.manifest, tenant, home.catalog.lane_tenants())
        missing = why_missing(held, quarantined, set(request.filters.sources))
        return answer.model_copy(update={"hints": [*answer.hints, *missing]})
    finally:
        loaded.close()


def _instant(text: str | None) -> datetime | None:
    from search_index.errors import WrongUsage

    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUsage(
            f"{text!r} is no instant, nor a revision.", "Give a time such as 2026-11-21T09:00:00Z; --as-of takes a revision's number too."
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
