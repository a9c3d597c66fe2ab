"""Queries that wait for their turn are encoded together with the one whose turn it is: a model's weights are then read once for all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from retrieval_service.impatient import EncoderTimeout
from search_index.ranker import QueryEncoder

Vector = npt.NDArray[np.float32]

MOST_TOGETHER: Final = 8
"""Queries encoded at once: of eight each takes half of what it takes alone, of more hardly less."""


class QueriesEncoder(QueryEncoder, Protocol):
    """Turns several queries into vectors, each the same bits as alone."""

    def encode_queries(self, texts: Sequence[str]) -> list[Vector]:
        """The queries' vectors, each of shape (dimension,) and length 1, in their order."""
        ...


@dataclass(slots=True)
class _Waiting:
    """A text that requests wait with, and its vector by encoder, as soon as one has begun to make it."""

    requests: int = 0
    vectors: dict[int, Future[Vector]] = field(default_factory=dict)


class WaitingQueries:
    """What will be encoded soon. A text is known here as long as a request with it is under way, and no longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, _Waiting] = {}

    @contextlib.contextmanager
    def announced(self, texts: Sequence[str]) -> Iterator[None]:
        """Until the block is left, ``texts`` may be encoded ahead, in this order."""
        with self._lock:
            for text in texts:
                self._texts.setdefault(text, _Waiting()).requests += 1
        try:
            yield
        finally:
            with self._lock:
                for text in texts:
                    self._texts[text].requests -= 1
                    if not self._texts[text].requests:
                        del self._texts[text]

    def begin(self, text: str, encoder: int) -> tuple[Future[Vector] | None, dict[str, Future[Vector]]]:
        """A vector that is being made already; or else what to make now: of ``text`` and of the first others that nobody has begun."""
        with self._lock:
            own = self._texts.get(text)
            if own is not None and (begun := own.vectors.get(encoder)) is not None:
                return begun, {}
            waiting = [other for other, each in self._texts.items() if other != text and encoder not in each.vectors]
            made: dict[str, Future[Vector]] = {each: Future() for each in (text, *waiting[: MOST_TOGETHER - 1])}
            for each, vector in made.items():
                if each in self._texts:
                    self._texts[each].vectors[encoder] = vector
            return None, made


class TogetherEncoder:
    """Encodes a query, and those that wait with it. One that fails fails alone: the others are then encoded each by itself.

    Args:
        patience_s: how long a vector that another thread makes is waited for.
    """

    def __init__(self, encoder: QueriesEncoder, waiting: WaitingQueries, patience_s: float) -> None:
        self._encoder = encoder
        self._waiting = waiting
        self._patience_s = patience_s

    def encode_query(self, text: str) -> Vector:
        """See ``QueryEncoder``.

        Raises:
            EncoderTimeout: another thread began with it, and is not done in time.
        """
        begun, made = self._waiting.begin(text, id(self))
        if begun is not None:
            try:
                return begun.result(self._patience_s)
            except CancelledError:
                return self._encoder.encode_query(text)
            except TimeoutError:
                raise EncoderTimeout from None
        try:
            for vector, found in zip(made.values(), self._encoder.encode_queries(list(made)), strict=True):
                vector.set_result(found)
        except BaseException:
            for vector in made.values():
                vector.cancel()
            if len(made) == 1:
                raise
            return self._encoder.encode_query(text)
        return made[text].result()
