"""Queries that wait are encoded together, each with the same bits as alone, and what fails or hangs harms no other."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest

from retrieval_service.answer_cache import Look
from retrieval_service.asking import to_be_encoded
from retrieval_service.impatient import EncoderTimeout
from retrieval_service.live import LiveRelease
from retrieval_service.telemetry import Telemetry
from retrieval_service.together import MOST_TOGETHER, TogetherEncoder, WaitingQueries
from retrieval_service.withheld import FollowedOverlay
from search_index.model.search import Principal, SearchRequest
from tests.retrieval_service.real_index import RealIndex
from tests.search_index.engine.points import vector_of

Vector = npt.NDArray[np.float32]


class Recorded:
    """An encoder that says what it was asked, and waits or fails when told to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.fails: set[str] = set()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def encode_query(self, text: str) -> Vector:
        return self.encode_queries([text])[0]

    def encode_queries(self, texts: Sequence[str]) -> list[Vector]:
        self.asked.append(list(texts))
        self.begun.set()
        assert self.go_on.wait(30)
        if self.fails & set(texts):
            raise ValueError("cannot")
        return [vector_of(text) for text in texts]


@pytest.fixture
def waiting() -> WaitingQueries:
    return WaitingQueries()


@pytest.fixture
def encoder() -> Recorded:
    return Recorded()


@pytest.fixture
def together(encoder: Recorded, waiting: WaitingQueries) -> TogetherEncoder:
    return TogetherEncoder(encoder, waiting, patience_s=5.0)


def test_those_that_wait_are_encoded_with_the_first(together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries) -> None:
    with waiting.announced(["a", "b"]), waiting.announced(["c"]):
        for text in ("b", "a", "c"):
            assert np.array_equal(together.encode_query(text), vector_of(text))
    assert encoder.asked == [["b", "a", "c"]]


def test_what_was_not_announced_is_encoded_as_well(together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries) -> None:
    with waiting.announced(["a"]):
        assert np.array_equal(together.encode_query("z"), vector_of("z"))
    assert np.array_equal(together.encode_query("z"), vector_of("z"))
    assert encoder.asked == [["z", "a"], ["z"]]


def test_no_more_than_so_many_at_once_and_the_longest_waiting_first(
    together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries
) -> None:
    texts = [f"{number:02d}" for number in range(20)]
    with waiting.announced(texts):
        for text in texts:
            together.encode_query(text)
    assert [len(asked) for asked in encoder.asked] == [MOST_TOGETHER, MOST_TOGETHER, 4]
    assert [text for asked in encoder.asked for text in asked] == texts


def test_nothing_is_kept_of_a_query_that_was_answered(together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries) -> None:
    for _ in range(2):
        with waiting.announced(["a"]), waiting.announced(["a"]):
            together.encode_query("a")
            together.encode_query("a")
    assert encoder.asked == [["a"], ["a"]]
    assert waiting._texts == {}


def test_a_vector_that_is_being_made_is_waited_for(together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries) -> None:
    encoder.go_on.clear()
    with ThreadPoolExecutor(2) as threads, waiting.announced(["a", "b"]):
        first = threads.submit(together.encode_query, "a")
        assert encoder.begun.wait(5)
        second = threads.submit(together.encode_query, "b")
        encoder.go_on.set()
        assert np.array_equal(first.result(5), vector_of("a"))
        assert np.array_equal(second.result(5), vector_of("b"))
    assert encoder.asked == [["a", "b"]]


def test_one_that_fails_fails_alone(together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries) -> None:
    encoder.fails = {"b"}
    with waiting.announced(["a", "b", "c"]):
        assert np.array_equal(together.encode_query("a"), vector_of("a"))
        with pytest.raises(ValueError, match="cannot"):
            together.encode_query("b")
        assert np.array_equal(together.encode_query("c"), vector_of("c"))


def test_who_waits_for_one_that_hangs_gives_up_and_the_next_is_asked_anew(encoder: Recorded, waiting: WaitingQueries) -> None:
    impatient = TogetherEncoder(encoder, waiting, patience_s=0.05)
    encoder.go_on.clear()
    with ThreadPoolExecutor(1) as thread:
        with waiting.announced(["a", "b"]):
            hanging = thread.submit(impatient.encode_query, "a")
            assert encoder.begun.wait(5)
            began = time.monotonic()
            with pytest.raises(EncoderTimeout):
                impatient.encode_query("b")
            assert time.monotonic() - began < 4
        encoder.asked.clear()
        other = threading.Thread(target=lambda: impatient.encode_query("b"))
        other.start()
        encoder.go_on.set()
        other.join(5)
        assert encoder.asked == [["b"]]
        hanging.result(5)


def test_each_encoder_makes_its_own(together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries) -> None:
    other = Recorded()
    with waiting.announced(["a", "b"]):
        together.encode_query("a")
        TogetherEncoder(other, waiting, 5.0).encode_query("b")
    assert (encoder.asked, other.asked) == ([["a", "b"]], [["b", "a"]])


def test_many_threads_get_their_own_vectors(together: TogetherEncoder, encoder: Recorded, waiting: WaitingQueries) -> None:
    def ask(number: int) -> bool:
        text = f"{number % 40}"
        with waiting.announced([text]):
            return np.array_equal(together.encode_query(text), vector_of(text))

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(2000)))
    assert waiting._texts == {}


def test_an_overlay_that_cannot_be_read_is_not_waited_for(real: RealIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    live = LiveRelease(real.settings, Telemetry(io.StringIO()), load=real.load, clock=lambda: clock[0])
    live.look()
    request, look = SearchRequest(query="the lock"), Look()
    assert to_be_encoded(request, live, Principal(), look) == ["the lock"]
    assert to_be_encoded(request.model_copy(update={"mode": "sparse"}), live, Principal(), look) == []

    def waits(overlay: FollowedOverlay) -> None:
        raise AssertionError("the event loop would wait")

    monkeypatch.setattr(FollowedOverlay, "_next_reading", waits)
    clock[0] += 60  # nobody reads it any more
    assert to_be_encoded(request, live, Principal(), look) == []
    live.stop()
