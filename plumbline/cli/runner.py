"""Runs one command: errors become sentences and exit codes, interrupts end it cleanly."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import NoReturn

from plumbline.cli.command import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, Result
from plumbline.cli.output import JsonOutput, err, one_document


def run(arguments: Sequence[str]) -> int:
    """Run the command that ``arguments`` name and give its exit code.

    0 done or nothing to do, 1 failed, 2 wrong usage, 3 refused or held by a gate, 4 busy, 130 interrupted.
    """
    given = list(arguments)
    options = set(given[: given.index("--")] if "--" in given else given)
    debug = "--debug" in options
    with _interruptible():
        if "--json" not in options or options & {"--help", "-h"}:
            return _attempt(given, None, debug)
        with one_document() as output:
            return _attempt(given, output, debug)


def _attempt(arguments: list[str], output: JsonOutput | None, debug: bool) -> int:
    from plumbline.cli.app import build_app
    from plumbline.cli.banner import announce_orders

    try:
        result = build_app()(arguments, prog_name="plumbline", standalone_mode=False)
        if result == EXIT_INTERRUPTED:  # how the parser hands on a KeyboardInterrupt
            raise KeyboardInterrupt
        if not isinstance(result, Result):  # help was shown, or the parser ended the command
            return result if isinstance(result, int) else EXIT_OK
        if output is not None:
            output.say(result.document)
        else:
            result.show()
        announce_orders()
        return result.code
    except KeyboardInterrupt:
        return _failed(output, "interrupted", "Interrupted.", "Run it again: it goes on where it stopped.", EXIT_INTERRUPTED)
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    except Exception as error:  # noqa: BLE001 - the last place that can turn an error into a sentence
        if debug:
            err().print_exception(show_locals=False)
        return _explain(error, output)


def _explain(error: Exception, output: JsonOutput | None) -> int:
    from typer.exceptions import TyperException

    from search_index.errors import PlumblineError

    if isinstance(error, PlumblineError):
        return _failed(output, error.slug, error.what, error.remedy, error.exit_code)
    if isinstance(error, TyperException) and not error.format_message() and output is None:
        return EXIT_USAGE  # a group without a command: its help was shown
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "plumbline"
        return _failed(output, "wrong-usage", error.format_message(), f"`{path} --help` shows how it goes.", EXIT_USAGE)
    said = " ".join(str(error).split())[:500]
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return _failed(output, "unexpected", what, "Run with --debug for the traceback.", EXIT_FAILED)


def _failed(output: JsonOutput | None, slug: str, what: str, remedy: str, code: int) -> int:
    from rich.text import Text

    line = Text.assemble(("Error: " if code != EXIT_INTERRUPTED else "", "bold red"), what)
    console = err()
    console.print(line, soft_wrap=True)
    if remedy:
        console.print(Text(remedy, style="cyan"), soft_wrap=True)
    if output is not None:
        output.say({"error": {"type": slug, "what": what, "remedy": remedy}})
    return code


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends a command like Ctrl-C does, so that it too cleans up and leaves with 130.

    SIGINT is taken as well: a shell that starts us in the background of a script has it ignored, and that is handed down.
    """

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: whoever runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.flush()
