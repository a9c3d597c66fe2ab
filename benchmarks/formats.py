"""What of a folder can be read, format by format?  usage: python -m benchmarks.formats FOLDER [LANGUAGE ...]

Every file goes through the parser pool that a run uses, under the limits of its format. Languages are tesseract's names.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.parsing.formats import extension_of, format_by_extension
from pipelines.parsing.pool import ParseOutcome, ParserPool, ParseTask
from quality_checks.contract_terms import Parsing


@dataclass(slots=True)
class Tally:
    """What became of the files of one format."""

    files: int = 0
    read: int = 0
    characters: int = 0
    seconds: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)


def name_of(path: str) -> str:
    """The format that a file's name claims, or its extension."""
    file_format = format_by_extension(path)
    return file_format.name if file_format else f".{extension_of(path)}"


def tally(outcomes: Iterable[tuple[ParseOutcome, float]]) -> dict[str, Tally]:
    """Format -> what became of its files; seconds are the wall-clock time of each file, one after the other."""
    found: dict[str, Tally] = defaultdict(Tally)
    for outcome, seconds in outcomes:
        row = found[name_of(outcome.key)]
        row.files += 1
        row.seconds += seconds
        if outcome.document is None:
            row.reasons[outcome.reason.removeprefix(outcome.key).strip(" .")] += 1
        else:
            row.read += 1
            row.characters += len(outcome.document.text)
    return dict(sorted(found.items()))


def outcomes_of(folder: Path, parsing: Parsing) -> Iterable[tuple[ParseOutcome, float]]:
    """Each file of the folder and the seconds it took."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with ParserPool(workers=1, parsing=parsing) as pool:
        for path in paths:
            name = path.relative_to(folder).as_posix()
            started = time.perf_counter()
            for outcome in pool.parse_all([ParseTask(name, name, path.read_bytes)]):
                yield outcome, time.perf_counter() - started


def main() -> int:
    """Print a table by format, in Markdown, and the programs that were there."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    parsing = Parsing(languages=tuple(sys.argv[2:]) or Parsing().languages)
    rows = tally(outcomes_of(Path(sys.argv[1]), parsing))
    print("| format | files | give text | characters | seconds | quarantined |")
    print("|---|--:|--:|--:|--:|---|")
    for name, row in rows.items():
        reasons = "; ".join(f"{count} {reason}" for reason, count in row.reasons.most_common())
        print(f"| {name} | {row.files} | {row.read} | {row.characters:,} | {row.seconds:.1f} | {reasons} |")
    files, read = sum(row.files for row in rows.values()), sum(row.read for row in rows.values())
    characters, seconds = sum(row.characters for row in rows.values()), sum(row.seconds for row in rows.values())
    print(f"| all | {files} | {read} | {characters:,} | {seconds:.1f} | {files - read} |")
    there = [program for program in ("tesseract", "soffice") if shutil.which(program)]
    print(f"\nWith {', '.join(there) or 'neither tesseract nor soffice'}; languages {'+'.join(parsing.languages)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
