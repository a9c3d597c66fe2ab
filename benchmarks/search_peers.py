"""Hybrid search beside txtai's, over the same documents with the same model.

usage: python -m benchmarks.search_peers --dataset DIR [--home DIR]

Both answer the judged queries of a BEIR folder: nDCG@10 of what they find, and CPU milliseconds a query, each in a process of its own.
Then both are asked over HTTP at eight connections, txtai through the API it comes with: answers a second, and CPU milliseconds of the
server for each. txtai comes with the extra ``peers``; where it is not installed it is left out, and said so.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import yaml

from benchmarks.command import plumbline
from benchmarks.load import Service, bodies_of, generated, serving
from pipelines.embedding_model.export import resolve_model
from quality_checks.metrics import evaluate_run
from search_index.home import Home, open_release
from search_index.model.search import Principal, SearchRequest
from search_index.settings import DEFAULT_MODEL, Settings

CONNECTIONS = 8
SECONDS = 20.0
DEPTH = 10
Search = Callable[[str], list[tuple[str, float]]]
"""Ids of documents and their scores, best first."""


def judged(dataset: Path) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """The queries that have judgements, and those: grade by document, by query."""
    grades: dict[str, dict[str, int]] = {}
    for line in (dataset / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = int(grade)
    texts = {row["_id"]: row["text"] for row in map(json.loads, (dataset / "queries.jsonl").read_text().splitlines())}
    return {query: texts[query] for query in grades if query in texts}, grades


def measured(dataset: Path, search: Search, answer: Callable[[str], object]) -> dict[str, float]:
    """nDCG@10 of ``search``, and CPU milliseconds of each ``answer``, which is what an application asks for; some are not counted."""
    queries, grades = judged(dataset)
    scores = evaluate_run({query: search(text) for query, text in queries.items()}, grades, ["ndcg@10"])["ndcg@10"]
    for text in list(queries.values())[:50]:
        answer(text)
    before = time.process_time()
    for text in queries.values():
        answer(text)
    return {"ndcg@10": float(np.mean(list(scores.values()))), "cpu_ms": (time.process_time() - before) / len(queries) * 1e3}


def plumbline_measured(dataset: Path, folder: Path) -> dict[str, float]:
    """The searcher that is served."""
    home = Home(_settings(folder))
    loaded = open_release(home, home.catalog.resolve(None))

    def search(text: str) -> list[tuple[str, float]]:
        ranked = loaded.searcher.rank_documents(text, "hybrid", loaded.record.revision, Principal(), DEPTH)
        return [(uri.partition(":")[2], score) for uri, score in ranked]

    return measured(dataset, search, lambda text: loaded.searcher.search(SearchRequest(query=text, limit=DEPTH), loaded.ref, Principal()))


def txtai_measured(dataset: Path, folder: Path) -> dict[str, float]:
    """txtai's hybrid index, its weights as they come, asked on one thread; what it indexed stays in ``folder``."""
    import torch
    from txtai import Embeddings

    model = str(resolve_model(DEFAULT_MODEL).folder)
    embeddings = Embeddings(path=model, hybrid=True, content=True, gpu=False)
    rows = map(json.loads, (dataset / "corpus.jsonl").read_text().splitlines())
    embeddings.index((row["_id"], f"{row.get('title', '')}\n{row['text']}".strip(), None) for row in rows)
    embeddings.save(str(folder / "index"))
    torch.set_num_threads(1)
    config = {"path": str(folder / "index"), "writable": False, "embeddings": {"path": model, "gpu": False}}
    (folder / "api.yml").write_text(yaml.safe_dump(config))

    def search(text: str) -> list[tuple[str, float]]:
        return [(row["id"], row["score"]) for row in embeddings.search(text, DEPTH)]

    return measured(dataset, search, search)


def over_http(service: Service, path: str, bodies: Path | None) -> dict[str, float]:
    """Answers a second, and the server's CPU milliseconds for each."""
    generated(service.port, path, bodies, 5, "--connections", "2")
    before = service.cpu_s
    taken = generated(service.port, path, bodies, SECONDS, "--connections", str(CONNECTIONS))
    answered = taken.status.count(200)
    return {"answers_s": answered / SECONDS, "http_cpu_ms": (service.cpu_s - before) / answered * 1e3}


def _settings(folder: Path) -> Settings:
    return Settings(home=folder, contracts=folder / "contracts", models=Path(os.environ["PLUMBLINE_MODELS"]))


def _in_process(name: str, dataset: Path, folder: Path) -> dict[str, float]:
    """What this module prints when it is asked for one of them alone."""
    command = [sys.executable, "-m", "benchmarks.search_peers", "--dataset", str(dataset), "--home", str(folder), "--alone", name]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="a BEIR folder")
    parser.add_argument("--home", type=Path, help="where to keep what is built; a second run finds it")
    parser.add_argument("--port", type=int, default=8125)
    parser.add_argument("--alone", choices=["plumbline", "txtai"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        alone = {"plumbline": plumbline_measured, "txtai": txtai_measured}[arguments.alone]
        print(json.dumps(alone(arguments.dataset, arguments.home)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.home or Path(scratch, "home")
        models = os.environ.setdefault("PLUMBLINE_MODELS", str(Path(scratch, "models")))
        if not (folder / "catalog.db").exists():
            command = ("evaluate", "--dataset", str(arguments.dataset), "--home", str(folder))
            plumbline(Path(scratch, "unused"), Path(models), *command)
        bodies = bodies_of(arguments.dataset, Path(scratch))
        print("| | nDCG@10 | CPU-ms a query | answers/s over HTTP | CPU-ms of the server an answer |\n|---|---|---|---|---|")
        found = {"plumbline": _in_process("plumbline", arguments.dataset, folder)}
        environment = {"PLUMBLINE_HOME": str(folder), "PLUMBLINE_PORT": str(arguments.port), "PLUMBLINE_RATE_LIMIT": "0"}
        environment["PLUMBLINE_ANSWER_CACHE_MB"] = "0"
        with serving([sys.executable, "-m", "plumbline.cli", "serve"], environment, arguments.port, "/health/ready") as service:
            found["plumbline"] |= over_http(service, "/v1/search", bodies)
        _print("plumbline", found["plumbline"])
        if importlib.util.find_spec("txtai") is None:
            print("txtai is not installed: `pip install plumbline[peers]`.")
            return
        peer = Path(scratch, "txtai")
        peer.mkdir()
        found["txtai"] = _in_process("txtai", arguments.dataset, peer)
        queries, _ = judged(arguments.dataset)
        paths = Path(scratch, "paths")
        paths.write_text("\n".join(f"/search?limit={DEPTH}&query={quote(text)}" for text in queries.values()))
        server = [sys.executable, "-m", "uvicorn", "txtai.api:app", "--host", "127.0.0.1", "--port", str(arguments.port), "--no-access-log"]
        threads = {"CONFIG": str(peer / "api.yml"), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        with serving(server, threads, arguments.port, "/count") as service:
            found["txtai"] |= over_http(service, f"@{paths}", None)
        _print("txtai", found["txtai"])
        ratio = {name: found["txtai"][name] / found["plumbline"][name] for name in ("cpu_ms", "http_cpu_ms")}
        print(f"\nFor the same CPU, answers in process: {ratio['cpu_ms']:.2f} times txtai's; over HTTP: {ratio['http_cpu_ms']:.2f} times.")


def _print(name: str, found: dict[str, float]) -> None:
    cells = (f"{found['ndcg@10']:.3f}", f"{found['cpu_ms']:.1f}", f"{found['answers_s']:.0f}", f"{found['http_cpu_ms']:.1f}")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
