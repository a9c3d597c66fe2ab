"""The scanned pages of a PDF, whose text pdfium does not know: rendered, recognised, and put in their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from pipelines.parsing.assembly import Metadata, Part
from pipelines.parsing.ocr import Recognition, why_not
from pipelines.parsing.pictures import prepared
from pipelines.parsing.reading import Reading

if TYPE_CHECKING:
    import pypdfium2
    from PIL.Image import Image

_STAMP = 60
"""Letters that a page number or a stamp on a scan may have; with more, the page has a text of its own."""
_COVERED = 0.5
_DPI = 300
_DEPTH = 3
_MOST_PIXELS = 25_000_000


def with_scanned_pages(data: bytes, reading: Reading, parts: list[Part], metadata: Metadata) -> tuple[list[Part], Metadata]:
    """Parts and metadata of a PDF with the text of its scanned pages.

    Where nothing here recognises text, or the file's time ends before its pages, the pages that have text remain, and
    ``pages_unread`` in the metadata counts the others.

    Raises:
        DocumentUnreadable: all its pages are scanned, and nothing here recognises text.
    """
    letters: Counter[int] = Counter()
    for part in parts:
        letters[part.page or 0] += sum(character.isalnum() for character in part.text)
    pages = metadata.get("pages")
    sparse = [page for page in range(1, pages + 1 if isinstance(pages, int) else 1) if letters[page] < _STAMP]
    if not sparse:
        return parts, metadata

    import pypdfium2 as pdfium

    document = pdfium.PdfDocument(data)
    try:
        scanned = [page for page in sparse if _is_scan(document, page, letters[page])]
        if not scanned:
            return parts, metadata
        refusal = why_not(reading, f"has scanned pages without text ({len(scanned)} of {pages})")
        if refusal is not None:
            if not any(letters.values()):
                raise refusal
            return parts, {**metadata, "pages_unread": len(scanned)}
        recognition = Recognition(reading)
        found = {page: recognition.parts(prepared(_rendered(document, page)), page) for page in _in_time(scanned, recognition)}
    finally:
        document.close()
    if not recognition.pages and not any(letters.values()):
        raise TimeoutError
    kept = [part for part in parts if not found.get(part.page or 0)]
    merged = sorted([*kept, *(part for page in found.values() for part in page)], key=lambda part: part.page or 0)
    return merged, metadata | recognition.metadata()


def _in_time(pages: list[int], recognition: Recognition) -> Iterable[int]:
    """The pages until the file's time is over; those after it are counted and not rendered."""
    for done, page in enumerate(pages):
        if recognition.unread:
            recognition.unread += len(pages) - done
            return
        yield page


def _is_scan(document: pypdfium2.PdfDocument, page: int, letters: int) -> bool:
    """Whether the page shows something that may hold text: any picture or drawing on an empty page, a full-page one under a stamp."""
    from pypdfium2 import PdfiumError, raw

    try:
        sheet = document[page - 1]
    except PdfiumError:
        return False  # broken: the reader counted it
    try:
        width, height = sheet.get_size()
        shapes = list(sheet.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING], max_depth=_DEPTH))
        if not letters:
            return bool(shapes)
        boxes = [shape.get_bounds() for shape in shapes if shape.type == raw.FPDF_PAGEOBJ_IMAGE]
        covered = sum(max(0.0, right - left) * max(0.0, top - bottom) for left, bottom, right, top in boxes)
        return bool(covered >= _COVERED * width * height)
    finally:
        sheet.close()


def _rendered(document: pypdfium2.PdfDocument, page: int) -> Image:
    """The page in the resolution of its pictures: letters blown up beyond it are read worse."""
    from pypdfium2 import raw

    sheet = document[page - 1]
    try:
        width, height = sheet.get_size()
        pictures = list(sheet.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH))
        own = max((_pixels_a_point(picture) for picture in pictures), default=_DPI / 72)
        scale = min(_DPI / 72, max(1.0, own), (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
        return cast("Image", sheet.render(scale=scale, grayscale=True).to_pil())
    finally:
        sheet.close()


def _pixels_a_point(picture: pypdfium2.PdfImage) -> float:
    left, bottom, right, top = picture.get_bounds()
    across, down = picture.get_px_size()
    return float((across * down / max(1.0, (right - left) * (top - bottom))) ** 0.5)
