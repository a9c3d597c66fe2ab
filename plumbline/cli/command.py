"""What every command has: ``--json`` and ``--debug``, an example in its help, and a result for people and programs alike."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ParamSpec

import typer

from plumbline.cli.output import Document

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
HELP_SETTINGS = {"help_option_names": ["-h", "--help"]}

P = ParamSpec("P")

_SHARED = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, everything else on stderr.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show tracebacks.")],
}
"""Options of every command. The runner looks for them itself, since it needs them before anything is parsed."""


@dataclass(frozen=True)
class Result:
    """What a command came to: the document for ``--json``, what a person sees, and the exit code."""

    document: Document
    show: Callable[[], None]
    code: int = EXIT_OK


def command(app: typer.Typer, name: str, example: str) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Make a function a command of ``app``; ``example`` stands at the end of its help."""
    shown = f"[bold]Example:[/bold] [cyan]{example}[/cyan]"

    def register(function: Callable[P, Result]) -> Callable[P, Result]:
        paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
        says = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        app.command(name, help=says, epilog=shown, context_settings=dict(HELP_SETTINGS))(_with_shared_options(function))
        return function

    return register


def group(name: str, says: str) -> typer.Typer:
    """A command that only has commands below it."""
    return typer.Typer(name=name, help=says, no_args_is_help=True, rich_markup_mode="rich", context_settings=dict(HELP_SETTINGS))


def _with_shared_options(function: Callable[P, Result]) -> Callable[..., Result]:
    signature = inspect.signature(function, eval_str=True)
    added = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=a) for n, a in _SHARED.items()]

    @functools.wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> Result:
        for name in _SHARED:
            options.pop(name, None)
        return function(*args, **options)

    parameters = [*signature.parameters.values(), *added]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
