"""All commands in one application. Command modules import little at the top, so that help and a search start at once."""

from __future__ import annotations

import typer

from plumbline.cli import (
    canary,
    doctor,
    evaluate,
    freeze,
    golden,
    golden_review,
    ingest,
    keys,
    later,
    lineage,
    mcp,
    override,
    pins,
    rebuild,
    release_diff,
    releases,
    rollback,
    search,
    serve,
    shadow,
    sources,
    vacuum,
)
from plumbline.cli import status as status_command
from plumbline.cli.command import HELP_SETTINGS, group

_ABOUT = """Plumbline turns folders of documents into a search index that can be trusted, and serves it.

Nothing is served that did not pass its gates, and every hit can say where it came from."""
_EXAMPLE = "[bold]Begin:[/bold] [cyan]plumbline ingest ./documents[/cyan], then [cyan]plumbline search 'a question'[/cyan]"


def build_app() -> typer.Typer:
    """The application with every command."""
    app = typer.Typer(
        name="plumbline",
        help=_ABOUT,
        epilog=_EXAMPLE,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings=dict(HELP_SETTINGS),
    )
    for part in (ingest, search, serve, mcp, status_command, evaluate, lineage, doctor):
        part.register(app)
    golden_sets = group("golden", "Queries with known answers that every release is measured on.")
    golden.register(golden_sets)
    golden_review.register(golden_sets)
    of_releases = group("releases", "What was published or refused, and moving between releases.")
    for part in (releases, release_diff, rollback, freeze, override, pins, vacuum, shadow, canary, rebuild):
        part.register(of_releases)
    of_sources = group("sources", "Where documents come from, and changes that wait for a person.")
    sources.register(of_sources)
    of_keys = group("keys", "Who may ask the search API.")
    keys.register(of_keys)
    for sub in (golden_sets, of_releases, of_sources, of_keys):
        app.add_typer(sub)
    later.register(app)
    return app
