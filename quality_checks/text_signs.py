"""Signs that text is not what its documents say: blocks that stand everywhere, documents that repeat others, next to no text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BLOCK_CHARACTERS = 60
"""Shorter lines (a heading, a list item) stand in many documents without being boilerplate."""
EVERYWHERE_SHARE = 0.3
EVERYWHERE_DOCUMENTS = 8
"""A block is boilerplate from so many documents and so large a share of them."""
THIN_FROM_BYTES = 4096
_LINES = re.compile(r"\n+")
_LEAST_YIELD = {
    **dict.fromkeys(("txt", "md", "rst", "org", "log", "csv", "tsv", "jsonl"), 0.2),
    **dict.fromkeys(("html", "htm", "xml", "json", "eml", "tex"), 0.005),
}
"""Characters of text a byte of file, for formats that are text themselves; a picture in a PDF may take any number of bytes."""
_LEAST_YIELD_OF_OTHERS = 0.00002


def boilerplate_shares(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """For each text, the share of its characters in blocks (lines of some length) that stand in many of the texts.

    A text that repeats another whole is a copy, which ``repeated`` counts: of each text one copy counts here.
    """
    blocks = {text: [b for line in _LINES.split(text) if len(b := line.strip()) >= BLOCK_CHARACTERS] for text in texts}
    standing = Counter(block for of_text in blocks.values() for block in set(of_text))
    written = sum(bool(text) for text in blocks)
    least = max(EVERYWHERE_DOCUMENTS, EVERYWHERE_SHARE * written)
    shares = {text: sum(len(b) for b in of_text if standing[b] >= least) / max(len(text), 1) for text, of_text in blocks.items()}
    return np.array([shares[text] for text in texts], dtype=np.float64)


def repeated(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which texts were there before, to the letter but for white space; an empty one repeats nothing."""
    seen: set[str] = set()
    found = []
    for text in texts:
        plain = " ".join(text.split())
        found.append(bool(plain) and plain in seen)
        seen.add(plain)
    return np.array(found, dtype=bool)


def thin(paths: Sequence[str], sizes: Sequence[int | None], lengths: Sequence[int]) -> list[bool]:
    """Which documents gave next to no text for the size of their files.

    Args:
        paths: the extension says how much is to be expected.
        sizes: bytes.
        lengths: characters.
    """
    found = []
    for path, size, length in zip(paths, sizes, lengths, strict=True):
        least = _LEAST_YIELD.get(path.rpartition(".")[2].lower(), _LEAST_YIELD_OF_OTHERS)
        found.append(size is not None and size >= THIN_FROM_BYTES and length < least * size)
    return found
