"""Where the words of a query stand in a passage, in whatever form: found with the tokenizer that BM25 ranks by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from search_index.bm25 import tokenize, words_in
from search_index.model.passage import Highlight


def asked_for(query: str, language: str) -> dict[str, list[str]]:
    """The words of a query as they were typed, by the terms they are looked up as; stop words have none.

    >>> asked_for("Which gates gate?", "english")
    {'which': ['Which'], 'gate': ['gates', 'gate']}
    """
    asked: dict[str, list[str]] = {}
    for start, end in words_in(query):
        word = query[start:end]
        for term in tokenize(word, language):
            if word not in asked.setdefault(term, []):
                asked[term].append(word)
    return asked


def highlights(text: str, asked: Mapping[str, Sequence[str]], language: str) -> list[Highlight]:
    """The words of ``text`` that have a term of the query, in order and apart from each other.

    Args:
        asked: what ``asked_for`` gave.
    """
    found: list[Highlight] = []
    for start, end in words_in(text):
        for begin, finish in _parts(text, start, end, language):
            matched = [word for term in dict.fromkeys(tokenize(text[begin:finish], language)) for word in asked.get(term, ())]
            if not matched:
                continue
            if found and found[-1].end > begin:  # pairs of characters overlap: one stretch
                found[-1] = Highlight(start=found[-1].start, end=finish, terms=list(dict.fromkeys([*found[-1].terms, *matched])))
            else:
                found.append(Highlight(start=begin, end=finish, terms=list(dict.fromkeys(matched))))
    return found


def _parts(text: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    """A word as a whole; a run of a script without spaces pair by pair, as its terms are."""
    word = text[start:end]
    pairs = [word[at : at + 2] for at in range(len(word) - 1)]
    if len(word) > 2 and not word.isascii() and tokenize(word, language) == pairs:
        yield from ((start + at, start + at + 2) for at in range(len(pairs)))
    else:
        yield start, end
