"""Blocks and sheets as DOCX, PPTX and XLSX, byte for byte the same every time."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from plumbline.samples.blocks import Block, Bullets, Heading, Paragraph, Sheet, Table, blocks_of, title_of

if TYPE_CHECKING:
    from docx.document import Document
    from pptx.presentation import Presentation
    from pptx.slide import Slide

COMPANY = "Halden Bridge Works"
_WRITTEN = datetime(2026, 9, 1, 8, 0, 0, tzinfo=UTC)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def docx(text: str) -> bytes:
    """A Word document with headings, lists and tables in Word's own styles."""
    import docx as python_docx

    document = python_docx.Document()
    _sign(document, title_of(text))
    for block in blocks_of(text):
        _add(document, block)
    buffer = io.BytesIO()
    document.save(buffer)
    return _timeless(buffer.getvalue())


def pptx(text: str) -> bytes:
    """A slide show: a title slide, then one slide for each heading of the second level."""
    from pptx import Presentation

    show = Presentation()
    _sign(show, title_of(text))
    slide: Slide | None = None
    for block in blocks_of(text):
        if isinstance(block, Heading):
            slide = show.slides.add_slide(show.slide_layouts[0 if block.level == 1 else 1])
            assert slide.shapes.title is not None  # both layouts have one
            slide.shapes.title.text_frame.text = block.text
        elif slide is not None:
            _fill(slide, block)
    buffer = io.BytesIO()
    show.save(buffer)
    return _timeless(buffer.getvalue())


def xlsx(sheets: tuple[Sheet, ...]) -> bytes:
    """A workbook with one table a sheet."""
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})  # in memory it writes the same zip entry times always
    book.set_properties({"author": COMPANY, "created": _WRITTEN})
    bold = book.add_format({"bold": True})
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        page.write_row(0, 0, sheet.header, bold)
        for number, row in enumerate(sheet.rows, start=1):
            page.write_row(number, 0, row)
    book.close()
    return buffer.getvalue()


def _sign(document: Document | Presentation, title: str) -> None:
    properties = document.core_properties
    properties.title = title
    properties.author = properties.last_modified_by = COMPANY
    properties.created = properties.modified = _WRITTEN
    properties.comments = ""


def _add(document: Document, block: Block) -> None:
    match block:
        case Heading(level, text):
            document.add_heading(text, level=level - 1)
        case Paragraph(text):
            document.add_paragraph(text)
        case Bullets(items):
            for item in items:
                document.add_paragraph(item, style="List Bullet")
        case Table(header, rows):
            table = document.add_table(rows=0, cols=len(header), style="Table Grid")
            for row in (header, *rows):
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text


def _fill(slide: Slide, block: Block) -> None:
    from pptx.util import Inches

    body = slide.placeholders[1]
    match block:
        case Bullets(items):
            body.text_frame.text = "\n".join(items)
        case Paragraph(text):
            body.text_frame.text = text
        case Table(header, rows):
            body._element.getparent().remove(body._element)  # an empty placeholder would show "Click to add text"
            grid = (header, *rows)
            shape = slide.shapes.add_table(len(grid), len(header), Inches(0.5), Inches(1.8), Inches(9), Inches(0.4 * len(grid)))
            for i, row in enumerate(grid):
                for j, text in enumerate(row):
                    shape.table.cell(i, j).text = text
        case Heading():
            raise AssertionError("a heading begins a slide")


def _timeless(archive: bytes) -> bytes:
    """The same zip file with the same entries, each written at the beginning of zip time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            timeless = zipfile.ZipInfo(entry.filename, _ZIP_EPOCH)
            timeless.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(timeless, old.read(entry))
    return buffer.getvalue()
