"""Blocks as PDF and HTML pages."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING

from plumbline.samples.blocks import Block, Bullets, Heading, Paragraph, Table, blocks_of, title_of

if TYPE_CHECKING:
    from reportlab.lib.styles import StyleSheet1
    from reportlab.platypus import Flowable


def pdf(text: str) -> bytes:
    """An A4 document of several pages, with text that can be selected."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import SimpleDocTemplate

    styles = getSampleStyleSheet()
    buffer = io.BytesIO()
    # invariant: no time of making and no random identifier in the file
    page = SimpleDocTemplate(buffer, title=title_of(text), author="Halden Bridge Works", subject="Bridge inspection", invariant=1)
    page.build([flowable for block in blocks_of(text) for flowable in _flowables(block, styles)])
    return buffer.getvalue()


def html(text: str) -> bytes:
    """A page with a title, headings, lists and tables, and the navigation that every site has around them."""
    title = escape(title_of(text))
    body = "\n".join(_tags(block) for block in blocks_of(text))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="author" content="Halden Bridge Works">
</head>
<body>
<nav><a href="/">Home</a> <a href="/bridges">Bridges</a> <a href="/contact">Contact</a></nav>
<main>
{body}
</main>
<footer><p>Halden Bridge Works, Varnes</p></footer>
</body>
</html>
""".encode()


def _flowables(block: Block, styles: StyleSheet1) -> list[Flowable]:
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph as Text
    from reportlab.platypus import Spacer, TableStyle
    from reportlab.platypus import Table as Grid

    match block:
        case Heading(level, text):
            return [Text(escape(text), styles[f"Heading{level}"])]
        case Paragraph(text):
            return [Text(escape(text), styles["BodyText"])]
        case Bullets(items):
            return [Text(escape(item), styles["Bullet"], bulletText="\u2022") for item in items]
        case Table(header, rows):
            cells = [[Text(escape(text), styles["BodyText"]) for text in row] for row in (header, *rows)]
            lines = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
            return [Grid(cells, repeatRows=1, style=lines), Spacer(1, 8)]


def _tags(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Bullets(items):
            return "<ul>\n" + "\n".join(f"<li>{escape(item)}</li>" for item in items) + "\n</ul>"
        case Table(header, rows):
            head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
            lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
            body = "\n".join(f"<tr>{line}</tr>" for line in lines)
            return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
