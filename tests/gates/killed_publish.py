"""usage: python -m tests.gates.killed_publish MOMENT, with PLUMBLINE_HOME set: an ingest that dies at one moment of its publish."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from pipelines.release import publishing
from pipelines.run import ingest
from pipelines.workspace import LogProgress
from search_index.catalog import Catalog
from search_index.engine.embedded import EmbeddedCandidate
from search_index.settings import Settings

MOMENTS: dict[str, tuple[object, str]] = {
    "before anything": (publishing, "decide"),
    "before the directory has its name": (EmbeddedCandidate, "publish"),
    "before the manifest is signed": (Catalog, "record_manifest"),
    "before the pointer moves": (Catalog, "publish"),
}


def dying(original: Callable[..., object], calls: int) -> Callable[..., object]:
    """Kills the process at its ``calls``-th call."""
    made = 0

    def die(*arguments: object) -> object:
        nonlocal made
        made += 1
        if made == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    return die


if __name__ == "__main__":
    owner, name = MOMENTS[sys.argv[1]]
    # The manifest is recorded when it is staged, too.
    setattr(owner, name, dying(getattr(owner, name), 2 if name == "record_manifest" else 1))
    ingest(Settings(), None, LogProgress(lambda _: None), wait_s=0, say=lambda _: None)
