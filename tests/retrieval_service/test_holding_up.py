"""Arms that fail rest, an encoder that hangs is left behind, and answers go on without them, saying so."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval_service.breaker import FAILURES, REST_S, ArmResting, Breakers
from retrieval_service.impatient import LEFT_BEHIND_MOST, EncoderTimeout, ImpatientEncoder
from retrieval_service.minding import Minder
from retrieval_service.telemetry import Telemetry
from search_index.engine.embedded import EmbeddedEngine
from search_index.engine.interface import IndexReader, Scored, Vector
from search_index.errors import ArmsUnavailable, HomeDamaged, RevisionUnknown
from search_index.fusion import Ranking
from search_index.model.search import Mode, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.searcher import Searcher
from tests.search_index.engine.points import INDEX, passages, published, vector_of


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Encoder:
    """Answers, fails or hangs, as it is told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hangs = threading.Event()
        self.hangs.set()
        self.asked = 0

    def encode_query(self, text: str) -> Vector:
        self.asked += 1
        assert self.hangs.wait(60)
        if self.error is not None:
            raise self.error
        return vector_of(text)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def telemetry(log: io.StringIO) -> Telemetry:
    return Telemetry(log)


@pytest.fixture
def breakers(telemetry: Telemetry, clock: Clock) -> Breakers:
    return Breakers(telemetry, clock)


@pytest.fixture
def encoder() -> Iterator[Encoder]:
    made = Encoder()
    yield made
    made.hangs.set()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[IndexReader]:
    engine = EmbeddedEngine(tmp_path)
    published(engine, None, 1, passages(20))
    opened = engine.open(INDEX, 1)
    yield opened
    opened.close()


def resting(telemetry: Telemetry, arm: str) -> float | None:
    return telemetry.registry.get_sample_value("plumbline_arm_resting", {"arm": arm})


def ask(searcher: Searcher, mode: Mode = "hybrid") -> SearchAnswer:
    release = ReleaseRef(revision=1, index=INDEX, run_id="run", published_at=None)
    return searcher.search(SearchRequest(query=passages(20)[3].text, mode=mode), release, Principal())


class TestBreakers:
    def test_an_arm_rests_after_so_many_failures_in_a_row(self, breakers: Breakers, clock: Clock, telemetry: Telemetry) -> None:
        for _ in range(FAILURES - 1):
            breakers.admit("dense", "find")
            breakers.failed("dense", "find", OSError())
        breakers.admit("dense", "find")
        breakers.answered("dense", "find")
        for _ in range(FAILURES):
            breakers.admit("dense", "find")
            breakers.failed("dense", "find", OSError())
        with pytest.raises(ArmResting):
            breakers.admit("dense", "find")
        breakers.admit("sparse", "find")
        assert (resting(telemetry, "dense"), resting(telemetry, "sparse")) == (1.0, 0.0)

    def test_one_query_tries_it_again_after_its_rest(
        self, breakers: Breakers, clock: Clock, telemetry: Telemetry, log: io.StringIO
    ) -> None:
        for _ in range(FAILURES):
            breakers.failed("dense", "find", OSError())
        clock.now += REST_S
        breakers.admit("dense", "find")
        with pytest.raises(ArmResting):
            breakers.admit("dense", "find")
        breakers.failed("dense", "find", OSError())
        clock.now += REST_S / 2
        with pytest.raises(ArmResting):
            breakers.admit("dense", "find")
        clock.now += REST_S / 2
        breakers.admit("dense", "find")
        breakers.answered("dense", "find")
        breakers.admit("dense", "find")
        assert resting(telemetry, "dense") == 0.0
        assert log.getvalue().count("arm rests") == log.getvalue().count("arm answers again") == 1

    def test_what_a_caller_did_wrong_is_no_failure(self, breakers: Breakers) -> None:
        for _ in range(FAILURES):
            breakers.failed("dense", "find", RevisionUnknown("a", "b"))
        breakers.admit("dense", "find")
        for _ in range(FAILURES):
            breakers.failed("dense", "find", HomeDamaged("a", "b"))
        with pytest.raises(ArmResting):
            breakers.admit("dense", "find")

    def test_a_trial_that_a_caller_spoiled_is_followed_by_others(self, breakers: Breakers, clock: Clock) -> None:
        for _ in range(FAILURES):
            breakers.failed("dense", "find", OSError())
        clock.now += REST_S
        breakers.admit("dense", "find")
        breakers.failed("dense", "find", RevisionUnknown("a", "b"))
        breakers.admit("dense", "find")
        breakers.admit("dense", "find")


class TestAnswers:
    def test_an_engine_that_fails_rests_though_the_encoder_answers(
        self, reader: IndexReader, breakers: Breakers, encoder: Encoder, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> Scored:
            raise HomeDamaged("the dense arm is gone", "b")

        monkeypatch.setattr(reader, "dense", broken)
        searcher = Searcher(reader, encoder, Ranking()).guarded(lambda each: each, Minder(telemetry, breakers))
        reasons = [ask(searcher).degraded[0].reason for _ in range(FAILURES + 2)]
        assert reasons == ["HomeDamaged"] * FAILURES + ["ArmResting"] * 2
        assert resting(telemetry, "dense") == 1.0

    def test_a_panic_in_a_trial_is_its_end(self, breakers: Breakers, clock: Clock, telemetry: Telemetry) -> None:
        for _ in range(FAILURES):
            breakers.failed("dense", "find", OSError())
        minder = Minder(telemetry, breakers)
        for _ in range(2):
            clock.now += REST_S
            with pytest.raises(KeyboardInterrupt), minder.asking("dense", "find"):
                raise KeyboardInterrupt

    def test_go_on_without_an_arm_that_rests_and_get_it_back(
        self, reader: IndexReader, breakers: Breakers, clock: Clock, encoder: Encoder
    ) -> None:
        searcher = Searcher(reader, encoder, Ranking()).guarded(lambda each: each, Minder(Telemetry(io.StringIO()), breakers))
        whole = ask(searcher)
        assert whole.degraded == []
        encoder.error = ConnectionError("gone")
        reasons = [[(left.arm, left.reason) for left in ask(searcher).degraded] for _ in range(FAILURES + 3)]
        assert reasons == [[("dense", "ConnectionError")]] * FAILURES + [[("dense", "ArmResting")]] * 3
        assert encoder.asked == 1 + FAILURES, "an arm that rests costs nothing"
        with pytest.raises(ArmsUnavailable, match="ArmResting"):
            ask(searcher, "dense")
        encoder.error = None
        clock.now += REST_S
        again = ask(searcher)
        assert [(hit.chunk_id, hit.score) for hit in again.hits] == [(hit.chunk_id, hit.score) for hit in whole.hits]
        assert again.degraded == []

    def test_an_encoder_that_hangs_costs_its_patience_and_no_more(self, reader: IndexReader, breakers: Breakers, encoder: Encoder) -> None:
        searcher = Searcher(reader, encoder, Ranking()).guarded(
            lambda each: ImpatientEncoder(each, 0.05), Minder(Telemetry(io.StringIO()), breakers)
        )
        encoder.hangs.clear()
        answers = [ask(searcher) for _ in range(FAILURES + 2)]
        assert all(answer.hits for answer in answers), "the words still answer"
        assert [answer.degraded[0].reason for answer in answers] == ["EncoderTimeout"] * FAILURES + ["ArmResting"] * 2


class TestImpatience:
    def test_what_is_encoded_is_what_the_encoder_gives_and_so_are_its_errors(self, encoder: Encoder) -> None:
        impatient = ImpatientEncoder(encoder, 30)
        assert np.array_equal(impatient.encode_query("a"), vector_of("a"))
        encoder.error = ValueError("no")
        with pytest.raises(ValueError, match="no"):
            impatient.encode_query("a")

    def test_calls_share_threads_and_each_gets_its_own_answer(self, encoder: Encoder) -> None:
        impatient = ImpatientEncoder(encoder, 30)
        found: dict[str, Vector] = {}

        def many(worker: int) -> None:
            for n in range(25):
                found[f"{worker}-{n}"] = impatient.encode_query(f"{worker}-{n}")

        before = threading.active_count()
        threads = [threading.Thread(target=many, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(np.array_equal(vector, vector_of(text)) for text, vector in found.items())
        assert len(found) == 100
        assert threading.active_count() - before <= 4

    def test_too_many_that_hang_are_not_joined_by_more_and_are_forgotten_when_they_end(self, encoder: Encoder) -> None:
        impatient = ImpatientEncoder(encoder, 0.02)
        encoder.hangs.clear()
        for _ in range(LEFT_BEHIND_MOST + 3):
            with pytest.raises(EncoderTimeout):
                impatient.encode_query("a")
        assert encoder.asked == LEFT_BEHIND_MOST
        encoder.hangs.set()
        until = time.monotonic() + 30
        while True:
            try:
                assert np.array_equal(impatient.encode_query("b"), vector_of("b"))
                break
            except EncoderTimeout:
                assert time.monotonic() < until
                time.sleep(0.01)
