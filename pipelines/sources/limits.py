"""Keeping a source within its contract's limits: bytes a file, files, folders below the root."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from pipelines.sources.interface import UNKNOWN_TIME, SourceItem
from quality_checks.contracts import Contract
from search_index.errors import DocumentUnreadable, SourceUnavailable

_PIECE_BYTES = 1 << 20
_LARGER = "Raise `limits.file_bytes` in the contract, or exclude the file."


def read_bounded(file: BinaryIO, path: str, limit: int) -> bytes:
    """Everything ``file`` gives, read in pieces.

    Raises:
        DocumentUnreadable: it gives more than ``limit`` bytes; reading stopped there.
    """
    held = BytesIO()  # its getvalue() hands the buffer over without a copy
    while piece := file.read(min(_PIECE_BYTES, limit + 1 - held.tell())):
        held.write(piece)
        if held.tell() > limit:
            raise too_large(path, None, limit)
    return held.getvalue()


def too_large(path: str, size: int | None, limit: int) -> DocumentUnreadable:
    """The error for a file over the limit; ``size`` is None for one whose end was never reached."""
    has = f"has {size:,} bytes" if size is not None else "did not end within the limit"
    return DocumentUnreadable(f"{path} {has}; the contract allows {limit:,} a file (`limits.file_bytes`).", _LARGER)


def within_limits(items: Iterable[SourceItem], contract: Contract) -> Iterator[SourceItem]:
    """``items`` with what is too large or too deep marked as a problem: one item for each folder that is too deep.

    Raises:
        SourceUnavailable: there are more than ``limits.files``.
    """
    limits, deep, taken = contract.limits, set[str](), 0
    for item in items:
        if item.path.count("/") > limits.depth:
            folder = "/".join(item.path.split("/")[: limits.depth + 1]) + "/"
            if folder in deep:
                continue
            deep.add(folder)
            item = too_deep(folder, limits.depth)  # noqa: PLW2901
        elif item.size > limits.file_bytes and not item.problem:
            error = too_large(item.path, item.size, limits.file_bytes)
            item = replace(item, problem=error.what, remedy=error.remedy)  # noqa: PLW2901
        taken += 1
        if taken > limits.files:
            raise too_many(contract)
        yield item


def too_deep(folder: str, depth: int) -> SourceItem:
    """The item that stands for a folder below the deepest one allowed."""
    reason = f"{folder} is more than {depth} folders deep (`limits.depth`); nothing in it was taken."
    return problem_item(folder, reason, "Raise `limits.depth` in the contract, or exclude the folder.")


def too_many(contract: Contract) -> SourceUnavailable:
    """The error that holds a source with more files than allowed: taking some of them would remove the others."""
    return SourceUnavailable(
        f"Source {contract.name} has more than {contract.limits.files:,} files, which is what its contract allows (`limits.files`).",
        "Raise `limits.files` in the contract, or take less with `include` and `exclude`.",
    )


def problem_item(path: str, problem: str, remedy: str, *, hides: bool = False) -> SourceItem:
    """An item that is listed for nothing but its problem."""
    return SourceItem(path, "", 0, UNKNOWN_TIME, "", problem, remedy, hides)
