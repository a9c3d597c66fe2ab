"""``plumbline search``: ask the index from a terminal, in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli.command import Result, command

if TYPE_CHECKING:
    from search_index.model.search import SearchAnswer
    from search_index.settings import Settings


def register(app: typer.Typer) -> None:
    """Add ``search``."""

    @command(app, "search", "plumbline search 'how long must a plumb bob hang' --limit 3")
    def search(
        query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in your own words.")],
        mode: Annotated[str, typer.Option("--mode", help="hybrid (both), dense (meaning) or sparse (words).")] = "hybrid",
        limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many passages.")] = 10,
        source: Annotated[list[str] | None, typer.Option("--source", "-s", help="Only from this source; may be repeated.")] = None,
        as_of: Annotated[
            str | None, typer.Option("--as-of", help="An older release: its revision, or an instant (UTC unless it says).")
        ] = None,
    ) -> Result:
        """Search the live release, or an older one.

        Every passage says where it stands: document, page, section. With --json it is the API's answer.
        """
        from plumbline.cli.search_report import show
        from plumbline.cli.settings import load_settings

        settings = load_settings()
        answer = ask(settings, query, mode, limit, source or [], as_of)
        return Result(answer.model_dump(mode="json"), lambda: show(settings, answer))


def ask(settings: Settings, query: str, mode: str, limit: int, sources: list[str], as_of: str | None) -> SearchAnswer:
    """One search on the live release or the one that ``as_of`` names.

    Errors:
        NothingPublished: there is nothing to search yet.
        RevisionUnknown: that release was never published, or is no longer held.
        WrongUsage: the question cannot be asked like that.
    """
    from pydantic import ValidationError

    from plumbline.cli.settings import existing_home
    from search_index.errors import WrongUsage
    from search_index.model.search import Principal, SearchRequest

    try:
        request = SearchRequest.model_validate(
            {"query": query, "mode": mode, "limit": limit, "filters": {"sources": sources}, "as_of": _as_of(as_of)}
        )
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise WrongUsage(f"This cannot be searched for: {said}.", "`plumbline search --help` shows how it goes.") from error
    home = existing_home(settings)
    record = home.catalog.resolve(request.as_of)
    from search_index.home import open_release

    loaded = open_release(home, record)
    try:
        answer = loaded.searcher.search(request, loaded.ref, Principal())
        if answer.hits:
            return answer
        from search_index.hints import why_missing

        missing = why_missing(loaded.manifest.held, home.catalog.quarantined(), set(sources))
        return answer.model_copy(update={"hints": [*answer.hints, *missing]})
    finally:
        loaded.close()


def _as_of(text: str | None) -> int | datetime | None:
    from search_index.errors import WrongUsage

    if text is None:
        return None
    if text.isdecimal():
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUsage(
            f"{text!r} is neither a revision nor an instant.", "Give a number, or a time such as 2026-11-21T09:00:00Z."
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
