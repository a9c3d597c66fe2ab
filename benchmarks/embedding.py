"""CPU time a passage: our encoder on every runtime that is here, beside sentence-transformers on torch, in turns, on the same texts.

Run ``python -m benchmarks.embedding``. Texts are NFCorpus abstracts where they lie beside the checkout, else made up.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from pipelines.embedding_model.export import export_model, resolve_model
from search_index.embedding import Encoder
from search_index.embedding.runtimes.offers import offers
from search_index.settings import DEFAULT_MODEL

NFCORPUS = Path(__file__).resolve().parents[2] / "shared" / "data" / "nfcorpus" / "corpus.jsonl"


def passages(count: int) -> list[str]:
    """``count`` texts, evenly drawn from NFCorpus, or of 5 to 200 invented words."""
    if NFCORPUS.is_file():
        lines = NFCORPUS.read_text(encoding="utf-8").splitlines()
        drawn = (json.loads(line) for line in lines[:: max(1, len(lines) // count)][:count])
        return [f"{each['title']} {each['text']}" for each in drawn]
    dice = random.Random(0)  # noqa: S311
    words = ["".join(dice.choices("abcdefghilmnoprstu", k=dice.randint(2, 9))) for _ in range(2000)]
    return [" ".join(dice.choices(words, k=dice.randint(5, 200))) for _ in range(count)]


def cpu_ms(encode: Callable[[list[str]], NDArray[np.float32]], texts: list[str]) -> tuple[float, float, NDArray[np.float32]]:
    """CPU and wall milliseconds a text, and the vectors."""
    cpu, wall = time.process_time(), time.perf_counter()
    vectors = encode(texts)
    return (time.process_time() - cpu) / len(texts) * 1e3, (time.perf_counter() - wall) / len(texts) * 1e3, vectors


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--models-dir", type=Path, help="where exported graphs are kept; default: exported anew")
    args = parser.parse_args()
    source = resolve_model(args.model)
    texts = passages(args.texts)
    with TemporaryDirectory() as scratch:
        models = args.models_dir or Path(scratch)
        chosen = Encoder.fingerprint_of(export_model(source, models))
        encoders = {}
        for engine in dict.fromkeys(offer.engine for offer in offers("auto")):
            folder = export_model(source, models, engine)
            started = time.perf_counter()
            encoder = Encoder.load(folder)
            loaded = time.perf_counter() - started
            encoder.encode(texts[:8])
            encoders[encoder.runtime] = encoder
            print(
                f"{source.name} on {encoder.runtime}{' (the one chosen)' * (encoder.fingerprint == chosen)}, {encoder.threads} threads, "
                f"loaded in {loaded:.2f} s; query of 60 characters: {query_times(encoder, texts)}"
            )
        print(f"peak memory so far {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        compare(encoders, source.folder, texts, args.rounds)


def query_times(encoder: Encoder, texts: list[str]) -> str:
    """Wall time of a query, in words."""
    latencies = []
    for text in texts:
        before = time.perf_counter()
        encoder.encode_query(text[:60])
        latencies.append((time.perf_counter() - before) * 1e3)
    return f"p50 {np.percentile(latencies, 50):.1f} ms, p95 {np.percentile(latencies, 95):.1f} ms"


def compare(encoders: dict[str, Encoder], folder: Path, texts: list[str], rounds: int) -> None:
    """Print CPU and wall time a passage of each, in turns, and how far their vectors are from those of sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    torch_model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def with_torch(batch: list[str]) -> NDArray[np.float32]:
        return np.asarray(torch_model.encode_document(batch, normalize_embeddings=True, show_progress_bar=False), np.float32)

    theirs = with_torch(texts)
    any_encoder = next(iter(encoders.values()))
    tokens = np.mean([min(len(each.ids), any_encoder.max_tokens) for each in any_encoder.tokenizer.encode_batch_fast(texts)])
    print(f"{len(texts)} passages of {tokens:.0f} tokens on average, CPU ms (wall ms) a passage:")
    ratios: dict[str, list[float]] = {name: [] for name in encoders}
    cosines = {}
    for number in range(1, rounds + 1):
        torch_cpu, torch_wall, _ = cpu_ms(with_torch, texts)
        said = [f"sentence-transformers {torch_cpu:.1f} ({torch_wall:.1f})"]
        for name, encoder in encoders.items():
            cpu, wall, ours = cpu_ms(encoder.encode, texts)
            ratios[name].append(cpu / torch_cpu)
            cosines[name] = (ours.astype(np.float64) * theirs).sum(-1).min()
            said.append(f"{name} {cpu:.1f} ({wall:.1f}), ratio {cpu / torch_cpu:.2f}")
        print(f"  round {number}: {'; '.join(said)}")
    for name in encoders:
        print(f"{name}: median ratio {np.median(ratios[name]):.2f}, worst cosine {cosines[name]:.6f}")


if __name__ == "__main__":
    main()
