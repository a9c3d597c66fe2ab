"""What a second ingest costs beside the first: nothing changed, and one file in a hundred edited.  usage: python -m benchmarks.ingest"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = 200
WORDS = (
    "bridge survey deck girder bearing scour gauge tendon pier camber weld corrosion load span inspection river abutment joint "
    "coating fatigue crack drainage parapet sensor winter flood traffic repair report drawing crew"
).split()


def text_of(number: int) -> str:
    """A page of plausible words, different for every number."""
    sentences = [" ".join(WORDS[(number * 7 + i * i + j * 3) % len(WORDS)] for j in range(12)) for i in range(12)]
    return f"# Report {number}\n\n" + ".\n".join(s.capitalize() for s in sentences) + ".\n"


def cpu_s(home: Path, *arguments: str) -> float:
    """CPU seconds of one ``plumbline`` command, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "plumbline.cli", *arguments]
    subprocess.run(command, check=True, capture_output=True, env={"PLUMBLINE_HOME": str(home), "PATH": "/usr/bin:/bin"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print, as seconds and as shares of the first ingest."""
    with tempfile.TemporaryDirectory() as folder:
        home, documents = Path(folder, "home"), Path(folder, "documents")
        documents.mkdir()
        for number in range(FILES):
            (documents / f"{number}.md").write_text(text_of(number))
        first = cpu_s(home, "ingest", str(documents), "--json")
        unchanged = cpu_s(home, "ingest", "--json")
        for number in range(FILES // 100):
            (documents / f"{number}.md").write_text(text_of(number + FILES))
        edited = cpu_s(home, "ingest", "--json")
    print(f"{FILES} files, first ingest (model export included)  {first:7.1f} CPU-s")
    print(f"nothing changed                                  {unchanged:7.1f} CPU-s  {unchanged / first:6.1%}")
    print(f"one file in a hundred edited                     {edited:7.1f} CPU-s  {edited / first:6.1%}")


if __name__ == "__main__":
    main()
