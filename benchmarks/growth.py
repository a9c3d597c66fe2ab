"""What ten times the documents cost, and what one fixed change costs then.  usage: python -m benchmarks.growth [--files N] [--words N]

Documents are real abstracts (NFCorpus, where it lies beside the checkout; else invented words), cut short and perturbed so
that no two are alike.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from benchmarks.command import Cost, export_model_first, plumbline
from benchmarks.embedding import passages

CHANGED = 100
TIMES = 10


def perturbed(texts: list[str], number: int, words: int) -> str:
    """The ``number``-th document: a real text's beginning, with one word in eight taken from another."""
    dice = random.Random(number)  # noqa: S311
    own, other = texts[number % len(texts)].split()[:words], texts[(number * 7 + 3) % len(texts)].split() or ["nothing"]
    mixed = [dice.choice(other) if dice.random() < 1 / 8 else word for word in own]
    return f"# Report {number}\n\n{' '.join(mixed)}\n"


def write(folder: Path, texts: list[str], numbers: range, words: int, shift: int = 0) -> None:
    """Files for these numbers; ``shift`` makes them another text."""
    for number in numbers:
        path = folder / f"{number % 97:02d}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(perturbed(texts, number + shift, words))


def measured(root: Path, models: Path, texts: list[str], files: int, words: int) -> list[Cost]:
    """A first ingest, one with nothing changed, and one with 100 files changed."""
    home, folder = root / f"home{files}", root / f"files{files}"
    write(folder, texts, range(files), words)
    first = plumbline(home, models, "ingest", str(folder), "--name", "reports")
    unchanged = plumbline(home, models, "ingest")
    write(folder, texts, range(CHANGED), words, shift=10_000_019)
    return [first, unchanged, plumbline(home, models, "ingest")]


def main() -> None:
    """Measure both sizes and print seconds, memory and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--words", type=int, default=60)
    args = parser.parse_args()
    texts = passages(3000)
    with tempfile.TemporaryDirectory() as folder:
        root, models = Path(folder), Path(folder, "models")
        export_model_first(root, models)
        small = measured(root, models, texts, args.files, args.words)
        large = measured(root, models, texts, args.files * TIMES, args.words)
    print(f"| CPU seconds (memory) | {args.files:,} files | {args.files * TIMES:,} files | ratio |\n|---|---|---|---|")
    for name, few, many in zip(("first ingest", "nothing changed", f"{CHANGED} files changed"), small, large, strict=True):
        cells = " | ".join(f"{cost.cpu_s:.1f} ({cost.peak_mb:,.0f} MB)" for cost in (few, many))
        print(f"| {name} | {cells} | {many.cpu_s / few.cpu_s:.2f} |")


if __name__ == "__main__":
    main()
