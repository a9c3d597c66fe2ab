"""Commands that are part of the plan but not of this version: they say so, and what to do meanwhile."""

from __future__ import annotations

from typing import Annotated

import typer

from plumbline.cli.command import Result, command
from search_index.errors import WrongUsage

_Words = Annotated[list[str] | None, typer.Argument(help="Not used in this version.")]


def register(app: typer.Typer) -> None:
    """Add ``erase`` and ``audit``."""

    @command(app, "erase", "plumbline erase --help")
    def erase(words: _Words = None) -> Result:
        """Erase documents for good, history included. Not in this version."""
        raise WrongUsage(
            "`plumbline erase` is not in this version.",
            "Remove the file and run `plumbline ingest`: it leaves the live release; older releases and tables still hold it.",
        )

    @command(app, "audit", "plumbline audit --help")
    def audit(words: _Words = None) -> Result:
        """The chain of who did what. Not in this version."""
        raise WrongUsage(
            "`plumbline audit` is not in this version.",
            "`plumbline releases list --json` shows what was published or refused; `plumbline lineage REVISION` shows what decided it.",
        )
