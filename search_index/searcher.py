"""The one way to ask: the service wraps it, evaluation calls it, so what is measured is what is served."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

import numpy as np

from search_index.adapter import QueryAdapter
from search_index.answering.composing import Composed, Listing, composed
from search_index.answering.sighted import Sighted
from search_index.arms import ArmGate
from search_index.confidence import signals_of
from search_index.deadline import NEVER, Deadline
from search_index.engine.interface import IndexReader, Payload, Visibility
from search_index.engine.memory_reader import in_memory
from search_index.errors import ReleaseUntrusted, WrongUsage
from search_index.fusion import Ranking, Scores, reranked
from search_index.hints import hints_of
from search_index.model.filters import Filters
from search_index.model.passage import Facet
from search_index.model.search import Degraded, Mode, Principal, ReleaseRef, SearchAnswer, SearchRequest
from search_index.ranker import ARMS, LATE, QueryEncoder, Ranked, Ranker
from search_index.reranking import Reranker
from search_index.standby import ENGINE_LOST, Standby, left_out, no_standby, standing_by, stands_in
from search_index.withholding import NOTHING_WITHHELD, Withholding

EVERY: Final = 1_000_000
"""More than any ranking holds."""


@runtime_checkable
class TokenCounter(Protocol):
    """A model that can say how long a text is to it."""

    model_name: str

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, special ones not counted."""
        ...


class Searcher:
    """Answers from any revision that ``reader`` holds; access is decided inside each arm.

    Args:
        reader: an opened index. Whoever opened it closes it.
        encoder: the model the index was made with.
        ranking: how the arms are combined.
        adapter: what moves the query's vector; it has to be the one that ``ranking`` names.
        reranker: what scores the best of a hybrid ranking anew; likewise.
        withholding: what may not be read now. Asked each time; by default nothing is withheld, which is for measuring alone.

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
        withholding: Withholding = NOTHING_WITHHELD,
    ) -> None:
        if (adapter.sha256 if adapter else None) != ranking.adapter:
            raise ReleaseUntrusted("The ranking names another query adapter than was given.", "Open the release anew.")
        if (reranker.digest if reranker else None) != (ranking.reranking.model if ranking.reranking else None):
            raise ReleaseUntrusted("The ranking names another reranker than was given.", "Open the release anew.")
        self.reader = reader
        self.ranking = ranking
        self.withholding = withholding
        self._encoder = encoder
        self._ranker = Ranker(reader, encoder, ranking, adapter)
        self._sighted = Sighted(reader)
        self._reranker = reranker
        self._standby: Standby = no_standby

    def guarded(self, wrap: Callable[[QueryEncoder], QueryEncoder], gate: ArmGate, standby: Standby = no_standby) -> Searcher:
        """The same searcher, whose queries are encoded by what ``wrap`` makes of the encoder, and whose arms are minded by ``gate``.

        Args:
            standby: gives what stands in when no arm answers, and answers in mode ``lexical``.
        """
        made = copy.copy(self)
        made._ranker = replace(self._ranker, encoder=wrap(self._encoder), gate=gate)
        made._standby = standby
        return made

    def in_memory(self, revision: int, most: int) -> Searcher:
        """The passages of ``revision`` in memory, to be asked in mode ``lexical`` whatever becomes of the reader.

        Args:
            most: passages that may be copied.

        Raises:
            NotInMemory: there are more.
            RevisionUnknown: the reader does not hold the revision.
        """
        made = Searcher(
            in_memory(self.reader, revision, most), self._encoder, self.ranking, self._ranker.adapter, self._reranker, self.withholding
        )
        made._standby = lambda: made
        return made

    def search(
        self,
        request: SearchRequest,
        release: ReleaseRef,
        principal: Principal,
        excluded_documents: Collection[str] = frozenset(),
        deadline: Deadline = NEVER,
    ) -> SearchAnswer:
        """Answer ``request`` from ``release``. A cursor is not looked at: whoever made it says what it means.

        Args:
            excluded_documents: ids of documents to leave out, beside those that are withheld from the principal.
            deadline: the request's own counts from now; whichever is sooner holds.

        Raises:
            RevisionUnknown: the reader does not hold the release's revision.
            ArmsUnavailable: every arm the mode asks for failed, and nothing stands in.
            NotInMemory: mode ``lexical`` where nothing is kept in memory.
            FilterInvalid: a filter or a facet names a metadata field that there is not, or compares it with another kind of value.
            DeadlineExceeded: the time was over before any arm was asked.
        """
        asked = (release, principal, excluded_documents, deadline.sooner(request.deadline_ms))
        if request.mode == "lexical":
            return standing_by(self._standby())._answer(request, *asked)
        try:
            return self._answer(request, *asked)
        except ENGINE_LOST as lost:
            memory = self._standby() if stands_in(request.mode) else None
            if memory is None or memory.reader.directory_revision != release.revision:
                raise
            return left_out(memory._answer(request.model_copy(update={"mode": "lexical"}), *asked), ARMS[request.mode], lost)

    def _answer(
        self, request: SearchRequest, release: ReleaseRef, principal: Principal, excluded_documents: Collection[str], deadline: Deadline
    ) -> SearchAnswer:
        began = time.perf_counter()
        visibility = self.visibility(request.filters, release.revision, principal, excluded_documents)
        self._sighted.check_facets(request.facets, visibility)
        listing = self._listed(request, visibility, deadline)
        page = composed(listing, request, self.reader, self.ranking, visibility, deadline)
        facets = self._facets(request, visibility, deadline, page)
        confidence, answerable = self._sure(request, listing.ranked, page.first, release.revision)
        return SearchAnswer(
            query=request.query,
            mode=request.mode,
            release=release,
            hits=page.hits,
            groups=page.groups,
            facets=facets,
            confidence=confidence,
            answerable=answerable,
            next_offset=request.offset + request.limit if page.more else None,
            degraded=page.degraded,
            hints=hints_of(self.reader, listing.ranked, visibility, answerable),
            took_ms=round((time.perf_counter() - began) * 1e3, 3),
        )

    def visibility(
        self, filters: Filters, revision: int, principal: Principal, excluded_documents: Collection[str] = frozenset()
    ) -> Visibility:
        """What ``principal`` may see of ``revision`` and ``filters`` let through, ready for an engine.

        Raises:
            FilterInvalid: a metadata field is not there, or is compared with another kind of value.
            RevisionUnknown: the reader does not hold the revision.
            PlumblineError: what is withheld cannot be told.
        """
        return self._sighted.narrowed(self.sight(revision, principal, excluded_documents), filters)

    def sight(self, revision: int, principal: Principal, excluded_documents: Collection[str] = frozenset()) -> Visibility:
        """All that ``principal`` may see of ``revision``. The one place where a principal becomes what an engine is asked with.

        Raises:
            PlumblineError: what is withheld cannot be told.
        """
        withheld = self.withholding.withheld_from(principal)
        excluded = withheld.union(excluded_documents) if excluded_documents else withheld
        return Visibility(revision, principal.tenant, principal.groups, excluded_documents=excluded)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text to the release's own model, special ones not counted.

        Raises:
            WrongUsage: the model cannot say.
        """
        return self._counter().count_tokens(text)

    @property
    def tokenizer_name(self) -> str:
        """Whose tokens ``count_tokens`` counts. Raises the same."""
        return self._counter().model_name

    def _counter(self) -> TokenCounter:
        if not isinstance(self._encoder, TokenCounter):
            raise WrongUsage("The release's model does not say how many tokens a text has.", "Ask for passages with a search instead.")
        return self._encoder

    def rank_documents(self, query: str, mode: Mode, revision: int, principal: Principal, documents: int = 100) -> list[tuple[str, float]]:
        """The URIs of the best ``documents`` documents and their scores; a document scores as its best chunk.

        The arms go deeper until they hold that many distinct documents or have nothing more.

        Raises:
            RevisionUnknown, ArmsUnavailable: as ``search``.
        """
        visibility = self.sight(revision, principal)
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
        ranked = self._rank(query, mode, self.sight(revision, principal), max(self.ranking.depth, limit))
        ids = ranked.ids[:limit]
        payloads = self.reader.payloads(ids)
        return [(payloads[point], score) for point, score in zip(ids, ranked.scores, strict=False)]

    def first_with_signals(self, query: str, revision: int, principal: Principal) -> tuple[Payload, tuple[float, ...]] | None:
        """The passage that a hybrid search puts first, and the signals of how sure that is; None where nothing is found.

        Raises:
            RevisionUnknown, ArmsUnavailable: as ``search``.
        """
        ranked = self._rank(query, "hybrid", self.sight(revision, principal), self.ranking.depth, explained=1)
        if not ranked.ids:
            return None
        first = self.reader.payloads(ranked.ids[:1])[ranked.ids[0]]
        return first, self._signals(query, ranked, first, revision)

    def _listed(self, request: SearchRequest, visibility: Visibility, deadline: Deadline) -> Listing:
        """What is visible, ranked as deep as it always is; a later page goes deeper by itself."""
        depth = max(self.ranking.depth, request.limit)
        in_order = not (request.offset or request.diversity or request.group_by)
        shown = self._explained(request.limit if in_order else EVERY)
        fused = self._ranker.rank(request.query, request.mode, visibility, depth, shown, deadline)

        def deeper(depth: int) -> Ranked:
            return self._ranker.rank(request.query, request.mode, visibility, depth, EVERY, deadline)

        return Listing(fused, self._reranked(request.query, request.mode, fused, deadline), depth, deeper)

    def _explained(self, shown: int) -> int:
        """For how many of a ranking each arm's own score is needed, where ``shown`` are shown."""
        reranking = self.ranking.reranking
        return max(shown, reranking.top) if reranking is not None and shown else shown  # any of these may come first

    def _rank(self, query: str, mode: Mode, visibility: Visibility, depth: int, explained: int = 0) -> Ranked:
        """What is visible, ranked, and reranked where the ranking says so. Arguments and errors are those of ``Ranker.rank``."""
        return self._reranked(query, mode, self._ranker.rank(query, mode, visibility, depth, self._explained(explained)))

    def _reranked(self, query: str, mode: Mode, ranked: Ranked, deadline: Deadline = NEVER) -> Ranked:
        """The best of a hybrid ranking by what the reranker says of their texts. One that fails is left out by name.

        It sees no passage but those that the arms brought, so none that this principal may not see.
        """
        reranking, reranker = self.ranking.reranking, self._reranker
        if reranking is None or reranker is None or mode != "hybrid" or not ranked.ids:
            return ranked
        if deadline.passed:
            return replace(ranked, degraded=[*ranked.degraded, Degraded(arm="rerank", reason=LATE)])
        asked = ranked.ids[: reranking.top]
        payloads = self.reader.payloads(asked)
        try:
            anew = _scored(reranker, query, [str(payloads[point]["text"]) for point in asked])
        except Exception as error:  # noqa: BLE001 - as for an arm, and named by its class: the message could quote text
            return replace(ranked, degraded=[*ranked.degraded, Degraded(arm="rerank", reason=type(error).__name__)])
        ids, scores = reranked(ranked.ids, ranked.scores, anew)
        return replace(ranked, ids=ids, scores=scores, arms={**ranked.arms, "rerank": dict(zip(asked, anew.tolist(), strict=True))})

    def _sure(self, request: SearchRequest, ranked: Ranked, first: Payload | None, revision: int) -> tuple[float | None, bool | None]:
        """How likely the first hit is relevant, and whether the index seems to hold anything on the matter: None if never learned."""
        learned = self.ranking.own_confidence
        if learned is None or request.mode != "hybrid" or ranked.degraded or first is None:
            return None, None
        signals = self._signals(request.query, ranked, first, revision)
        sure = round(learned.relevant.probability(signals), 4) if learned.stated else None
        return sure, learned.is_answerable(signals)

    def _signals(self, query: str, ranked: Ranked, first: Payload, revision: int) -> tuple[float, ...]:
        arms = (ranked.arms.get("dense", {}), ranked.arms.get("sparse", {}))
        statistics = self.reader.statistics(revision, str(first["tenant"]))
        return signals_of(query, str(first["text"]), ranked.scores, arms, ranked.ids[0], statistics, self.reader.bm25.language)

    def _facets(self, request: SearchRequest, visibility: Visibility, deadline: Deadline, page: Composed) -> dict[str, Facet] | None:
        if not request.facets:
            return None
        if deadline.passed:
            page.degraded.append(Degraded(arm="facets", reason=LATE))
            return None
        return self._sighted.facets(request.facets, visibility, request.filters, request.facet_limit)


def _scored(reranker: Reranker, query: str, texts: list[str]) -> Scores:
    scores = np.asarray(reranker.scores(query, texts), dtype=np.float64)
    if scores.shape != (len(texts),) or not np.isfinite(scores).all():
        raise ValueError("a reranker gives every text a number")
    return scores
