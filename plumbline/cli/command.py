"""What every command has: ``--json`` and ``--debug``, an example in its help, and a result for people and programs alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import typer
from typer.core import TyperCommand, TyperOption

from plumbline.cli.output import Document

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED, EXIT_BUSY, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
HELP_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


@dataclass(frozen=True)
class Result:
    """What a command came to: the document for ``--json``, what a person sees, and the exit code."""

    document: Document
    show: Callable[[], None]
    code: int = EXIT_OK


Command = TypeVar("Command", bound=Callable[..., Result])


class PlumblineCommand(TyperCommand):
    """A command with the options that all share. The runner looks for them itself, since it needs them before anything is parsed."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self.params.append(TyperOption(param_decls=["--json"], is_flag=True, expose_value=False, help="One JSON document on stdout."))
        self.params.append(TyperOption(param_decls=["--debug"], is_flag=True, expose_value=False, help="Show tracebacks."))


def command(app: typer.Typer, name: str, example: str) -> Callable[[Command], Command]:
    """Make a function a command of ``app``; ``example`` stands at the end of its help."""
    shown = f"[bold]Example:[/bold] [cyan]{example}[/cyan]"
    return app.command(name, cls=PlumblineCommand, epilog=shown, context_settings=dict(HELP_SETTINGS))


def group(name: str, says: str) -> typer.Typer:
    """A command that only has commands below it."""
    return typer.Typer(name=name, help=says, no_args_is_help=True, rich_markup_mode="rich", context_settings=dict(HELP_SETTINGS))
