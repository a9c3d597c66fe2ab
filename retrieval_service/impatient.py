"""An encoder that is not waited for without end: its work is done on threads of its own, and a call that hangs is left behind."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from search_index.ranker import QueryEncoder

LEFT_BEHIND_MOST: Final = 16
"""Hanging calls that are waited for no more. Beyond it no new one is begun until one of them ends."""


class EncoderTimeout(Exception):
    """The encoder did not answer in time."""


@dataclass
class _Job:
    text: str
    done: Future[npt.NDArray[np.float32]] = field(default_factory=Future)
    finished: bool = False
    left_behind: bool = False


class ImpatientEncoder:
    """Encodes on daemon threads, which keep no process from ending, and gives up on a call after ``patience_s`` seconds.

    There are as many threads as calls at a time. One that hangs is replaced by another, up to ``LEFT_BEHIND_MOST``.
    """

    def __init__(self, encoder: QueryEncoder, patience_s: float) -> None:
        self._encoder = encoder
        self._patience_s = patience_s
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._left_behind = 0

    def encode_query(self, text: str) -> npt.NDArray[np.float32]:
        """See ``QueryEncoder``.

        Raises:
            EncoderTimeout: it took too long, or too many calls hang already.
        """
        job = _Job(text)
        with self._lock:
            if self._left_behind >= LEFT_BEHIND_MOST:
                raise EncoderTimeout
            if self._idle:
                self._idle -= 1
            else:
                threading.Thread(target=self._work, name="encoder", daemon=True).start()
        self._jobs.put(job)
        try:
            return job.done.result(self._patience_s)
        except TimeoutError:
            with self._lock:
                if not job.finished:
                    job.left_behind = True
                    self._left_behind += 1
                    raise EncoderTimeout from None
            return job.done.result()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            vector, failure = None, None
            try:
                vector = self._encoder.encode_query(job.text)
            except Exception as error:  # noqa: BLE001 - raised again where it is waited for
                failure = error
            with self._lock:
                if job.left_behind:
                    self._left_behind -= 1
                    return  # another took its place
                job.finished = True
                self._idle += 1  # before the answer is out, or whoever gets it and asks again would find no thread idle
            if vector is None:
                job.done.set_exception(failure)
            else:
                job.done.set_result(vector)
