"""What an ingest costs beside embedding alone, and a second one beside the first.  usage: python -m benchmarks.ingest [--records N]

The records are NFCorpus, or as many invented ones where it does not lie beside the checkout. Each command is a process of its
own and is charged all its CPU seconds, imports included; the export of the model belongs to none of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks.command import export_model_first, plumbline
from benchmarks.embedding import NFCORPUS, passages
from pipelines.embedding_model.export import export_model, resolve_model
from pipelines.tables import Lake
from quality_checks.default_contract import default_contract
from search_index.embedding import Encoder
from search_index.settings import DEFAULT_MODEL

SOURCE = "records"


def records(count: int | None) -> list[str]:
    """Lines of a BEIR corpus."""
    if NFCORPUS.is_file():
        return NFCORPUS.read_text(encoding="utf-8").splitlines()[:count]
    return [json.dumps({"_id": str(number), "title": "", "text": text}) for number, text in enumerate(passages(count or 3000))]


def edited(line: str) -> str:
    """The record with a sentence more at its end."""
    record = json.loads(line)
    return json.dumps(record | {"text": f"{record['text']} It was revised once more before it was printed."})


def prepare(root: Path, home: Path, models: Path, lines: list[str]) -> Path:
    """A home with a contract for the records, which lie in the file that is given back; the model is exported before."""
    export_model_first(root, models)
    corpus = root / "corpus.jsonl"
    corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (home / "contracts").mkdir(parents=True)
    contract = default_contract(SOURCE, str(corpus), records={"id": "_id", "title": "title", "text": "text"})
    (home / "contracts" / f"{SOURCE}.yaml").write_text(contract)
    return corpus


def edit_one_in_a_hundred(corpus: Path, lines: list[str]) -> None:
    """Write the records anew, every hundredth with a sentence more at its end."""
    text = "\n".join(edited(line) if at % 100 == 0 else line for at, line in enumerate(lines))
    corpus.write_text(f"{text}\n", encoding="utf-8")


def embedding_alone(home: Path, models: Path) -> float:
    """CPU seconds of loading the encoder and encoding the passages of a home, and of nothing else."""
    rows = Lake(str(home / "lake")).read_source("chunks", SOURCE, columns=["vector_key", "header", "text"]).to_pylist()
    texts = {row["vector_key"]: f"{row['header']}\n{row['text']}" if row["header"] else row["text"] for row in rows}
    process = psutil.Process()
    before = process.cpu_times()
    Encoder.load(export_model(resolve_model(DEFAULT_MODEL), models)).encode(list(texts.values()))
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, help="take the first so many only")
    lines = records(parser.parse_args().records)
    with tempfile.TemporaryDirectory() as scratch:
        root, home, models = Path(scratch), Path(scratch, "home"), Path(scratch, "models")
        corpus = prepare(root, home, models, lines)
        first = plumbline(home, models, "ingest")
        alone_s = embedding_alone(home, models)
        unchanged = plumbline(home, models, "ingest")
        edit_one_in_a_hundred(corpus, lines)
        changed = plumbline(home, models, "ingest")
    sys.stdout.write("| ingest | CPU-s | beside | ratio |\n|---|---|---|---|\n")
    rows = (
        (f"{len(lines):,} records, for the first time", first.cpu_s, f"embedding alone: {alone_s:.1f}", first.cpu_s / alone_s),
        ("nothing changed", unchanged.cpu_s, "the first", unchanged.cpu_s / first.cpu_s),
        ("one record in a hundred edited", changed.cpu_s, "the first", changed.cpu_s / first.cpu_s),
    )
    for name, cpu_s, beside, ratio in rows:
        sys.stdout.write(f"| {name} | {cpu_s:.1f} | {beside} | {ratio:.3f} |\n")


if __name__ == "__main__":
    main()
