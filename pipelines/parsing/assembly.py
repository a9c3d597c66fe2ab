"""Puts what a parser found, part by part, into one normalised text with exact spans."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from search_index.model.document import Element, ParsedDocument, normalise

Metadata = dict[str, str | int | float | bool | list[str]]

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_SPACE_BEFORE_NEWLINE = re.compile(r"[^\S\n]+\n")
_BLANK_LINES = re.compile(r"\n{3,}")
_MEANS_NOTHING = re.compile(
    r"^[\d\W_]*$|^(untitled( \w+)?|document|none|null|presentation|sheet|slide|powerpoint presentation)\W*\d*$", re.IGNORECASE
)
_FILE_NAME = re.compile(r"^microsoft (word|powerpoint|excel)\b|\.(docx?|pptx?|xlsx?|pdf|indd|rtf|odt|tex|dvi|html?|md|txt)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One element on its way into a document: as ``Element``, with the text itself instead of a span."""

    kind: str
    text: str
    page: int | None = None
    depth: int | None = None
    html: str | None = None


def clean(text: str) -> str:
    """Normalised text without control characters, lone surrogates or trailing blanks; inner line breaks stay."""
    text = normalise(_CONTROL.sub("", _SURROGATE.sub("\ufffd", text)))
    return _BLANK_LINES.sub("\n\n", _SPACE_BEFORE_NEWLINE.sub("\n", text)).strip()


def one_line(text: str) -> str:
    """Clean text with every run of white space as one blank."""
    return " ".join(clean(text).split())


def meaningful_title(text: str | None) -> str:
    """``text`` as a title, or an empty string for what only programs call documents (``untitled``, ``Microsoft Word - x.doc``)."""
    title = one_line(text or "")
    return "" if _MEANS_NOTHING.match(title) or _FILE_NAME.search(title) else title


def stem_of(path: str) -> str:
    """The file's name without folder and extension."""
    return one_line(PurePosixPath(path).stem) or path


def has_human_name(path: str) -> bool:
    """Whether somebody named the file in words (``2022 Q3 report.pdf``) rather than by an identifier (``MED-10.pdf``)."""
    parted = re.split(r"[\s_]+", stem_of(path))
    words = [word for word in re.split(r"[\s_-]+", stem_of(path)) if len(word) > 1 and word.isalpha()]
    return len(words) > 2 or (len(parted) > 1 and bool(words))


def assemble(parts: Iterable[Part], *, title: str, parser: str, mime_type: str, metadata: Metadata) -> ParsedDocument:
    r"""Join the parts with ``\n\n``; parts without text are left out, and only titles keep a depth.

    >>> document = assemble([Part("Title", "A"), Part("Text", " b "), Part("Text", "")], title="A", parser="p", mime_type="m", metadata={})
    >>> document.text, [(e.kind, e.start, e.end, e.depth) for e in document.elements]
    ('A\n\nb', [('Title', 0, 1, 0), ('Text', 3, 4, None)])
    """
    texts: list[str] = []
    elements: list[Element] = []
    start = 0
    for part in parts:
        text = clean(part.text)
        if not text:
            continue
        depth = (part.depth or 0) if part.kind == "Title" else None
        elements.append(Element(part.kind, start, start + len(text), part.page, depth, part.html))
        texts.append(text)
        start += len(text) + 2
    return ParsedDocument(one_line(title), "\n\n".join(texts), tuple(elements), parser, mime_type, metadata)
