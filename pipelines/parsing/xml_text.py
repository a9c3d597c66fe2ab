"""The texts of an XML document in their order; unstructured's reader drops what follows an element inside a paragraph."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree


def xml_paragraphs(data: bytes) -> Iterator[str]:
    """Each element that holds text itself, with the elements inside it where the two are mixed, as in ``<p>a <b>word</b> more</p>``.

    Entities are not expanded, no DTD is loaded and no other file is read.

    Raises:
        etree.XMLSyntaxError: not XML, or beyond libxml2's limits of depth, length of a text and expansion.

    >>> list(xml_paragraphs(b"<r><p>a <b>word</b> more</p><q>alone</q></r>"))
    ['a word more', 'alone']
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    waiting = [etree.fromstring(data, parser)]
    while waiting:
        element = waiting.pop()
        children = [child for child in element if isinstance(child.tag, str)]
        own, after = (element.text or "").strip(), any((child.tail or "").strip() for child in element)
        if children and not own and not after:
            waiting += reversed(children)
            continue
        text = " ".join("".join(str(piece) for piece in element.xpath(".//text()")).split())
        if text:
            yield text
