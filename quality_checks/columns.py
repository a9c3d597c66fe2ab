"""What the checks look at: plain columns worked out from a stage's table, so that no text ever reaches a check's result."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from quality_checks.rules import RULE_COLUMNS, Indicator, Stage
from quality_checks.text_signs import boilerplate_shares, repeated, thin
from search_index.model.document import sha256

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Frame = Literal["rows", "expected"]
SPREAD_MINIMUM_ROWS = 20
"""Fewer vectors than this may well be alike: a handful of versions of one page, say."""
TWINS_SAMPLE = 500
TWINS_FROM = 0.99999
"""Cosine from which two vectors count as one: texts that differ in case alone reach it with many models, others do not."""

# U+FFFD is counted apart. These are UTF-8 read as Windows-1252 or Latin-1 (a lead byte's letter, then a continuation byte's),
# and C1 controls, which no writing uses (U+0085 is a line break).
_MOJIBAKE = "[\u00c2\u00c3][\u0080-\u00bf\u20ac\u2122\u0153\u201c\u201d]|\u00e2\u20ac|\u00ef\u00bf\u00bd|[\u0080-\u0084\u0086-\u009f]"


WORKED_OUT = ("document_text_slice_ok", "places_ok", "encoder_fits", "access_ok", "overlap_ok", "covered")
"""What is true of a chunk beside its document and its neighbours, worked out by whoever reads the tables."""


@dataclass(frozen=True)
class Frames:
    """The rows to check and, where something is expected of the stage before, one row for each thing expected.

    ``ids`` name the rows of each frame, in order.
    """

    frames: dict[Frame, pd.DataFrame]
    ids: dict[Frame, list[str]]


def derive(stage: Stage, table: pa.Table, expected: Collection[str], indicators: Iterable[Indicator]) -> Frames:
    """The frames of a stage.

    Args:
        stage: which of the three tables this is.
        table: its rows: ``documents`` and ``chunks`` as stored, documents with the columns ``access_ok`` and ``bytes_ok`` besides,
            chunks with those of ``WORKED_OUT``; ``vectors`` with ``vector_key`` and ``vector``.
        expected: for documents, the ids that the manifest lists; for chunks, those of the documents that should have one: their
            status is ok, and no near-duplicate stands for them; for vectors, the vector keys of the chunks.
        indicators: columns that contract rules want.
    """
    import pandas as pd

    derived = {"documents": _documents, "chunks": _chunks, "vectors": _vectors}[stage]
    columns = {name: _plain(table[name]) for name in RULE_COLUMNS[stage] if name in table.column_names}
    key = {"documents": "document_id", "chunks": "chunk_id", "vectors": "vector_key"}[stage]
    rows = pd.DataFrame(columns | derived(table, frozenset(expected)))
    for indicator in indicators:
        rows[indicator.column] = _indicated(rows, indicator)
    wanted = sorted(set(expected))
    found = Counter(_texts(table[{"documents": "document_id", "chunks": "document_id", "vectors": "vector_key"}[stage]]))
    coverage = pd.DataFrame({"found": np.array([found[name] for name in wanted], dtype=np.int64)})
    return Frames({"rows": rows, "expected": coverage}, {"rows": _texts(table[key]), "expected": wanted})


def _documents(table: pa.Table, expected: frozenset[str]) -> dict[str, np.ndarray | list[str]]:
    import pyarrow.compute as pc

    text = pc.fill_null(table["text"], "")
    length = _numbers(pc.utf8_length(text))
    replaced = _numbers(pc.count_substring(text, "\ufffd"))
    damaged = replaced + _numbers(pc.count_substring_regex(text, _MOJIBAKE))
    ok = np.array(table["status"].to_pylist(), dtype=object) == "ok"
    texts = [words if good else "" for words, good in zip(text.to_pylist(), ok, strict=True)]
    return {
        "document_id": _texts(table["document_id"]),
        # What could not be read has no bytes to tell the sha256 of; a null is not held against the check.
        "raw_sha256": [told if told or good else None for told, good in zip(_texts(table["raw_sha256"]), ok, strict=True)],
        "status": _texts(table["status"]),
        "quarantined": (~ok).astype(np.int64),
        "text_length": length,
        "text_present": ~ok | _written(text),
        "replacement_char_share": replaced / np.maximum(length, 1),
        "damage_share": damaged / np.maximum(length, 1),
        "thin": np.array(thin(table["path"].to_pylist(), table["size"].to_pylist(), length.tolist()), dtype=bool) & ok,
        "repeated": repeated(texts).astype(np.int64),
        "boilerplate_share": boilerplate_shares(texts),
        "listed": np.array([name in expected for name in table["document_id"].to_pylist()], dtype=bool),
        "access_count": _groups(table["access"]),
        "access_ok": _told(table["access_ok"]),
        "outdated": (ok & ~_told(table["bytes_ok"])).astype(np.int64),
    }


def _chunks(table: pa.Table, expected: frozenset[str]) -> dict[str, np.ndarray | list[str]]:
    import pyarrow.compute as pc

    text = pc.fill_null(table["text"], "")
    length = _numbers(pc.utf8_length(text))
    start, end = _numbers(pc.fill_null(table["start"], -1)), _numbers(pc.fill_null(table["end"], -1))
    sliced, placed, fits, access_ok, overlap_ok, covered = (_told(table[name]) for name in WORKED_OUT)
    digests = zip(text.to_pylist(), table["text_sha256"].to_pylist(), strict=True)
    return {
        "chunk_id": _texts(table["chunk_id"]),
        "tokens": _numbers(pc.fill_null(table["tokens"], -1)),
        "text_length": length,
        "header_length": _numbers(pc.utf8_length(pc.fill_null(table["header"], ""))),
        "text_present": _written(text),
        "span_ok": sliced & (start >= 0) & (end - start == length),
        "places_ok": placed,
        "encoder_fits": fits,
        "access_ok": access_ok,
        "overlap_ok": overlap_ok,
        "covered": covered,
        "digest_ok": np.array([sha256(words) == digest for words, digest in digests], dtype=bool),
        "document_known": np.array([name in expected for name in table["document_id"].to_pylist()], dtype=bool),
        "access_count": _groups(table["access"]),
    }


def _vectors(table: pa.Table, expected: frozenset[str]) -> dict[str, np.ndarray | list[str]]:
    """Norms are null (NaN) for vectors that are zero or not finite: those fail their own check."""
    vectors = _ragged(table["vector"])
    dims = np.array([len(vector) for vector in vectors], dtype=np.int64)
    common = Counter(dims.tolist()).most_common(1)[0][0] if len(dims) else 0
    finite = [vector[np.isfinite(vector)] for vector in vectors]
    lost = dims - np.array([len(vector) for vector in finite], dtype=np.int64)
    norms = np.array([float(np.sqrt(np.dot(vector, vector))) for vector in finite], dtype=np.float64)
    zero = (norms == 0) & (lost == 0)
    alike = [v for v, n in zip(vectors, lost, strict=True) if n == 0 and len(v) == common]
    first: dict[bytes, int] = {}
    identical = [first.setdefault(vector.tobytes(), at) != at for at, vector in enumerate(vectors)]
    return {
        "vector_key": _texts(table["vector_key"]),
        "vector_dim": dims,
        "dimension_agrees": (dims == common) & (dims > 0),
        "nan_count": lost,
        "zero": zero,
        "vector_norm": np.where(zero | (lost > 0), np.nan, norms),
        "identical": np.array(identical, dtype=np.int64),
        "spread": np.full(len(vectors), _spread(alike)),
        "twins": np.full(len(vectors), _twins(alike)),
    }


def _spread(vectors: list[np.ndarray]) -> float:
    """Root mean square distance of the vectors from their centroid: 0 when all are one, near 1 when they point everywhere."""
    if len(vectors) < SPREAD_MINIMUM_ROWS:
        return float("nan")
    return float(np.sqrt(np.stack(vectors).var(axis=0, dtype=np.float64).sum()))


def _twins(vectors: list[np.ndarray]) -> float:
    """The share of a sample of the vectors that have another, of another text, in all but the same place."""
    if len(vectors) < SPREAD_MINIMUM_ROWS:
        return float("nan")
    sample = np.stack([vectors[at] for at in np.unique(np.linspace(0, len(vectors) - 1, TWINS_SAMPLE).astype(int))])
    cosines = sample @ sample.T
    np.fill_diagonal(cosines, -1)
    return float((cosines.max(axis=1) > TWINS_FROM).mean())


def _ragged(column: pa.ChunkedArray) -> list[np.ndarray]:
    import pyarrow.compute as pc

    lengths = _numbers(pc.fill_null(pc.list_value_length(column), 0))
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return np.split(values, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _groups(column: pa.ChunkedArray) -> np.ndarray:
    """How many access groups with a name each row has."""
    import pyarrow.compute as pc

    parents, names = _numbers(pc.list_parent_indices(column)), _texts(pc.list_flatten(column))
    return np.bincount(parents[[bool(name.strip()) for name in names]] if names else [], minlength=len(column)).astype(np.int64)


def _indicated(rows: pd.DataFrame, indicator: Indicator) -> pd.Series[int]:
    columns = rows[list(indicator.columns)]
    one = columns.iloc[:, 0]
    if indicator.metric == "duplicateValues":
        found = columns.duplicated(keep="first")
    elif indicator.metric == "nullValues":
        found = one.isna()
    elif indicator.metric == "missingValues":
        missing = [value for value in indicator.values if value is not None]
        found = one.isin(missing) | (one.isna() if None in indicator.values else False)
    elif indicator.values:
        found = one.notna() & ~one.isin(list(indicator.values))
    else:
        whole = re.compile(indicator.pattern or "")
        found = one.map(lambda value: value is not None and whole.search(str(value)) is None)
    return found.astype("int64")


def _told(column: pa.ChunkedArray) -> np.ndarray:
    """Null is False: what nobody worked out is not so."""
    import pyarrow.compute as pc

    return np.array(pc.fill_null(column, False).to_pylist(), dtype=bool)


def _written(text: pa.ChunkedArray) -> np.ndarray:
    import pyarrow.compute as pc

    return _numbers(pc.utf8_length(pc.utf8_trim_whitespace(text))) > 0


def _plain(column: pa.ChunkedArray) -> pd.Series[object]:
    return column.to_pandas()


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_numpy())


def _texts(column: pa.ChunkedArray | pa.Array) -> list[str]:
    """Null becomes the empty string: an expectation passes over nulls, and a missing id must not be passed over."""
    return ["" if value is None else str(value) for value in column.to_pylist()]
