"""The service as it is, in which what cannot be broken from outside is broken while a file of the fault's name is there.

usage: python -m tests.retrieval_service.faulty_service FOLDER, settings as for ``plumbline serve``
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval_service.app import serve
from search_index.embedding import Encoder
from search_index.engine.embedded_reader import EmbeddedReader
from search_index.errors import HomeDamaged
from search_index.settings import Settings

AHEAD_S = 86_400 * 40
"""How far the clock jumps."""


def hang_while(flag: Path) -> None:
    """The encoder answers nothing until the file is gone."""
    honest = Encoder.encode_queries

    def encode_queries(self: Encoder, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        while flag.exists():
            time.sleep(0.02)
        return honest(self, texts)

    Encoder.encode_queries = encode_queries  # type: ignore[method-assign]


def fail_while(flag: Path) -> None:
    """The engine fails in every call."""
    honest: Callable[[EmbeddedReader], AbstractContextManager[object]] = EmbeddedReader._in_use

    @contextmanager
    def in_use(self: EmbeddedReader) -> Iterator[object]:
        if flag.exists():
            raise HomeDamaged("The engine is gone.")
        with honest(self) as shard:
            yield shard

    EmbeddedReader._in_use = in_use  # type: ignore[method-assign,assignment]


def jump_while(flag: Path) -> None:
    """The wall clock is forty days ahead; the clock that only rises is not."""
    honest = time.time
    time.time = lambda: honest() + (AHEAD_S if flag.exists() else 0.0)
    for module in [
        module for module in sys.modules.values() if hasattr(module, "now") and module.__name__.startswith(("search_", "retri"))
    ]:
        told: Callable[[], datetime] = module.now
        module.now = lambda told=told: told() + timedelta(seconds=AHEAD_S if flag.exists() else 0)  # type: ignore[attr-defined]


def main() -> None:
    """Serve until told to end."""
    flags = Path(sys.argv[1])
    hang_while(flags / "encoder")
    fail_while(flags / "engine")
    jump_while(flags / "clock")
    serve(Settings())


if __name__ == "__main__":
    main()
