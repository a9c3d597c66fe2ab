from __future__ import annotations

import numpy as np

from pipelines.evaluation.calibrating import learned_confidence
from quality_checks.evaluation import Judged
from quality_checks.golden import GoldenQuery, GoldenSet, Judgement
from quality_checks.off_topic import QUESTIONS
from quality_checks.resolution import Resolver
from search_index.confidence import SIGNALS
from search_index.engine.interface import Payload
from search_index.model.release import Counts, Manifest, ModelPin, now
from search_index.model.search import Principal

MANIFEST = Manifest(
    revision=3, parent=2, index="i", content="c", sources={}, held=[], bm25={}, ranking={}, golden="g", counts=Counts(), run_id="r",
    created_at=now(), model=ModelPin(name="m", digest="d", encoder="e", runtime="openvino", dimension=4),
)  # fmt: skip


class Answers:
    """Finds the right passage for even queries, surely, and another one for odd ones, less surely; nothing for the first."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.asked: list[tuple[str, int]] = []

    def first_with_signals(self, query: str, revision: int, principal: Principal) -> tuple[Payload, tuple[float, ...]] | None:
        self.asked.append((query, revision))
        if query == "q0":
            return None
        signals = self.random.standard_normal(len(SIGNALS))
        right = query.startswith("q") and query[1:].isdigit() and int(query[1:]) % 2 == 0
        signals[0] += (4.0 if right else 2.5) if query[1:].isdigit() else -3.0
        payload: Payload = {"uri": "s:a", "start": 0 if right else 50, "end": 20 if right else 70}
        return payload, tuple(signals.tolist())


def judged(count: int) -> list[Judged]:
    queries = tuple(
        GoldenQuery(id=str(n), query=f"q{n}", relevant=(Judgement(document="s:a" if n != 1 else "s:gone", span=(0, 20)),))
        for n in range(count)
    )
    golden = GoldenSet(name="g", queries=queries)
    return [Judged(golden, Resolver({"s:a": "x" * 100}).resolve(golden))]


def test_a_release_learns_how_sure_its_answers_may_be() -> None:
    searcher = Answers()
    learned = learned_confidence(searcher, judged(202), MANIFEST)  # type: ignore[arg-type]
    assert learned is not None
    assert learned.calibration is not None
    assert learned.calibration.queries == 200, "what found nothing, and what is judged by a document that is gone, teach nothing"
    assert learned.calibration.auroc > 0.75
    assert learned.calibration.seen_through > 0.9
    assert {revision for _, revision in searcher.asked} == {3}
    assert {query for query, _ in searcher.asked} >= set(QUESTIONS)
    sure, unsure = ([value, *[0.0] * (len(SIGNALS) - 1)] for value in (5.0, 1.5))
    assert learned.relevant.probability(sure) > 0.6 > 0.4 > learned.relevant.probability(unsure)
    assert learned.is_answerable(sure)
    assert learned.stated
    assert not learned.is_answerable([-4.0, *[0.0] * (len(SIGNALS) - 1)])


def test_too_little_judged_teaches_nothing_and_asks_nothing_more() -> None:
    searcher = Answers()
    assert learned_confidence(searcher, judged(40), MANIFEST) is None  # type: ignore[arg-type]
    assert len(searcher.asked) == 39


class NoSignal(Answers):
    """Finds the right passage as often, and nothing about an answer tells which it is."""

    def first_with_signals(self, query: str, revision: int, principal: Principal) -> tuple[Payload, tuple[float, ...]] | None:
        found = super().first_with_signals(query, revision, principal)
        if found is None or not query[1:].isdigit():
            return found
        return found[0], (3.0, *self.random.standard_normal(len(SIGNALS) - 1).tolist())


def test_a_probability_that_says_no_more_than_the_mean_is_not_stated_but_what_is_answerable_is() -> None:
    learned = learned_confidence(NoSignal(), judged(202), MANIFEST)  # type: ignore[arg-type]
    assert learned is not None
    assert learned.calibration is not None
    assert learned.calibration.skill < 0.05
    assert not learned.stated
    assert learned.calibration.seen_through > 0.9
