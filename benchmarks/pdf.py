"""PDF text beside pdftotext's and that of unstructured's fast strategy.

usage: python -m benchmarks.pdf FOLDER_OF_PDFS [PYTHON_WITH_UNSTRUCTURED_PDF]

Ten files are read; the other two read the first of them, up to 100 pages. Words are runs of letters and digits, folded; five in a
row make a phrase, within a page. Speed is CPU seconds of one process, imports left out.

unstructured's fast strategy needs packages that this project leaves out, so it runs in an interpreter of its own. Make one with
this project's packages and then ``pip install pdfminer.six pikepdf pypdf pdf2image pi-heif opencv-python-headless matplotlib onnx
onnxruntime rapidfuzz transformers scipy "pandas<3"`` and ``pip install --no-deps unstructured-inference``. Without it that
comparison is left out, as is pdftotext's without poppler.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from pipelines.parsing.pdf.reader import read_pdf

FILES = 10
MOST_PAGES = 100
_WORD = re.compile(r"\w+")
_UNSTRUCTURED = """
import json, sys, time
from pipelines.parsing.tagger import prepare_unstructured
prepare_unstructured()
from unstructured.partition.pdf import partition_pdf
partition_pdf(sys.argv[1], strategy="fast", languages=[""])
found, start = [], time.process_time()
for path in sys.argv[1:]:
    elements = partition_pdf(path, strategy="fast", languages=[""])
    found.append([(e.category, e.metadata.page_number, e.text or "") for e in elements])
json.dump({"cpu_s": time.process_time() - start, "found": found}, sys.stdout)
"""

Element = tuple[str, int, str]
"""Kind, page from 1, text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader found in each file, and the CPU seconds it took (0: not measured)."""

    files: list[list[Element]]
    cpu_s: float = 0.0

    def phrases(self) -> set[tuple[int, int, str]]:
        """File, page and five words in a row."""
        return {(file, page, phrase) for (file, page), words in self.words().items() for phrase in _phrases(words)}

    def words(self) -> dict[tuple[int, int], list[str]]:
        """The words of each page by (file, page)."""
        pages: dict[tuple[int, int], list[str]] = {}
        for number, elements in enumerate(self.files):
            for _, page, text in elements:
                pages.setdefault((number, page), []).extend(_WORD.findall(text.casefold()))
        return pages

    def titles(self) -> set[tuple[int, str]]:
        """File and words of each title with at least three letters."""
        found = {
            (number, " ".join(_WORD.findall(text.casefold())))
            for number, file in enumerate(self.files)
            for kind, _, text in file
            if kind == "Title"
        }
        return {(number, title) for number, title in found if sum(c.isalpha() for c in title) > 2}


def _phrases(words: Sequence[str]) -> list[str]:
    return [" ".join(words[at : at + 5]) for at in range(len(words) - 4)]


def read_ours(paths: Sequence[Path]) -> Reading:
    """Through ``read_pdf``."""
    read_pdf(paths[0].read_bytes(), paths[0].name)
    start = time.process_time()
    files = [[(part.kind, part.page or 0, part.text) for part in read_pdf(path.read_bytes(), path.name)[1]] for path in paths]
    return Reading(files, time.process_time() - start)


def read_with_unstructured(python: str, paths: Sequence[Path]) -> Reading:
    """Through unstructured's fast strategy, in the interpreter ``python``."""
    command = [python, "-c", _UNSTRUCTURED, *(str(path) for path in paths)]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Reading([[(kind, page, text) for kind, page, text in file] for file in said["found"]], said["cpu_s"])


def read_with_pdftotext(paths: Sequence[Path]) -> Reading:
    """Through ``pdftotext -layout``."""
    files: list[list[Element]] = []
    for path in paths:
        text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
        files.append([("Text", number, page) for number, page in enumerate(text.split("\f"), start=1)])
    return Reading(files)


def compare(former: Reading, other: Reading, name: str) -> None:
    """Print how much of the one is found in the other, and on the same page."""
    here, there = former.phrases(), other.phrases()
    anywhere = {(file, phrase) for file, _, phrase in here}
    found = [phrase for phrase in there if (phrase[0], phrase[2]) in anywhere]
    elsewhere = {(file, phrase) for file, _, phrase in there}
    back = sum((file, phrase) in elsewhere for file, _, phrase in here)
    own, others = (Counter((file, word) for (file, _), words in reading.words().items() for word in words) for reading in (former, other))
    same = sum(phrase in here for phrase in found)
    for what, share in (
        (f"{name}'s words in the former", (own & others).total() / others.total()),
        (f"{name}'s phrases in the former", len(found) / len(there)),
        (f"the former's phrases in {name}'s", back / len(here)),
        ("phrases found that are on the same page", same / max(len(found), 1)),
    ):
        print(f"  {what:42}{share:7.1%}")


def main() -> None:
    """Measure and print."""
    every = sorted(Path(sys.argv[1]).rglob("*.pdf"))[:FILES]
    python = sys.argv[2] if len(sys.argv) > 2 else None
    all_ours = read_ours(every)
    pages = [max((page for _, page, _ in file), default=0) for file in all_ours.files]
    speed = sum(pages) / all_ours.cpu_s
    print(f"{len(every)} files, {sum(pages)} pages: ours {speed:.1f} pages per CPU-second")
    few = next((n for n in range(len(every), 1, -1) if sum(pages[:n]) <= MOST_PAGES), 1)
    ours, compared = Reading(all_ours.files[:few]), every[:few]
    print(f"Text of the first {few} files, {sum(pages[:few])} pages")
    printed = read_with_pdftotext(compared) if which("pdftotext") else None
    if printed:
        print("ours beside pdftotext -layout")
        compare(ours, printed, "pdftotext")
    else:
        print("  pdftotext is not installed (Debian: poppler-utils): not compared")
    if python is None:
        print("  no interpreter with unstructured's PDF packages given (see this module's docstring): not compared")
        return
    theirs = read_with_unstructured(python, compared)
    their_speed = sum(pages[:few]) / theirs.cpu_s
    print(f"unstructured fast: {their_speed:.1f} pages per CPU-second, ours {speed / their_speed:.1f} times as fast")
    print("ours beside unstructured's")
    compare(ours, theirs, "unstructured")
    if printed:
        print("unstructured itself, beside pdftotext")
        compare(theirs, printed, "pdftotext")
    own_titles, their_titles = ours.titles(), theirs.titles()
    both = len(own_titles & their_titles)
    print(f"titles: ours {len(own_titles)}, unstructured's {len(their_titles)}, both {both} ({both / max(len(own_titles), 1):.1%} of ours)")


if __name__ == "__main__":
    main()
