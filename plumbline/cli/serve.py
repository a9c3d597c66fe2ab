"""``plumbline serve`` and ``plumbline up``: the service alone, or everything."""

from __future__ import annotations

from typing import Annotated

import typer

from plumbline.cli.command import EXIT_INTERRUPTED, EXIT_OK, Result, command
from plumbline.cli.output import json_output, say


def register(app: typer.Typer) -> None:
    """Add ``serve`` and ``up``."""

    @command(app, "serve", "plumbline serve --port 8080")
    def serve(
        host: Annotated[str | None, typer.Option("--host", help="Address to listen on; default PLUMBLINE_HOST, 127.0.0.1.")] = None,
        port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port; default PLUMBLINE_PORT, 8000.")] = None,
    ) -> Result:
        """Serve the search API and its console until Ctrl-C or SIGTERM. Releases published meanwhile are picked up.

        With --json the document comes once the service answers.
        """
        import threading

        from plumbline.cli.banner import tell_access
        from plumbline.cli.ready import address_of, wait_for_answer
        from plumbline.cli.settings import load_settings
        from retrieval_service.app import serve as run_service

        overrides: dict[str, object] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = load_settings(overrides)
        address = address_of(settings)
        document = {"service": address, "documentation": f"{address}/openapi.json", "home": str(settings.root)}
        output, done = json_output(), threading.Event()
        say(f"Plumbline answers at {address} (Ctrl-C stops it).")
        tell_access(settings)
        if output is not None:

            def announce() -> None:
                if wait_for_answer(f"{address}/health/live", within_s=60.0, give_up=done):
                    output.say(document)

            threading.Thread(target=announce, daemon=True).start()
        try:
            run_service(settings)
        finally:
            done.set()
        return Result(document, lambda: say("Stopped."))

    @command(app, "up", "plumbline up")
    def up(
        no_ingest: Annotated[bool, typer.Option("--no-ingest", help="Start at once with what is published.")] = False,
    ) -> Result:
        """Start everything in the foreground: ingest, the search service, the Dagster UI and its daemon. Ctrl-C stops it all.

        With --json the document comes once everything answers.
        """
        from plumbline.cli.settings import load_settings
        from plumbline.cli.up_report import announce
        from plumbline.up import run_up

        ended = run_up(load_settings(), say, announce, ingest_first=not no_ingest)
        code = EXIT_INTERRUPTED if ended == "interrupted" else EXIT_OK
        return Result({"status": "stopped"}, lambda: say("Everything is stopped."), code)
