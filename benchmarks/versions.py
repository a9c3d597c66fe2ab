"""A documentation site that moves from release to release, ingested in place and afresh.  usage: python -m benchmarks.versions [FOLDER]

FOLDER holds one folder a snapshot, taken in the order of their names. After each step the index must be that of a fresh
ingest of the snapshot, and what was parsed, embedded, staged and retired must be what really differs: that is counted from the
files' bytes and from the fresh homes, not from what the ingest says of itself. Exits with 1 where anything is not equal.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from benchmarks.command import Answer, export_model_first, plumbline
from pipelines.tables import Lake
from search_index.home import Home, open_release
from search_index.model.search import OPEN_END
from search_index.settings import Settings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "docs-versions"
SOURCE = "docs"
COUNTS = ("parsed", "removed", "embedded", "staged", "retired")


@dataclass(frozen=True)
class State:
    """What a home holds: bytes by path; passages as (document, text sha256, start, end); points as (chunk, payload digest)."""

    files: dict[str, bytes]
    passages: frozenset[tuple[str, str, int, int]]
    vector_keys: frozenset[str]
    points: frozenset[tuple[str, str]]


NOTHING = State({}, frozenset(), frozenset(), frozenset())


def files_of(folder: Path) -> dict[str, bytes]:
    """Bytes by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def state_of(home: Path, models: Path, folder: Path) -> State:
    """What is live in a home."""
    columns = ["document_id", "text_sha256", "start", "end", "vector_key"]
    rows = Lake(str(home / "lake")).read_source("chunks", SOURCE, columns=columns).to_pylist()
    opened = Home(Settings(home=home, models=models))
    loaded = open_release(opened, opened.catalog.resolve(None))
    try:
        ledger = loaded.reader.ledger()
        current = ledger.filter(pc.equal(ledger["valid_to"], OPEN_END))
        points = frozenset(zip(current["chunk_id"].to_pylist(), current["payload_digest"].to_pylist(), strict=True))
    finally:
        loaded.close()
        opened.catalog.close()
    passages = frozenset((row["document_id"], row["text_sha256"], row["start"], row["end"]) for row in rows)
    return State(files_of(folder), passages, frozenset(row["vector_key"] for row in rows), points)


def make_equal(folder: Path, to: Path) -> None:
    """Make ``folder`` hold what ``to`` holds, touching only what differs, as a checkout does."""
    wanted, standing = files_of(to), files_of(folder)
    for path in standing.keys() - wanted.keys():
        (folder / path).unlink()
    for path, content in wanted.items():
        if standing.get(path) != content:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


def difference(before: State, after: State, embedded: frozenset[str]) -> dict[str, int]:
    """What there is to do from one state to the next, given the texts that have a vector already."""
    return {
        "parsed": sum(before.files.get(path) != content for path, content in after.files.items()),
        "removed": len(before.files.keys() - after.files.keys()),
        "embedded": len(after.vector_keys - embedded),
        "staged": len(after.points - before.points),
        "retired": len(before.points - after.points),
    }


def counts_of(answer: Answer) -> dict[str, int]:
    """The counts an ingest printed for the source."""
    sources = answer["sources"]
    assert isinstance(sources, dict)
    counts = sources[SOURCE]
    assert isinstance(counts, dict)
    return {name: int(str(counts[name])) for name in COUNTS}


def main() -> int:
    """Ingest every snapshot in place and afresh, and print a table."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    snapshots = sorted(path for path in data.iterdir() if path.is_dir()) if data.is_dir() else []
    if len(snapshots) < 2:
        sys.stderr.write(f"{data} holds no two snapshots. Give a folder that has one folder a snapshot.\n")
        return 2
    print(f"| snapshot | files | {' | '.join(COUNTS)} | as a fresh ingest | CPU-s | fresh CPU-s | share |")
    print("|---" * (len(COUNTS) + 6) + "|")
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        root, folder, models = Path(scratch), Path(scratch, SOURCE), Path(scratch, "models")
        export_model_first(root, models)
        before, embedded = NOTHING, frozenset[str]()
        for snapshot in snapshots:
            make_equal(folder, snapshot) if folder.exists() else shutil.copytree(snapshot, folder)
            fresh = plumbline(root / f"fresh-{snapshot.name}", models, "ingest", str(folder), "--name", SOURCE)
            moved = plumbline(root / "in-place", models, "ingest", str(folder), "--name", SOURCE)
            after = state_of(root / f"fresh-{snapshot.name}", models, folder)
            expected, found = difference(before, after, embedded), counts_of(moved.answer)
            mine = state_of(root / "in-place", models, folder)
            equal = mine.passages == after.passages and mine.points == after.points
            cells = [f"{found[name]}" if found[name] == expected[name] else f"**{found[name]}, not {expected[name]}**" for name in COUNTS]
            told = [snapshot.name, str(len(after.files)), *cells, "yes" if equal else "**no**"]
            print(f"| {' | '.join(told)} | {moved.cpu_s:.1f} | {fresh.cpu_s:.1f} | {moved.cpu_s / fresh.cpu_s:.0%} |", flush=True)
            failed = failed or not equal or found != expected
            before, embedded = after, embedded | after.vector_keys
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
