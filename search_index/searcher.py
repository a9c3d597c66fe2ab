"""The one way to ask: the service wraps it, evaluation calls it, so what is measured is what is served."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from pydantic import JsonValue as Json

from search_index.adapter import QueryAdapter
from search_index.confidence import signals_of
from search_index.engine.interface import IndexReader, Payload, Visibility
from search_index.errors import ReleaseUntrusted
from search_index.fusion import Ranking, Scores, reranked
from search_index.model.search import Degraded, Hint, Hit, Mode, Part, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.ranker import QueryEncoder, Ranked, Ranker
from search_index.reranking import Reranker

LOW_COSINE: Final = 0.2
"""Where the nearest passage is farther from the query than this, the index probably holds nothing on the matter."""


class Searcher:
    """Answers from any revision that ``reader`` holds; access is decided inside each arm.

    Args:
        reader: an opened index. Whoever opened it closes it.
        encoder: the model the index was made with.
        ranking: how the arms are combined.
        adapter: what moves the query's vector; it has to be the one that ``ranking`` names.
        reranker: what scores the best of a hybrid ranking anew; likewise.

    Raises:
        ReleaseUntrusted: one is another, or none where one is named: that ranking was never gated.
    """

    def __init__(
        self,
        reader: IndexReader,
        encoder: QueryEncoder,
        ranking: Ranking,
        adapter: QueryAdapter | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        if (adapter.sha256 if adapter else None) != ranking.adapter:
            raise ReleaseUntrusted("The ranking names another query adapter than was given.", "Open the release anew.")
        if (reranker.digest if reranker else None) != (ranking.reranking.model if ranking.reranking else None):
            raise ReleaseUntrusted("The ranking names another reranker than was given.", "Open the release anew.")
        self.reader = reader
        self.ranking = ranking
        self._ranker = Ranker(reader, encoder, ranking, adapter)
        self._reranker = reranker

    def search(
        self, request: SearchRequest, release: ReleaseRef, principal: Principal, excluded_documents: Collection[str] = frozenset()
    ) -> SearchAnswer:
        """Answer ``request`` from ``release``.

        Args:
            excluded_documents: ids of documents that may not be read now, whatever the release says.

        Raises:
            RevisionUnknown: the reader does not hold the release's revision.
            ArmsUnavailable: every arm the mode asks for failed.
        """
        began = time.perf_counter()
        visibility = Visibility(release.revision, principal.groups, request.filters, frozenset(excluded_documents))
        depth = max(self.ranking.depth, request.limit)
        ranked = self._rank(request.query, request.mode, visibility, depth, explained=request.limit)
        ids = ranked.ids[: request.limit]
        payloads = self.reader.payloads(ids)
        hits = [
            _hit(
                rank,
                payloads[point],
                score,
                {part: scores[point] for part, scores in ranked.arms.items() if point in scores},
                visibility.excluded_documents,
            )
            for rank, (point, score) in enumerate(zip(ids, ranked.scores, strict=False), start=1)
        ]
        confidence, answerable = self._sure(request, ranked, payloads, release.revision)
        return SearchAnswer(
            query=request.query,
            mode=request.mode,
            release=release,
            hits=hits,
            confidence=confidence,
            degraded=ranked.degraded,
            hints=_hints(self.reader, ranked, visibility, answerable),
            took_ms=round((time.perf_counter() - began) * 1e3, 3),
        )

    def rank_documents(self, query: str, mode: Mode, revision: int, principal: Principal, documents: int = 100) -> list[tuple[str, float]]:
        """The URIs of the best ``documents`` documents and their scores; a document scores as its best chunk.

        The arms go deeper until they hold that many distinct documents or have nothing more.

        Raises:
            RevisionUnknown, ArmsUnavailable: as ``search``.
        """
        visibility = Visibility(revision, principal.groups)
        depth = max(self.ranking.depth, documents)
        while True:
            ranked = self._ranker.rank(query, mode, visibility, depth)
            payloads = self.reader.payloads(ranked.ids)
            uris = {point: str(payload["uri"]) for point, payload in payloads.items()}
            if ranked.exhausted or len(set(uris.values())) >= documents:
                break
            depth *= 2
        ranked = self._reranked(query, mode, ranked)  # once, for it brings no new passage
        best: dict[str, float] = {}
        for point, score in zip(ranked.ids, ranked.scores, strict=True):
            best.setdefault(uris[point], score)
        return list(best.items())[:documents]

    def rank_passages(self, query: str, mode: Mode, revision: int, principal: Principal, limit: int) -> list[tuple[Payload, float]]:
        """The payloads of the best ``limit`` passages and their scores.

        Raises:
            RevisionUnknown, ArmsUnavailable: as ``search``.
        """
        ranked = self._rank(query, mode, Visibility(revision, principal.groups), max(self.ranking.depth, limit))
        ids = ranked.ids[:limit]
        payloads = self.reader.payloads(ids)
        return [(payloads[point], score) for point, score in zip(ids, ranked.scores, strict=False)]

    def first_with_signals(self, query: str, revision: int, principal: Principal) -> tuple[Payload, tuple[float, ...]] | None:
        """The passage that a hybrid search puts first, and the signals of how sure that is; None where nothing is found.

        Raises:
            RevisionUnknown, ArmsUnavailable: as ``search``.
        """
        ranked = self._rank(query, "hybrid", Visibility(revision, principal.groups), self.ranking.depth, explained=1)
        if not ranked.ids:
            return None
        first = self.reader.payloads(ranked.ids[:1])[ranked.ids[0]]
        return first, self._signals(query, ranked, first, revision)

    def _rank(self, query: str, mode: Mode, visibility: Visibility, depth: int, explained: int = 0) -> Ranked:
        """What is visible, ranked, and reranked where the ranking says so. Arguments and errors are those of ``Ranker.rank``."""
        reranking = self.ranking.reranking
        if reranking is not None and explained:
            explained = max(explained, reranking.top)  # any of these may come first
        return self._reranked(query, mode, self._ranker.rank(query, mode, visibility, depth, explained))

    def _reranked(self, query: str, mode: Mode, ranked: Ranked) -> Ranked:
        """The best of a hybrid ranking by what the reranker says of their texts. One that fails is left out by name.

        It sees no passage but those that the arms brought, so none that this principal may not see.
        """
        reranking, reranker = self.ranking.reranking, self._reranker
        if reranking is None or reranker is None or mode != "hybrid" or not ranked.ids:
            return ranked
        asked = ranked.ids[: reranking.top]
        payloads = self.reader.payloads(asked)
        try:
            anew = _scored(reranker, query, [str(payloads[point]["text"]) for point in asked])
        except Exception as error:  # noqa: BLE001 - as for an arm, and named by its class: the message could quote text
            return replace(ranked, degraded=[*ranked.degraded, Degraded(arm="rerank", reason=type(error).__name__)])
        ids, scores = reranked(ranked.ids, ranked.scores, anew)
        return replace(ranked, ids=ids, scores=scores, arms={**ranked.arms, "rerank": dict(zip(asked, anew.tolist(), strict=True))})

    def _sure(
        self, request: SearchRequest, ranked: Ranked, payloads: Mapping[str, Payload], revision: int
    ) -> tuple[float | None, bool | None]:
        """How likely the first hit is relevant, and whether the index seems to hold anything on the matter: None if never learned."""
        learned = self.ranking.own_confidence
        if learned is None or request.mode != "hybrid" or ranked.degraded or not ranked.ids:
            return None, None
        signals = self._signals(request.query, ranked, payloads[ranked.ids[0]], revision)
        return round(learned.relevant.probability(signals), 4), learned.is_answerable(signals)

    def _signals(self, query: str, ranked: Ranked, first: Payload, revision: int) -> tuple[float, ...]:
        arms = (ranked.arms.get("dense", {}), ranked.arms.get("sparse", {}))
        statistics = self.reader.statistics(revision)
        return signals_of(query, str(first["text"]), ranked.scores, arms, ranked.ids[0], statistics, self.reader.bm25.language)


def _scored(reranker: Reranker, query: str, texts: list[str]) -> Scores:
    scores = np.asarray(reranker.scores(query, texts), dtype=np.float64)
    if scores.shape != (len(texts),) or not np.isfinite(scores).all():
        raise ValueError("a reranker gives every text a number")
    return scores


def _hints(reader: IndexReader, ranked: Ranked, visibility: Visibility, answerable: bool | None) -> list[Hint]:
    """Why the answer is empty or poor, from nothing but what this principal may see."""
    hints: list[Hint] = []
    if not ranked.ids:
        unfiltered = Visibility(visibility.revision, visibility.groups, excluded_documents=visibility.excluded_documents)
        if not reader.count(unfiltered):
            hints.append(Hint(code="nothing_indexed", message="Nothing that you may read is indexed in this release."))
        elif visibility.filters.model_dump(exclude_defaults=True) and not reader.count(visibility):
            hints.append(Hint(code="all_filtered_out", message="No passage meets the filters; take one away."))
        elif not ranked.known_terms and ranked.known_terms is not None:
            hints.append(Hint(code="no_terms_known", message="No word of the query occurs in this release; ask with other words."))
    if answerable is False:
        hints.append(Hint(code="no_good_answer", message="The index seems to hold nothing on this; the hits are the nearest there is."))
    elif answerable is None and ranked.best_cosine is not None and ranked.best_cosine < LOW_COSINE:
        hints.append(Hint(code="low_scores", message="Nothing is close to the query in meaning; the index may hold nothing on it."))
    return hints


def _hit(rank: int, payload: Mapping[str, Json], score: float, scores: Mapping[Part, float], excluded: Collection[str]) -> Hit:
    """A passage as it is answered.

    The groups that may read it may read its near-duplicates, for only documents of equal access are compared; but one of them may
    have been narrowed or erased since, and then its address is not shown either.
    """
    places = payload.get("near_duplicates")
    return Hit.model_validate(
        {
            **{name: payload[name] for name in ("chunk_id", "document_id", "source", "uri", "title", "text")},
            "rank": rank,
            "score": score,
            "scores": scores,
            "page": payload.get("page_first"),
            "page_last": payload.get("page_last"),
            "section": payload.get("section") or [],
            "span": {"start": payload["start"], "end": payload["end"]},
            "modified_at": payload.get("modified_at"),
            "metadata": payload.get("metadata") or {},
            "near_duplicates": [p for p in places if isinstance(p, dict) and p["document_id"] not in excluded]
            if isinstance(places, list)
            else [],
            "provenance": {
                **{name: payload[name] for name in ("raw_sha256", "parser", "chunker", "model_digest", "encoder", "run_id")},
                "release": payload["valid_from"],
            },
        }
    )
