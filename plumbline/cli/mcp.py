"""``plumbline mcp``: the search tools for a language model's program, on standard input and output."""

from __future__ import annotations

from typing import Annotated

import typer

from plumbline.cli.command import Result, command
from plumbline.cli.output import json_output


def register(app: typer.Typer) -> None:
    """Add ``mcp``."""

    @command(app, "mcp", "plumbline mcp --group board")
    def mcp(
        group: Annotated[
            list[str] | None, typer.Option("--group", help="Answer with what this group may read, too; may be repeated.")
        ] = None,
        tenant: Annotated[str, typer.Option("--tenant", help="Whose documents to answer with, and no other's.")] = "default",
    ) -> Result:
        """Serve search, context, documents and lineage to a program that speaks the Model Context Protocol, on stdin and stdout.

        Such a program starts this command itself; docs/mcp.md shows its configuration. Nobody is asked for a key, because whoever runs
        this can read the home anyway; without --group the answers hold what everyone may read. Releases published meanwhile are picked
        up. It ends with its input, or with Ctrl-C. Stdout is the protocol's, so there is no --json.
        """
        from plumbline.cli.settings import load_settings
        from search_index.errors import WrongUsage

        if json_output() is not None:
            raise WrongUsage("Stdout belongs to the protocol, which is JSON already.", "Leave out --json.")
        settings = load_settings()
        from search_index.model.tenant import check_tenant

        check_tenant(tenant)
        from retrieval_service.mcp.stdio import serve_stdio

        serve_stdio(settings, tenant, group or [])
        return Result({"status": "stopped"}, lambda: None)
