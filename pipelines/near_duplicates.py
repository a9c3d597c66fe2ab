"""Near-duplicates: documents of one source that say nearly the same, and who stands for whom in the index.

A document is known by its MinHash signature (Broder, "On the resemblance and containment of documents", 1997): two signatures
agree in about as large a share of their places as the documents share of their word shingles. A signature is made once, when
the document is parsed; who is like whom is worked out from the signatures that are there now and from nothing else, so that a
hundred small changes end where one fresh ingest does.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from quality_checks.contract_terms import NearDuplicates

SIGNATURE_VALUES = 128
SHINGLE_WORDS = 5
MARKED_PLACES = 100
"""With ``mark`` each document names at most so many others: a thousand copies that name one another are a million names."""
_SEED = 1
_PORTION = 16_384
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Signatures = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Duplicates:
    """What near-duplicates mean for the chunks of one source.

    ``found`` counts the documents that repeat an earlier one, whatever the policy. ``left_out`` are ids of documents that are not
    cut, because another stands for them. ``also_at`` gives, by document id, the URIs of the other places of the same text, in order.
    """

    found: int
    left_out: frozenset[str]
    also_at: Mapping[str, tuple[str, ...]]


def signature(text: str) -> bytes:
    """128 little-endian uint32 values, from the five-word shingles of the casefolded text.

    A text of fewer than five words is one shingle, all of it. Where words are not parted by blanks every character is a word.
    """
    from datasketch import MinHash

    sketch = MinHash(num_perm=SIGNATURE_VALUES, seed=_SEED, scheme="affine32", hashfunc=int)
    shingles = _shingles(text.casefold())
    for start in range(0, len(shingles), _PORTION):
        sketch.update_batch(shingles[start : start + _PORTION].tolist())
    values: Signatures = sketch.hashvalues
    return values.astype("<u4").tobytes()


def _shingles(text: str) -> Signatures:
    """A 32-bit hash of each distinct shingle."""
    words = _WORD.findall(text)
    if len(words) < SHINGLE_WORDS:
        whole = " ".join(words) or " ".join(text.split())
        return np.array([_hash(whole) & 0xFFFFFFFF], dtype=np.uint32)
    hashes = {word: _hash(word) for word in set(words)}
    each = np.array([hashes[word] for word in words], dtype=np.uint64)
    count = len(each) - SHINGLE_WORDS + 1
    rolled = each[:count].copy()
    for offset in range(1, SHINGLE_WORDS):
        rolled = rolled * _FACTOR + each[offset : offset + count]
    return np.unique((rolled ^ (rolled >> np.uint64(32))).astype(np.uint32))


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def duplicates_of(documents: pa.Table, wanted: NearDuplicates) -> Duplicates:
    """Who repeats whom among documents that were parsed.

    The cluster's document with the smallest URI stands for it. Only documents that the same groups may read are compared, so
    that no place is ever shown to one who may not read it.

    Args:
        documents: columns ``document_id``, ``uri``, ``status``, ``access`` and ``minhash``; of one source.
    """
    rows = zip(*(documents[name].to_pylist() for name in ("uri", "document_id", "status", "access", "minhash")), strict=True)
    by_access: dict[tuple[str, ...], list[tuple[str, str, bytes]]] = {}
    for uri, identity, status, access, signed in rows:
        if status == "ok":
            by_access.setdefault(tuple(sorted(access or ())), []).append((uri, identity, signed))
    found = 0
    left_out: set[str] = set()
    also_at: dict[str, tuple[str, ...]] = {}
    for alike in by_access.values():
        alike.sort()
        signed_rows = np.frombuffer(b"".join(s for _, _, s in alike), dtype="<u4").reshape(len(alike), SIGNATURE_VALUES)
        for cluster in clusters(signed_rows, wanted.threshold):
            found += len(cluster) - 1
            if wanted.policy == "index_once":
                left_out.update(alike[member][1] for member in cluster[1:])
                also_at[alike[cluster[0]][1]] = tuple(alike[member][0] for member in cluster[1:])
            elif wanted.policy == "mark":
                first = cluster[: MARKED_PLACES + 1]
                for member in cluster:
                    others = [alike[other][0] for other in first if other != member]
                    also_at[alike[member][1]] = tuple(others[:MARKED_PLACES])
    return Duplicates(found, frozenset(left_out), also_at)


def clusters(signatures: Signatures, threshold: float) -> list[list[int]]:
    """Groups of two or more rows that hang together by pairs whose signatures agree in at least ``threshold`` of their places.

    Candidates come from locality-sensitive hashing by bands. There is one band more than a pair that is like enough has places
    that differ, so at least one band of such a pair is equal all through: nothing is missed.

    Args:
        signatures: shape (documents, 128).
    """
    if len(signatures) < 2:
        return []
    known: dict[bytes, int] = {}
    kinds = np.array([known.setdefault(row.tobytes(), len(known)) for row in signatures])
    distinct = np.frombuffer(b"".join(known), dtype=signatures.dtype).reshape(-1, SIGNATURE_VALUES)
    agreeing = math.ceil(round(threshold * SIGNATURE_VALUES, 6))
    component = np.arange(len(distinct))
    for bucket in _buckets(distinct, min(SIGNATURE_VALUES - agreeing + 1, SIGNATURE_VALUES)):
        for position in range(len(bucket) - 1):
            row = bucket[position]
            apart = bucket[position + 1 :][component[bucket[position + 1 :]] != component[row]]
            if len(apart):
                alike = apart[(distinct[apart] == distinct[row]).sum(axis=1) >= agreeing]
                if len(alike):
                    component[np.isin(component, component[alike])] = component[row]
    together: dict[int, list[int]] = {}
    for member, belongs_to in enumerate(component[kinds].tolist()):
        together.setdefault(belongs_to, []).append(member)
    return sorted(group for group in together.values() if len(group) > 1)


def _buckets(signatures: Signatures, bands: int) -> Iterator[npt.NDArray[np.int64]]:
    """Rows that have a band in common, band by band; now and then one more, whose hash is the same."""
    height = SIGNATURE_VALUES // bands
    powers = np.cumprod(np.full(height, _FACTOR))
    for band in range(bands):
        keys = (signatures[:, band * height : (band + 1) * height].astype(np.uint64) * powers).sum(axis=1, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        bounds = np.flatnonzero(np.diff(keys[order], prepend=keys[order[:1]] + np.uint64(1), append=keys[order[-1:]] + np.uint64(1)))
        for start, end in pairwise(bounds.tolist()):
            if end - start > 1:
                yield order[start:end]
