"""Which languages a source's documents are in, guessed from the beginnings of a sample of them. Nothing of it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

SAMPLE = 200
CHARACTERS = 1000
_ENOUGH = 40


def language_shares(texts: Iterable[str]) -> dict[str, int]:
    """How many of the texts are in each language, by its ISO 639-1 code; ``unclear`` where there is too little to tell."""
    import py3langid  # loads a model of 4 MB: only where it is needed

    found: Counter[str] = Counter()
    for text in texts:
        begins = text[:CHARACTERS].strip()
        found["unclear" if len(begins) < _ENOUGH else str(py3langid.classify(begins)[0])] += 1
    return dict(found)
