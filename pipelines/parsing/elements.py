"""unstructured's elements as parts of a document: tables with rows and columns, sheets with their names, titles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZipFile

from lxml import etree
from lxml import html as lxml_html

from pipelines.parsing.assembly import Metadata, Part, has_human_name, meaningful_title, one_line, stem_of
from pipelines.parsing.formats import Format

if TYPE_CHECKING:
    from unstructured.documents.elements import Element as UnstructuredElement

_SHEETS = ("xlsx", "xls")
_THROUGH_PANDAS = (*_SHEETS, "csv", "tsv")
_CELL = re.compile(r">([^<>]*\\[nrt][^<>]*)<")
_FILE_PATH = re.compile(r"\b[A-Za-z]:\\|\\\\")


def parts_of(elements: list[UnstructuredElement], file_format: Format) -> Iterator[Part]:
    """Each element as a part; a sheet begins with its name as a title."""
    sheet = None
    for element in elements:
        if element.category == "PageBreak":
            continue
        about = element.metadata
        page = about.page_number if file_format.paged else None
        if file_format.name in _SHEETS and about.page_name != sheet:
            sheet = about.page_name
            yield Part("Title", meaningful_title(sheet), page, 0)
        html = about.text_as_html if element.category == "Table" else None
        if html and file_format.name in _THROUGH_PANDAS:
            html = _CELL.sub(_broken_lines, html)
        text = (table_text(html) if html else "") or element.text or ""
        yield Part(element.category, text, page, about.category_depth, html)


def table_text(html: str) -> str:
    """The rows of an HTML table, one a line, cells parted by `` | ``; a table inside a cell is part of that cell.

    >>> table_text("<table><tr><th>a</th><th>b</th></tr><tr><td>1<br/>2</td><td/></tr></table>")
    'a | b\\n1 2 |'
    """
    rows = []
    for row in lxml_html.fragment_fromstring(html, create_parent="div").iter("tr"):
        if sum(1 for _ in row.iterancestors("table")) > 1:
            continue
        cells = [" ".join(" ".join(cell.itertext()).split()) for cell in row if cell.tag in ("td", "th")]
        if any(cells):
            rows.append(" | ".join(cells).strip())
    return "\n".join(rows)


def _broken_lines(cell: re.Match[str]) -> str:
    """pandas writes the line breaks inside a cell as backslash and letter, which is also how a path of Windows may go on."""
    return cell.group() if _FILE_PATH.search(cell.group(1)) else re.sub(r"(?:\\[nrt])+", "<br/>", cell.group())


def title_of(metadata: Metadata, parts: list[Part], path: str, file_format: Format) -> str:
    """What the metadata says, else a heading, else a file name given by a person, else a first line that looks like a title.

    Spreadsheets are called by the name of their file: what else they have is the name of a sheet.
    """
    if file_format.name in _SHEETS:
        return stem_of(path)
    said = meaningful_title(str(metadata.pop("title", "")))
    headings = [part for part in parts if part.kind == "Title"]
    levelled = min((part for part in headings if part.depth is not None), key=lambda part: part.depth or 0, default=None)
    if said or levelled:
        return said or one_line(levelled.text if levelled else "")
    if has_human_name(path):
        return stem_of(path)
    top = one_line(parts[0].text) if parts and parts[0].kind == "Title" else ""
    return top if top and top[-1] not in ":,;" else stem_of(path)


def office_metadata(data: bytes, file_format: Format) -> Metadata:
    """Title and author that Word and PowerPoint keep in ``docProps/core.xml``; spreadsheets inherit theirs from templates."""
    if file_format.name not in ("docx", "pptx"):
        return {}
    with ZipFile(BytesIO(data)) as archive:
        if "docProps/core.xml" not in archive.namelist():
            return {}
        core = etree.fromstring(archive.read("docProps/core.xml"), etree.XMLParser(resolve_entities=False, no_network=True))
    named = {"title": "title", "creator": "author", "subject": "subject", "keywords": "keywords"}
    found = ((named.get(etree.QName(child).localname), one_line(child.text or "")) for child in core if isinstance(child.tag, str))
    return {key: value for key, value in found if key and value}
