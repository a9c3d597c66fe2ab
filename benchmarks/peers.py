"""The same documents through Plumbline, Haystack and LlamaIndex, with the same model.  usage: python -m benchmarks.peers [--documents N]

Each runs in a process of its own and is charged all of its CPU seconds, imports and model loading included. Passages are cut to
the same length where the peer has a setting for it; what each cut is printed, since CPU time goes with the tokens embedded.
The peers come with the extra ``peers``; one that is not installed is left out, and said so.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.command import export_model_first, plumbline
from benchmarks.embedding import passages
from pipelines.embedding_model.export import resolve_model
from search_index.settings import DEFAULT_MODEL

WORDS_A_PASSAGE = 150
"""No more than fit 256 tokens of English, so that nothing is cut off unseen."""


def with_haystack(texts: list[str], model: str) -> int:
    """Split, embed and write to Haystack's own store; gives the number of passages."""
    from haystack import Document, Pipeline
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.writers import DocumentWriter
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.sentence_transformers import SentenceTransformersDocumentEmbedder

    store = InMemoryDocumentStore()
    pipeline = Pipeline()
    pipeline.add_component("split", DocumentSplitter(split_by="word", split_length=WORDS_A_PASSAGE, split_overlap=20))
    pipeline.add_component("embed", SentenceTransformersDocumentEmbedder(model=model, progress_bar=False))
    pipeline.add_component("write", DocumentWriter(store))
    pipeline.connect("split", "embed")
    pipeline.connect("embed", "write")
    pipeline.run({"split": {"documents": [Document(content=text) for text in texts]}})
    return store.count_documents()


def with_llama_index(texts: list[str], model: str) -> int:
    """Split and embed through LlamaIndex's ingestion pipeline; gives the number of passages."""
    from llama_index.core import Document
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.node_parser import TokenTextSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    splitter = TokenTextSplitter(chunk_size=254, chunk_overlap=32, tokenizer=lambda text: tokenizer.encode(text, add_special_tokens=False))
    pipeline = IngestionPipeline(transformations=[splitter, HuggingFaceEmbedding(model_name=model, device="cpu", embed_batch_size=32)])
    return len(pipeline.run(documents=[Document(text=text) for text in texts]))


PEERS: dict[str, tuple[str, Callable[[list[str], str], int]]] = {
    "haystack": ("haystack_integrations", with_haystack),
    "llama-index": ("llama_index", with_llama_index),
}


def peer_cost(name: str, folder: Path, model: str) -> tuple[float, int]:
    """CPU seconds and passages of a peer, in a process of its own."""
    environment = os.environ | {"HAYSTACK_TELEMETRY_ENABLED": "False", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-m", "benchmarks.peers", "--peer", name, "--folder", str(folder), "--model", model]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{name} left with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, int(json.loads(printed.splitlines()[-1])["passages"])


def main() -> None:
    """Measure all and print a table; with ``--peer``, be that peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--peer", choices=sorted(PEERS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    args = parser.parse_args()
    if args.peer:
        texts = [path.read_text() for path in sorted(args.folder.glob("*.txt"))]
        print(json.dumps({"passages": PEERS[args.peer][1](texts, args.model)}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root, folder, models = Path(scratch), Path(scratch, "documents"), Path(scratch, "models")
        folder.mkdir()
        export_model_first(root, models)
        for number, text in enumerate(passages(args.documents)):
            (folder / f"{number:05}.txt").write_text(text)
        ours = plumbline(root / "home", models, "ingest", str(folder), "--name", "documents")
        sources = ours.answer["sources"]
        assert isinstance(sources, dict)
        counts = sources["documents"]
        assert isinstance(counts, dict)
        print("| ingest | passages | CPU-s | Plumbline's share |\n|---|---|---|---|")
        print(f"| Plumbline, with gates, index and release | {counts['chunks']} | {ours.cpu_s:.1f} | |")
        for name, (package, _) in PEERS.items():
            if importlib.util.find_spec(package) is None:
                print(f"| {name} | not installed: `pip install -c constraints.txt -e '.[peers]'` | | |")
                continue
            cpu_s, cut = peer_cost(name, folder, str(resolve_model(args.model).folder))
            print(f"| {name} | {cut} | {cpu_s:.1f} | {ours.cpu_s / cpu_s:.2f} |", flush=True)


if __name__ == "__main__":
    main()
