"""Peak memory of an ingest, all processes together, for a folder and for a tenth of it.  usage: python -m benchmarks.memory [FOLDER]"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.command import export_model_first, plumbline

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "nfcorpus-pdf"


def main() -> int:
    """Measure both and print a table."""
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    files = sorted(path for path in data.rglob("*") if path.is_file()) if data.is_dir() else []
    if not files:
        sys.stderr.write(f"{data} holds no files. Give a folder of documents.\n")
        return 2
    print("| files | peak memory, MB | CPU-s | wall s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        export_model_first(root, root / "models")
        for count in (max(1, len(files) // 10), len(files)):
            folder = root / f"files-{count}"
            folder.mkdir()
            for path in files[:count]:
                shutil.copy(path, folder)
            cost = plumbline(root / f"home-{count}", root / "models", "ingest", str(folder), "--name", "documents")
            print(f"| {count} | {cost.peak_mb:,.0f} | {cost.cpu_s:.1f} | {cost.wall_s:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
