"""A query adapter: one matrix on the query side of the dense arm. Stored vectors stay as they are, and a query costs no more.

Its file is named by its own sha256, which the manifest of a release signs; so what is loaded is what was gated.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search_index.errors import HomeDamaged, ModelMismatch, ReleaseUntrusted

Matrix = npt.NDArray[np.float32]
_REMEDY = "Put back the file from a copy, roll back with `plumbline releases rollback`, or run `plumbline ingest` for a new release."


@dataclass(frozen=True, slots=True, eq=False)
class QueryAdapter:
    """Maps a query's vector into the space of passages as they are judged.

    Args:
        sha256: of the matrix's file.
        matrix: shape (dimension, dimension).
    """

    sha256: str
    matrix: Matrix

    def apply(self, vector: Matrix) -> Matrix:
        """``vector @ matrix`` at length 1; shape (dimension,) or (queries, dimension) in and out."""
        moved = vector @ self.matrix
        length = np.linalg.norm(moved, axis=-1, keepdims=True)
        return np.asarray(np.where(length > 0, moved / np.maximum(length, 1e-12), vector), dtype=np.float32)


def adapter_of(matrix: Matrix) -> QueryAdapter:
    """The adapter that ``matrix`` would be once saved."""
    return QueryAdapter(hashlib.sha256(_file_of(matrix)).hexdigest(), np.ascontiguousarray(matrix, dtype=np.float32))


def save_adapter(folder: Path, adapter: QueryAdapter) -> Path:
    """Write an adapter under its own hash, durably; one that is there already is left alone."""
    path = folder / f"{adapter.sha256}.npy"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(_file_of(adapter.matrix))
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    return path


def load_adapter(folder: Path, sha256: str, dimension: int) -> QueryAdapter:
    """The adapter that a release pins.

    Errors:
        HomeDamaged: its file is missing or cannot be read.
        ReleaseUntrusted: its bytes are not those that the release was signed with.
        ModelMismatch: it is not a matrix for vectors of that dimension.
    """
    path = folder / f"{sha256}.npy"
    try:
        content = path.read_bytes()
    except OSError as e:
        raise HomeDamaged(f"The query adapter {path} that the release pins cannot be read: {e.strerror}.", _REMEDY) from e
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ReleaseUntrusted(f"The query adapter {path} is not what the release was signed with.", _REMEDY)
    try:
        matrix = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as e:
        raise ModelMismatch(f"The query adapter {path} is no matrix.", _REMEDY) from e
    if matrix.dtype != np.float32 or matrix.shape != (dimension, dimension) or not np.isfinite(matrix).all():
        raise ModelMismatch(f"The query adapter {path} does not fit vectors of {dimension} dimensions.", _REMEDY)
    return QueryAdapter(sha256, matrix)


def prune_adapters(folder: Path, kept: Collection[str]) -> list[Path]:
    """Remove the adapters that no release pins any more; returns what was removed."""
    gone = [path for path in sorted(folder.glob("*.npy")) if path.stem not in kept]
    for path in gone:
        path.unlink()
    return gone


def _file_of(matrix: Matrix) -> bytes:
    written = io.BytesIO()
    np.save(written, np.ascontiguousarray(matrix, dtype=np.float32), allow_pickle=False)
    return written.getvalue()
