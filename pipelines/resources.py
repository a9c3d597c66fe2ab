"""The workspace as a Dagster resource: it lasts for one run, and with it the lease."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import dagster as dg

from pipelines.automation.looking import looking
from pipelines.workspace import LogProgress, Progress, Workspace
from search_index.settings import Settings


class WorkspaceResource(dg.ConfigurableResource[Workspace]):
    """Opens the home for one run. A second run on the same home waits for the first."""

    wait_s: float = -1.0

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Workspace]:
        """Take the lease, hand out the workspace, and clean up however the run ends."""
        log = context.log.info if context.log else print
        with opened(Settings(), LogProgress(log), wait_s=self.wait_s, say=log) as workspace:
            yield workspace


@contextlib.contextmanager
def opened(settings: Settings, progress: Progress, *, wait_s: float, say: Callable[[str], None]) -> Iterator[Workspace]:
    """A workspace with the lease in hand."""
    workspace = Workspace(settings, progress)
    try:
        for line in workspace.begin(wait_s=wait_s, waiting=say):
            say(line)
        yield workspace
    finally:
        workspace.end()


class ReadingResource(dg.ConfigurableResource[Workspace]):
    """Opens the home for a run that only looks: it takes no lease, so it waits for nobody and nobody waits for it."""

    @contextlib.contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Workspace]:
        """Hand out the workspace, and hold the lock by which others see that this run lives."""
        settings = Settings()
        with looking(settings, context.run.run_id if context.run else "none"):
            workspace = Workspace(settings, LogProgress(context.log.info if context.log else print))
            try:
                yield workspace
            finally:
                workspace.home.catalog.close()
