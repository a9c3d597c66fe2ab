"""Does a phrase find its page?  usage: python -m benchmarks.pages FOLDER_OF_PDFS  (with a home that has them ingested as one source)

For every page with at least 50 words by pdftotext, which is not our parser, one distinctive phrase is taken: the window of ten
consecutive words whose rarest words stand on the fewest pages, among windows that stand on no other page. It is asked as a
query, and the page counts as found when one of the first three hits covers it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from math import log
from pathlib import Path

from search_index.home import Home, open_release
from search_index.model.search import Principal, SearchRequest
from search_index.settings import Settings

WORDS = 10
LEAST_WORDS = 50
_WORD = re.compile(r"\w")


def pages_of(pdf: Path) -> list[list[str]]:
    """The words of each page, as pdftotext reads them; a line that is a number alone is the page's, and no part of its text."""
    text = subprocess.run(["pdftotext", "-enc", "UTF-8", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    lines = [[line for line in page.splitlines() if not line.strip().isdigit()] for page in text.split("\f")]
    return [[w for line in page for w in line.split() if _WORD.search(w)] for page in lines]


def phrases(folder: Path) -> list[tuple[str, int, str]]:
    """(file, page from 1, phrase) for each page that has a phrase of its own."""
    pages = [(pdf.name, number, words) for pdf in sorted(folder.glob("*.pdf")) for number, words in enumerate(pages_of(pdf), start=1)]
    pages = [page for page in pages if len(page[2]) >= LEAST_WORDS]
    on_pages = Counter(word.lower() for _, _, words in pages for word in set(words))
    windows = Counter(w for _, _, words in pages for w in {" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)})
    found = []
    for name, number, words in pages:
        own = [words[i : i + WORDS] for i in range(len(words) - WORDS + 1)]
        own = [w for w in own if windows[" ".join(w)] == 1 and sum(any(c.isalpha() for c in x) for x in w) >= WORDS - 3]
        if own:
            best = max(own, key=lambda w: sum(log(len(pages) / on_pages[x.lower()]) for x in set(w)))
            found.append((name, number, " ".join(best)))
    return found


def main() -> None:
    """Ask every phrase and print how often its page was found."""
    home = Home(Settings())
    loaded = open_release(home, home.catalog.resolve(None))
    asked = phrases(Path(sys.argv[1]))
    at: Counter[int] = Counter()
    missed = []
    for name, number, phrase in asked:
        hits = loaded.searcher.search(SearchRequest(query=phrase, limit=3), loaded.ref, Principal()).hits
        ranks = [h.rank for h in hits if h.uri.endswith(f":{name}") and h.page is not None and h.page <= number <= (h.page_last or h.page)]
        if ranks:
            at[ranks[0]] += 1
        else:
            missed.append((name, number, [(h.uri, h.page) for h in hits[:1]]))
    loaded.close()
    total = sum(at.values())
    print(f"{len(asked)} pages asked, found first {at[1]}, in the first three {total} ({total / len(asked):.1%})")
    for name, number, instead in missed[:20]:
        print(f"  missed: {name} page {number}, got {instead}")


if __name__ == "__main__":
    main()
