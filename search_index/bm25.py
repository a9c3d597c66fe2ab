"""BM25 in two halves: term frequencies weighted into the stored vector, IDF weighted into the query's.

A stored weight is ``tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / avgdl))`` with the tenant's ``avgdl`` frozen in the index; a
query weight is the count of the term in the query times Lucene's IDF, ``ln(1 + (N - df + 0.5) / (df + 0.5))``, from the term
statistics of one release and tenant. Their dot product is the BM25 of Robertson and Zaragoza, "The Probabilistic Relevance Framework"
(2009). So how a release ranks a tenant's passages depends on those and on nothing else.
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import Stemmer

from search_index.model.release import digest_of

TermIds: TypeAlias = npt.NDArray[np.uint32]
Weights: TypeAlias = npt.NDArray[np.float32]

# Lucene's English list, and what apostrophes leave behind ("don't" is "don", "t").
_STOP_WORDS = {
    "english": frozenset(
        re.findall(
            r"\w+",
            "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was"
            " will with s t d m ll re ve",
        )
    )
}
# Scripts written without spaces: words cannot be told apart by rule, so pairs of neighbouring characters stand for them.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = rf"[^\W{_UNSPACED}]+"
_TOKEN = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|{_WORD}(?:(?<=\d)[.,:/-](?=\d){_WORD})*")
_LONGEST_KEPT = 64
"""Code points of a word whose stem is remembered: longer ones are no words, and whoever asks for many of them must not fill the memory."""
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Bm25Settings:
    """Frozen for the life of an index, but for tenants that come in.

    ``avgdl`` has for each tenant the mean number of terms of its passages when the first of them came into the index.
    """

    avgdl: Mapping[str, float]
    k1: float = 1.2
    b: float = 0.75
    language: str = "english"

    @property
    def fingerprint(self) -> str:
        """Digest of the settings: another one is another index."""
        return digest_of(asdict(self))

    def follows(self, before: Bm25Settings) -> bool:
        """Whether nothing is other than ``before``, except that tenants may have come in: stored weights stay what they are."""
        return replace(self, avgdl={**self.avgdl, **before.avgdl}) == self and replace(self, avgdl=before.avgdl) == before


@dataclass(frozen=True, slots=True)
class TermCounts:
    """How often each term occurs: ``ids`` uint32, rising, and ``counts`` uint32 of the same shape."""

    ids: TermIds
    counts: TermIds

    @property
    def length(self) -> int:
        """Number of terms, repeated ones counted."""
        return int(self.counts.sum())


def tokenize(text: str, language: str = "english") -> list[str]:
    """The stemmed terms of ``text`` in order, stop words removed.

    Numbers keep their inner marks (``3.14``, ``v1.2.3``, ``2024-05-01``); an identifier (``max_depth``) gives itself and its parts, so
    that either is found by either. ``language`` is one of Snowball's; only English has a stop list, for others IDF does the work.

    >>> tokenize("The gates of release v1.2.3 were passing max_depth")
    ['gate', 'releas', 'v1.2.3', 'were', 'pass', 'max_depth', 'max', 'depth']

    Raises:
        KeyError: Snowball does not know ``language``.
    """
    stop = _STOP_WORDS.get(language, frozenset[str]())
    stems: list[str] = []
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    for match in _TOKEN.finditer(plain.lower()):
        word = match.group()
        if match.lastgroup == "unspaced":
            stems.extend(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        elif "_" in word:
            parts = [part for part in word.split("_") if part]
            stems.extend([word.strip("_")] if len(parts) > 1 else [])
            stems.extend(_stem(part, language) for part in parts if part not in stop)
        elif word not in stop:
            stems.append(_stem(word, language))
    return stems


def words_in(text: str) -> list[tuple[int, int]]:
    """Where the words that ``tokenize`` makes terms of begin and end in ``text``; a run of a script without spaces counts as one.

    >>> words_in("gates of v1.2.3")
    [(0, 5), (6, 8), (9, 15)]
    """
    return [match.span() for match in _TOKEN.finditer(text)]


def _stem(word: str, language: str) -> str:
    return _known_stem(word, language) if len(word) <= _LONGEST_KEPT else _known_stem.__wrapped__(word, language)


@lru_cache(maxsize=1 << 18)
def _known_stem(word: str, language: str) -> str:
    # A Snowball stemmer must not be used by two threads at once.
    stemmers: dict[str, Stemmer.Stemmer] | None = getattr(_local, "stemmers", None)
    if stemmers is None:
        stemmers = _local.stemmers = {}
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language, 0)
    return str(stemmers[language].stemWord(word))


def term_id(stem: str) -> int:
    """The dimension a stem has in a sparse vector: 32 bits of blake2b. Stems that collide count as one term."""
    return _known_id(stem) if len(stem) <= _LONGEST_KEPT else _known_id.__wrapped__(stem)


@lru_cache(maxsize=1 << 18)
def _known_id(stem: str) -> int:
    return int.from_bytes(hashlib.blake2b(stem.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "little")


def count_terms(text: str, language: str = "english") -> TermCounts:
    """The terms of ``text``, which is the exact text sent to the encoder."""
    counted = Counter(map(term_id, tokenize(text, language)))
    ids = np.fromiter(counted.keys(), dtype=np.uint32, count=len(counted))
    counts = np.fromiter(counted.values(), dtype=np.uint32, count=len(counted))
    order = np.argsort(ids)
    return TermCounts(ids[order], counts[order])


def term_weights(
    counts: npt.NDArray[np.uint32], length: npt.NDArray[np.int64] | int, avgdl: npt.NDArray[np.float64] | float, settings: Bm25Settings
) -> npt.NDArray[np.float64]:
    """Stored weights of terms that occur ``counts`` times in passages of ``length`` terms, of tenants with ``avgdl``; shapes broadcast."""
    frequency = counts.astype(np.float64)
    return frequency * (settings.k1 + 1.0) / (frequency + settings.k1 * (1.0 - settings.b + settings.b * length / avgdl))


def document_weights(counts: TermCounts, settings: Bm25Settings, tenant: str) -> tuple[TermIds, Weights]:
    """The sparse vector stored for a tenant's passage."""
    return counts.ids, term_weights(counts.counts, counts.length, settings.avgdl[tenant], settings).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TermStatistics:
    """What IDF is made of: a tenant's passages, and for each term id (rising) the number of them that hold it.

    ``terms`` is the total of all passages' lengths, so ``average_length`` can be held against the tenant's ``avgdl``.
    """

    documents: int
    ids: TermIds
    document_frequency: TermIds
    terms: int = 0

    @staticmethod
    def empty() -> TermStatistics:
        """Statistics of nothing."""
        return TermStatistics(0, np.empty(0, np.uint32), np.empty(0, np.uint32))

    @property
    def average_length(self) -> float:
        """Mean number of terms of a passage; 0 when there is none."""
        return self.terms / self.documents if self.documents else 0.0

    @property
    def digest(self) -> str:
        """sha256 of everything IDF depends on."""
        hashed = hashlib.sha256(f"{self.documents}\n{self.terms}\n{len(self.ids)}\n".encode())
        hashed.update(self.ids.astype("<u4").tobytes())
        hashed.update(self.document_frequency.astype("<u4").tobytes())
        return hashed.hexdigest()

    def updated(self, added: Iterable[TermCounts] | pa.Table, removed: Iterable[TermCounts] | pa.Table = ()) -> TermStatistics:
        """Statistics after a change; work is proportional to the change and the number of known terms.

        Args:
            added: passages that come in, as term counts or as a table with the list columns ``term_ids`` and ``term_counts``.
            removed: passages that go, likewise.

        Raises:
            ValueError: more is removed than was there.
        """
        plus, minus = _occurrences(added), _occurrences(removed)
        known = np.concatenate([self.ids, plus.ids, minus.ids])
        change = np.concatenate(
            [self.document_frequency.astype(np.int64), plus.document_frequency.astype(np.int64), -minus.document_frequency.astype(np.int64)]
        )
        ids, position = np.unique(known, return_inverse=True)
        frequency = np.zeros(len(ids), np.int64)
        np.add.at(frequency, position, change)
        documents = self.documents + plus.documents - minus.documents
        if documents < 0 or (frequency < 0).any():
            raise ValueError("more passages are removed from the term statistics than they hold")
        kept = frequency > 0
        return TermStatistics(documents, ids[kept], frequency[kept].astype(np.uint32), self.terms + plus.terms - minus.terms)

    def idf(self, ids: TermIds) -> npt.NDArray[np.float64]:
        """Lucene's IDF of each term, never negative; 0 for a term that is not known. Shape of ``ids``."""
        if not len(self.ids):
            return np.zeros(len(ids))
        position = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        frequency = self.document_frequency[position].astype(np.float64)
        known = self.ids[position] == ids
        return np.where(known, np.log1p((self.documents - frequency + 0.5) / (frequency + 0.5)), 0.0)


def _occurrences(passages: Iterable[TermCounts] | pa.Table) -> TermStatistics:
    """Statistics of ``passages`` alone."""
    if isinstance(passages, pa.Table):
        documents = passages.num_rows
        ids = passages["term_ids"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.uint32)
        terms = int(passages["term_counts"].combine_chunks().flatten().to_numpy(zero_copy_only=False).sum(dtype=np.int64))
    else:
        listed = list(passages)
        documents, terms = len(listed), sum(passage.length for passage in listed)
        ids = np.concatenate([np.empty(0, np.uint32), *(passage.ids for passage in listed)])
    unique, frequency = np.unique(ids, return_counts=True)
    return TermStatistics(documents, unique.astype(np.uint32), frequency.astype(np.uint32), terms)


def query_weights(text: str, statistics: TermStatistics, language: str = "english") -> tuple[TermIds, Weights]:
    """The query's side of the dot product: count times IDF; terms no passage of the release holds are dropped."""
    counted = count_terms(text, language)
    weights = counted.counts * statistics.idf(counted.ids)
    known = weights > 0
    return counted.ids[known], weights[known].astype(np.float32)
