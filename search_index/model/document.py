"""Documents and chunks, and how each gets its identity from its content."""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from dataclasses import dataclass, field

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:plumbline")


def normalise(text: str) -> str:
    r"""Text as it is stored everywhere: NFC, with ``\n`` for every line ending and no NUL.

    >>> normalise("cafe\u0301\r\nnoir")
    'café\nnoir'
    """
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""))


def sha256(content: bytes | str) -> str:
    """Lower-case hexadecimal sha256; text is hashed as UTF-8 (lone surrogates kept)."""
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")).hexdigest()


def document_id(source: str, path: str) -> str:
    """A document is known by where it stands in its source."""
    return str(uuid.uuid5(_NAMESPACE, f"{source}\n{path}"))


def document_uri(source: str, path: str) -> str:
    """The address golden sets, filters and citations use: ``source:relative/path``."""
    return f"{source}:{path}"


def chunk_id(document: str, chunker: str, start: int, end: int, text_sha256: str) -> str:
    """A chunk is known by its document, the chunker that cut it, where it stands and what it says."""
    return str(uuid.uuid5(_NAMESPACE, f"{document}\n{chunker}\n{start}\n{end}\n{text_sha256}"))


def point_id(chunk: str, valid_from: int) -> str:
    """A chunk that comes back, or whose payload changes, is a new point; older revisions keep theirs."""
    return str(uuid.uuid5(_NAMESPACE, f"{chunk}\n{valid_from}"))


@dataclass(frozen=True, slots=True)
class Element:
    """One structural part of a document, in reading order.

    ``kind`` is unstructured's category (``Title``, ``NarrativeText``, ``ListItem``, ``Table``, ...). ``start`` and ``end``
    count Unicode code points in the document's text: ``document.text[start:end]`` is the element's text. ``page`` counts
    from 1 and is None where the format has no pages. ``depth`` is a title's level from 0, None for the rest.
    """

    kind: str
    start: int
    end: int
    page: int | None = None
    depth: int | None = None
    html: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    r"""What a parser makes of one file: normalised text and the elements that point into it.

    Elements are in order, do not overlap, and are parted by ``\n\n`` in ``text``.
    """

    title: str
    text: str
    elements: tuple[Element, ...]
    parser: str
    mime_type: str
    metadata: dict[str, str | int | float | bool | list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: ``document.text[start:end] == text`` always holds.

    ``header`` (document title and section path) is embedded and indexed with the passage but is not part of it.
    ``tokens`` counts what the encoder will see: header and text, special tokens included.
    """

    start: int
    end: int
    text: str
    header: str
    section: tuple[str, ...]
    page_first: int | None
    page_last: int | None
    tokens: int

    @property
    def encoder_text(self) -> str:
        """The exact text sent to the encoder and to BM25."""
        return f"{self.header}\n{self.text}" if self.header else self.text
