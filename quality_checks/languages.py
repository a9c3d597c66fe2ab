"""Which language a text is in, where there is enough of it to tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

CHARACTERS = 1000
ENOUGH = 200
"""A shorter text is too easily taken for one in a related language."""


def language_of(text: str) -> str | None:
    """The language of a text's beginning, by its ISO 639-1 code; None where there is too little to tell."""
    import py3langid  # loads a model of 4 MB: only where it is needed

    begins = text[:CHARACTERS].strip()
    return str(py3langid.classify(begins)[0]) if len(begins) >= ENOUGH else None


def languages_of(texts: Iterable[str]) -> Counter[str]:
    """How many of the texts are in each language; those too short to tell are left out."""
    return Counter(language for text in texts if (language := language_of(text)) is not None)
