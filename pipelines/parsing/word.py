"""What stands beside the body of a Word file, which unstructured leaves out: text boxes, footnotes and endnotes."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from zipfile import ZipFile

from lxml import etree

from pipelines.parsing.assembly import Part

_NOTES = (("word/footnotes.xml", "footnote"), ("word/endnotes.xml", "endnote"))


def beside_the_body(data: bytes) -> list[Part]:
    """Paragraphs of text boxes, then of notes, in their order; they follow the body, since their place in it is not known to it."""
    with ZipFile(BytesIO(data)) as archive:
        names = set(archive.namelist())
        boxes = _boxes(archive.read("word/document.xml")) if "word/document.xml" in names else iter(())
        notes = [text for name, tag in _NOTES if name in names for text in _notes(archive.read(name), tag)]
        return [*(Part("UncategorizedText", text) for text in boxes), *(Part("Footnote", text) for text in notes)]


def _boxes(content: bytes) -> Iterator[str]:
    """Word writes each text box twice, for itself and (``Fallback``) for older programs."""
    for box in _root(content).iter("{*}txbxContent"):
        if any(etree.QName(above).localname == "Fallback" for above in box.iterancestors()):
            continue
        yield from (_text(paragraph) for paragraph in box.iter("{*}p"))


def _notes(content: bytes, tag: str) -> Iterator[str]:
    """The first notes are the lines that part notes from text: they have a type."""
    for note in _root(content).iter(f"{{*}}{tag}"):
        if not any(etree.QName(name).localname == "type" for name in note.attrib):
            yield " ".join(_text(paragraph) for paragraph in note.iter("{*}p")).strip()


def _text(paragraph: etree._Element) -> str:
    written = (piece for piece in paragraph.iter("{*}t", "{*}tab", "{*}br"))
    return "".join((piece.text or "") if etree.QName(piece).localname == "t" else " " for piece in written)


def _root(content: bytes) -> etree._Element:
    return etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
