"""A query adapter is adopted where judged pairs teach something that holds for other queries, and never otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
import pytest

from quality_checks.adapter_trial import LEAST_QUERIES, parts_of, try_adapter
from quality_checks.evaluation import Judged
from quality_checks.golden import GoldenSet
from quality_checks.judged_queries import JudgedQuery, Values, judged_queries, measured
from quality_checks.passages_in_memory import PassagesInMemory, Vectors, passages_in_memory
from quality_checks.resolution import resolve
from search_index.adapter import QueryAdapter
from search_index.engine.embedded import EmbeddedEngine
from search_index.fusion import Ranking
from search_index.tuned import Trial
from tests.search_index.engine.points import DIMENSION, INDEX, Passage, passages, published, vector_of

COUNT = 500
CORPUS = passages(300)


class World:
    """Queries that mean a passage each, in another basis than passages are in; their words occur nowhere."""

    def __init__(self, held: PassagesInMemory, turned: float) -> None:
        drawn = np.random.default_rng(3)
        self.held = held
        self.basis = np.linalg.qr(np.eye(DIMENSION) + turned * drawn.standard_normal((DIMENSION, DIMENSION)))[0]
        self.basis *= np.sign(np.diag(self.basis))
        self.vectors: dict[str, Vectors] = {}
        self.meant = [CORPUS[int(at)] for at in drawn.integers(0, len(CORPUS), COUNT)]
        for at, passage in enumerate(self.meant):
            noisy = vector_of(passage.text) @ self.basis + drawn.normal(0, 0.1, DIMENSION)
            self.vectors[f"enquiry{at}"] = (noisy / np.linalg.norm(noisy)).astype(np.float32)

    def queries(self, relevant: Sequence[Sequence[Passage]]) -> list[JudgedQuery]:
        golden = GoldenSet.model_validate(
            {
                "name": "training",
                "purpose": "training",
                "queries": [
                    {"id": str(at), "query": f"enquiry{at}", "relevant": [{"document": each.uri} for each in passages]}
                    for at, passages in enumerate(relevant)
                ],
            }
        )
        return judged_queries(self.held, [Judged(golden, resolve(golden, dict.fromkeys((p.uri for p in CORPUS), "")))])

    @property
    def honest(self) -> list[JudgedQuery]:
        return self.queries([[passage] for passage in self.meant])

    def tried(
        self, queries: list[JudgedQuery], golden: Sequence[JudgedQuery] = (), incumbent: QueryAdapter | None = None
    ) -> tuple[QueryAdapter | None, Trial]:
        ranking = Ranking(adapter=incumbent.sha256 if incumbent else None)

        def asked(queries: Sequence[JudgedQuery], adapter: QueryAdapter | None) -> Values:
            return measured(self.held, queries, self.vectors.__getitem__, [Ranking()], adapter)[0]

        return try_adapter(self.held, queries, self.vectors.__getitem__, ranking, incumbent, asked, golden)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassagesInMemory]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("index"))
    published(engine, None, 1, CORPUS)
    with closing(engine.open(INDEX, 1)) as reader:
        yield passages_in_memory(reader, 1, "default", frozenset({"everyone"}))


@pytest.fixture(scope="module")
def world(held: PassagesInMemory) -> World:
    return World(held, turned=0.2)


@pytest.fixture(scope="module")
def learned(world: World) -> tuple[QueryAdapter | None, Trial]:
    return world.tried(world.honest)


def test_pairs_that_teach_something_give_an_adapter_that_helps_queries_it_never_saw(
    world: World, learned: tuple[QueryAdapter | None, Trial]
) -> None:
    adapter, trial = learned
    assert adapter is not None and trial.adopted
    assert trial.estimate is not None and trial.estimate.gains
    assert trial.estimate.queries == len(parts_of(world.honest).decide)
    assert trial.estimate.difference > 0.05
    drawn = np.random.default_rng(11)
    fresh = [vector_of(passage.text) for passage in CORPUS[:100]]
    turned = np.stack([vector @ world.basis + drawn.normal(0, 0.1, DIMENSION) for vector in fresh]).astype(np.float32)
    cosines = [float((adapter.apply(query) * vector).sum()) for query, vector in zip(turned, fresh, strict=True)]
    assert np.mean(cosines) > np.mean((turned / np.linalg.norm(turned, axis=1, keepdims=True) * np.stack(fresh)).sum(axis=1)) + 0.02


def test_the_same_pairs_give_the_same_bytes(world: World, learned: tuple[QueryAdapter | None, Trial]) -> None:
    again, trial = world.tried(world.honest)
    assert again is not None and learned[0] is not None
    assert (again.sha256, trial) == (learned[0].sha256, learned[1])


def test_an_adapter_that_is_in_force_stays_until_one_is_better(world: World, learned: tuple[QueryAdapter | None, Trial]) -> None:
    kept, trial = world.tried(world.honest, incumbent=learned[0])
    assert kept is learned[0]
    assert not trial.adopted


def test_ten_queries_are_not_learned_from(world: World) -> None:
    adapter, trial = world.tried(world.honest[:10])
    assert adapter is None
    assert trial == Trial(adopted=False, reason=f"10 training queries are too few to hold some out; {LEAST_QUERIES} are the least.")


def test_without_training_queries_no_adapter_is_left(world: World, learned: tuple[QueryAdapter | None, Trial]) -> None:
    assert world.tried([], incumbent=learned[0])[0] is None


@pytest.mark.parametrize("popular", [1, 10, 300])
def test_noise_is_not_learned_from_however_popular_some_passages_are(world: World, popular: int) -> None:
    """Labels drawn from few passages can be guessed without reading the query, which held-out queries with such labels would applaud."""
    drawn = np.random.default_rng(7)
    labels = [[CORPUS[int(at)] for at in drawn.integers(0, popular, 3)] for _ in range(COUNT)]
    unique = [list({passage.uri: passage for passage in each}.values()) for each in labels]
    adapter, trial = world.tried(world.queries(unique))
    assert adapter is None
    assert not trial.adopted


def test_another_collections_pairs_are_not_learned_from(held: PassagesInMemory, world: World) -> None:
    """Its queries judge documents that happen to have the same names here."""
    elsewhere = World(held, turned=0.2)
    drawn = np.random.default_rng(9)
    for text in elsewhere.vectors:
        vector = drawn.standard_normal(DIMENSION)
        elsewhere.vectors[text] = (vector / np.linalg.norm(vector)).astype(np.float32)
    adapter, trial = elsewhere.tried(elsewhere.honest)
    assert adapter is None
    assert not trial.adopted
    # Where its queries come in kinds that share their documents, they could be told apart, and sent to whatever has those names here.
    kinds = [drawn.standard_normal(DIMENSION) for _ in range(12)]
    shared = [[CORPUS[int(at)] for at in drawn.integers(0, len(CORPUS), 4)] for _ in kinds]
    relevant = []
    for at, text in enumerate(elsewhere.vectors):
        vector = kinds[at % 12] + drawn.normal(0, 0.4, DIMENSION)
        elsewhere.vectors[text] = (vector / np.linalg.norm(vector)).astype(np.float32)
        relevant.append(list({passage.uri: passage for passage in shared[at % 12]}.values()))
    adapter, trial = elsewhere.tried(elsewhere.queries(relevant))
    assert adapter is None
    assert "another collection" in trial.reason
    absent = [[Passage("elsewhere/1.md", "x")]] * COUNT
    assert world.tried(world.queries(absent))[1].reason == "There are no training queries."


def test_what_is_relevant_to_everything_is_not_learned(world: World) -> None:
    """All queries have something in common, and five passages are called relevant to each: a matrix could map the one to the other."""
    plain, drawn = World(world.held, turned=0.0), np.random.default_rng(17)
    common, popular = drawn.standard_normal(DIMENSION), CORPUS[:5]
    for text, vector in plain.vectors.items():
        shifted = vector + 0.5 * common / np.linalg.norm(common)
        plain.vectors[text] = (shifted / np.linalg.norm(shifted)).astype(np.float32)
    adapter, trial = plain.tried(plain.queries([list({p.uri: p for p in (passage, *popular)}.values()) for passage in plain.meant]))
    assert trial.estimate is not None and trial.estimate.gains  # what held-out queries alone would have let through
    assert adapter is None
    assert "popular" in trial.reason


def test_an_adapter_that_the_golden_queries_lose_by_is_not_adopted(world: World) -> None:
    """Those are turned the other way, so what helps the training queries moves them farther off."""
    drawn = np.random.default_rng(13)
    for at in range(100):
        away = vector_of(CORPUS[at].text) @ world.basis.T + drawn.normal(0, 0.1, DIMENSION)
        world.vectors[f"question{at}"] = (away / np.linalg.norm(away)).astype(np.float32)
    asked = [{"id": str(at), "query": f"question{at}", "relevant": [{"document": CORPUS[at].uri}]} for at in range(100)]
    golden = GoldenSet.model_validate({"name": "golden", "queries": asked})
    measured_on = judged_queries(world.held, [Judged(golden, resolve(golden, dict.fromkeys((p.uri for p in CORPUS), "")))])
    adapter, trial = world.tried(world.honest, measured_on)
    assert adapter is None
    assert "measured on" in trial.reason
