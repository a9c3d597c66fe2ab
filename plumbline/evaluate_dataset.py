"""``plumbline evaluate``: a BEIR folder through the same pipeline, in a home of its own, asked of the searcher that is served."""

from __future__ import annotations

import contextlib
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import JsonValue as Json

from pipelines.evaluation.judged_sets import judge_golden
from pipelines.run import Outcome, ingest
from pipelines.tables import Lake
from pipelines.workspace import Progress
from plumbline.reranker_trial import RERANKED, gain_and_cost, reranking_searcher
from plumbline.training_set import training_files, training_set, write_golden
from quality_checks.default_contract import default_contract, source_name_for
from quality_checks.evaluation import Judged, ModeResult, ask
from quality_checks.golden import GoldenSet, import_beir
from search_index.cross_encoder import check_reranker
from search_index.errors import Refused, WrongUsage
from search_index.home import Home, LoadedRelease, open_release
from search_index.model.search import Mode, Principal
from search_index.searcher import Searcher
from search_index.settings import Settings


def evaluate_dataset(
    settings: Settings,
    dataset: Path,
    *,
    modes: Sequence[Mode],
    documents: Path | None,
    limit_queries: int | None,
    home: Path | None,
    progress: Progress,
    reranker: Path | None = None,
) -> dict[str, Json]:
    """Ingest a collection, learn a ranking from its training judgements where it has some, and measure each mode on its judged queries.

    Args:
        dataset: a folder with ``corpus.jsonl``, ``queries.jsonl`` and ``qrels.tsv`` or ``qrels/test.tsv``, which nothing is learned from.
        documents: a folder of files whose stem is the corpus id, to be ingested instead of ``corpus.jsonl``.
        limit_queries: measure the first so many judged queries only.
        home: where to keep what is built, for a second look; None throws it away.
        reranker: folder of a cross-encoder to try; hybrid search is then measured without it, as released, and with it.

    Errors:
        WrongUsage: the folder lacks a file, or the reranker's folder holds no cross-encoder.
        Refused: the collection did not pass the gates.
        NotInMemory: mode ``lexical`` is to be measured, and there are more passages than are kept in memory.
    """
    queries, qrels = _files(dataset, documents)
    with _home(home) as folder:
        name = source_name_for(str(dataset.resolve()))
        own = settings.model_copy(
            update={
                "home": folder,
                "contracts": folder / "contracts",
                "models": settings.models_dir,
                "database_url": None,
                "lake_url": None,
                **({"reranker": None} if reranker else {}),
            }
        )
        (folder / "contracts").mkdir(parents=True, exist_ok=True)
        (folder / "contracts" / f"{name}.yaml").write_text(_contract(name, dataset, documents))
        if reranker is not None:
            check_reranker(reranker)  # rather now than after the ingest
        before, began = _cpu_s(), time.perf_counter()
        outcome = ingest(own, [name], progress, wait_s=0, say=lambda _: None)
        wall_s, cpu_s, peak_mb = time.perf_counter() - began, _cpu_s() - before, _peak_rss_mb()
        _published(outcome)
        training = _learn(own, dataset, name, documents, progress)
        opened = Home(own.model_copy(update={"reranker": reranker}) if reranker else own)
        loaded = open_release(opened, opened.catalog.resolve(None))
        try:
            golden = _limited(import_beir(queries, qrels, name, _path_of(own, name, documents)), limit_queries)
            judged = judge_golden(Lake(own.lake), [golden], loaded.manifest)
            measured = _measured(opened, loaded, judged, modes, progress)
        finally:
            loaded.close()
        steps = outcome.reports[name]
        model = loaded.manifest.model
        return {
            "dataset": dataset.name,
            "model": {"name": model.name, "digest": model.digest, "runtime": model.runtime},
            "ingest": {
                "documents": steps["documents"].counts["documents"],
                "chunks": steps["chunks"].counts["chunks"],
                "quarantined": steps["documents"].counts["quarantined"],
                "wall_s": round(wall_s, 2),
                "cpu_s": round(cpu_s, 2),
                "embed_cpu_s": round(steps["vectors"].cpu_s, 2),
                "peak_rss_mb": round(peak_mb, 1),
            },
            "ranking": {
                "pinned": {key: value for key, value in loaded.manifest.ranking.items() if key != "tuned"},
                "tuned": loaded.manifest.ranking.get("tuned"),
                "training": training,
            },
            **measured,
        }


def _measured(home: Home, loaded: LoadedRelease, judged: Sequence[Judged], modes: Sequence[Mode], progress: Progress) -> dict[str, Json]:
    """Each mode as released; and hybrid search reranked, where settings ask for a reranker and the release pins none."""

    def asked(searcher: Searcher, mode: Mode, name: str) -> ModeResult:
        progress.start(f"asking ({name})", sum(len(one.golden.queries) for one in judged))
        found = ask(searcher, judged, mode, loaded.record.revision, Principal(), progress.advance)
        progress.finish()
        return found

    def searcher_for(mode: Mode) -> Searcher:
        """What answers in a mode when the release is served: in ``lexical``, its passages in memory."""
        if mode != "lexical":
            return loaded.searcher
        return loaded.searcher.in_memory(loaded.record.revision, home.settings.fallback_passages)

    results: dict[str, ModeResult] = {mode: asked(searcher_for(mode), mode, mode) for mode in modes}
    tried: dict[str, Json] = {}
    reranking = None if loaded.searcher.ranking.reranking else home.wanted_reranking()
    if reranking is not None:
        if "hybrid" not in results:
            results["hybrid"] = asked(loaded.searcher, "hybrid", "hybrid")
        results[RERANKED] = asked(reranking_searcher(home, loaded.manifest, loaded.reader, reranking), "hybrid", RERANKED)
        tried = {"reranking": gain_and_cost(reranking, results["hybrid"], results[RERANKED])}
    return {"modes": {name: found.summary() for name, found in results.items()}, **tried}


def _learn(settings: Settings, dataset: Path, name: str, documents: Path | None, progress: Progress) -> dict[str, Json] | None:
    """Let the collection's training judgements, if it has some, bring about a release with a ranking of its own; what that cost."""
    files = training_files(dataset)
    if files is None or not settings.tunes:
        return None
    golden = training_set(*files, name, _path_of(settings, name, documents))
    before, began = _cpu_s(), time.perf_counter()
    write_golden(golden, settings.root / "contracts" / "golden")
    _published(ingest(settings, [name], progress, wait_s=0, say=lambda _: None))
    return {
        "queries": len(golden.queries),
        "wall_s": round(time.perf_counter() - began, 2),
        "cpu_s": round(_cpu_s() - before, 2),
        "peak_rss_mb": round(_peak_rss_mb(), 1),
    }


def _files(dataset: Path, documents: Path | None) -> tuple[Path, Path]:
    qrels = next((p for p in (dataset / "qrels.tsv", dataset / "qrels" / "test.tsv") if p.is_file()), None)
    queries, corpus = dataset / "queries.jsonl", documents or dataset / "corpus.jsonl"
    missing = [str(p) for p in (queries, corpus) if not p.exists()] + ([] if qrels else [f"{dataset / 'qrels.tsv'} or qrels/test.tsv"])
    if missing or qrels is None:
        raise WrongUsage(
            f"{dataset} is not a BEIR folder: {', '.join(missing)} is missing.", "Give a folder with corpus, queries and qrels."
        )
    return queries, qrels


@contextlib.contextmanager
def _home(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-evaluate-") as folder:
        yield Path(folder)


def _contract(name: str, dataset: Path, documents: Path | None) -> str:
    if documents is not None:
        return default_contract(name, str(documents.resolve()))
    return default_contract(name, str((dataset / "corpus.jsonl").resolve()), records={"id": "_id", "title": "title", "text": "text"})


def _path_of(settings: Settings, name: str, documents: Path | None) -> Callable[[str], str]:
    if documents is None:
        return str
    paths = Lake(settings.lake).read_source("manifests", name, columns=["path"])["path"].to_pylist()
    by_stem = {Path(p).stem: p for p in paths}
    return lambda identity: by_stem.get(identity, identity)


def _limited(golden: GoldenSet, limit: int | None) -> GoldenSet:
    return golden if limit is None else golden.model_copy(update={"queries": golden.queries[:limit]})


def _published(outcome: Outcome) -> None:
    decision = outcome.decision
    if decision is None or decision.status not in ("published", "unchanged"):
        held = [f"{s}: {'; '.join(r)}" for s, r in decision.held.items()] if decision else []
        reasons = outcome.failures + (decision.reasons if decision else []) + held
        raise Refused(f"The collection did not become a release: {json.dumps(reasons)}.", "Mend what is named and try again.")


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def _peak_rss_mb() -> float:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
