from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.parsing.partition import parse, parser_fingerprint, table_text
from quality_checks.contract_terms import Parsing
from search_index.errors import DocumentUnreadable
from search_index.model.document import ParsedDocument, normalise

# Formats with one file of the public examples each, and words that must be found in it.
EXAMPLES = {
    "README.md": "Example Docs",
    "README.rst": "Example Docs",
    "README.org": "Example Docs",
    "winter-sports.epub": "SWITZERLAND",
    "fake.docx": "Lorem ipsum",
    "simple.pptx": "subtitle",
    "stanley-cups.xlsx": "Maple Leafs",
    "stanley-cups.csv": "Maple Leafs",
    "stanley-cups.tsv": "Maple Leafs",
    "fake-email.eml": "Roses are red",
    "fake-email.msg": "Roses are red",
    "language-docs/eng_spa_mult.rtf": "the",
    "fake-html-cp1252.html": "My First Heading",
    "fake-text-utf-16.txt": "Hamburgers are delicious",
    "factbook.xml": "United States",
    "spring-weather.html.json": "NOAA",
    "simple.ndjson": "favorite",
    "pdf/multi-column.pdf": "Dense Passage Retrieval",
}


def whole(document: ParsedDocument) -> ParsedDocument:
    """Checks what holds for every document."""
    assert document.text == normalise(document.text)
    assert "\n\n".join(document.text[element.start : element.end] for element in document.elements) == document.text
    assert all(element.start < element.end for element in document.elements)
    assert all((element.depth is not None) == (element.kind == "Title") for element in document.elements)
    assert document.title
    return document


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_format_gives_its_text(name: str, shared_data: Callable[[str], Path]) -> None:
    document = whole(parse(shared_data(f"file-formats/{name}").read_bytes(), name))
    assert EXAMPLES[name].casefold() in document.text.casefold()
    assert document.parser.split()[0] in ("unstructured", "pypdfium2")


def test_a_page_of_html_keeps_headings_tables_and_title() -> None:
    html = """<html><head><title>Prices &amp; terms</title></head><body><h1>Prices</h1><p>All prices hold for one year from now.</p>
    <h2>Parts</h2><table><tr><th>Part</th><th>Price</th></tr><tr><td>Bolt</td><td>2</td></tr></table></body></html>"""
    document = whole(parse(html.encode(), "prices.html"))
    assert document.title == "Prices & terms"
    assert [(e.kind, e.depth) for e in document.elements] == [("Title", 0), ("NarrativeText", None), ("Title", 1), ("Table", None)]
    assert document.text.endswith("Part | Price\nBolt | 2")


def test_word_headings_tables_and_properties() -> None:
    import docx

    word = docx.Document()
    word.core_properties.title = "Travel policy"
    word.core_properties.author = "Ada"
    word.add_heading("Scope", level=1)
    word.add_paragraph("This policy applies to everybody who travels.")
    table = word.add_table(rows=2, cols=2)
    for cell, text in zip([cell for row in table.rows for cell in row.cells], ["Class", "Limit", "Rail", "200"], strict=True):
        cell.text = text
    buffer = io.BytesIO()
    word.save(buffer)
    document = whole(parse(buffer.getvalue(), "policy.docx"))
    assert (document.title, document.metadata) == ("Travel policy", {"author": "Ada"})
    assert document.text == "Scope\n\nThis policy applies to everybody who travels.\n\nClass | Limit\nRail | 200"


def test_slides_are_pages_and_notes_are_read() -> None:
    import pptx

    show = pptx.Presentation()
    for number in (1, 2):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text = "A point to make"
        slide.notes_slide.notes_text_frame.text = "Tell them about the budget"
    buffer = io.BytesIO()
    show.save(buffer)
    document = whole(parse(buffer.getvalue(), "show.pptx"))
    assert [element.page for element in document.elements if element.kind == "Title"] == [1, 2]
    assert "budget" in document.text


def test_a_mail_has_its_subject_as_title_and_its_people_as_metadata() -> None:
    mail = b"From: Ada <ada@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: Budget\r\n\r\nThe budget was approved today.\r\n"
    document = whole(parse(mail, "mail.eml"))
    assert (document.title, document.text) == ("Budget", "The budget was approved today.")
    assert document.metadata["sent_from"] == ["Ada <ada@example.org>"]


def test_sheets_are_named_and_rows_stay_lines(shared_data: Callable[[str], Path]) -> None:
    document = parse(shared_data("file-formats/stanley-cups.xlsx").read_bytes(), "Cups of 1960.xlsx")
    assert document.title == "Cups of 1960"
    assert "Stanley Cups Since 67" in [document.text[e.start : e.end] for e in document.elements if e.kind == "Title"]
    assert "Blues | STL | 1" in document.text.split("\n")


def test_words_inside_and_after_an_element_of_xml_stay_in_their_paragraph() -> None:
    data = (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><r xmlns="urn:x"><p>Gr\xfc\xdfe <b>aus</b> K\xf6ln</p><!-- no --><q>and more</q></r>'
    )
    assert parse(data, "a.xml").text == "Grüße aus Köln\n\nand more"


def test_rich_text_is_read_in_the_code_page_it_names() -> None:
    assert parse(rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2 \u1084\'ec\u1080\'e8\u1088\'f0}", "a.rtf").text == "Привет мир"


def test_line_breaks_in_a_cell_are_no_letters() -> None:
    import io

    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        book.add_worksheet("A").add_table(0, 0, 2, 1, {"data": [["Net\nsales", 1], ["C:\\new\\road", 2]], "header_row": False})
    text = parse(buffer.getvalue(), "a.xlsx").text
    assert "Net sales | 1" in text
    assert "C:\\new" in text


def test_text_of_one_column_named_csv_is_read() -> None:
    assert parse(b"Lorem ipsum, dolor\nsit\namet, a, b, c\n", "one.csv").text.startswith("Lorem ipsum")


@pytest.mark.parametrize(
    ("data", "path", "title"),
    [
        (b"# Heading\n\nText", "some notes of mine.md", "Heading"),
        (b"Nothing but a paragraph of text that was written here.", "some notes of mine.md", "some notes of mine"),
        (b"<title>untitled</title><p>The text of a page was written.</p>", "page-7.html", "page-7"),
        (b"Annual Report\n\nThe year went well for all of us.", "r7.txt", "Annual Report"),
        (b"The year went well for all of us, it was said.", "r7.txt", "r7"),
    ],
)
def test_the_title_is_the_best_there_is(data: bytes, path: str, title: str) -> None:
    assert parse(data, path).title == title


def test_without_an_extension_the_content_decides() -> None:
    document = parse(b"<!DOCTYPE html><html><body><h1>Hello</h1><p>Some text was here.</p></body></html>", "download")
    assert (document.mime_type, document.text) == ("text/html", "Hello\n\nSome text was here.")
    assert parse(b"Just a few words of text were put here.\n", "NOTES").mime_type == "text/plain"


@pytest.mark.parametrize(
    ("data", "path", "what", "remedy"),
    [
        (b"", "a.md", "is empty", "Replace"),
        (b"\xef\xbb\xbf \n\t", "a.txt", "is empty", "Replace"),
        (b"--- *** ---", "a.txt", "has no text", "Fill it in"),
        (b"PK\x03\x04 not really", "a.docx", "broken or not docx", "save it again"),
        (b"%PDF-1.7 not really", "a.pdf", "not a PDF", "Save it again"),
        (b"<a><b></a>", "a.xml", "broken or not xml", "save it again"),
        (bytes(range(256)) * 64, "a.bin", "no known file type", "extension"),
        (b"{not json", "a.json", "broken or not json", "save it again"),
    ],
)
def test_what_cannot_be_read_says_why_and_what_to_do(data: bytes, path: str, what: str, remedy: str) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        parse(data, path)
    assert path in caught.value.what
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_a_reason_never_quotes_the_file() -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        parse(b'{"secret": hunter2}', "a.json")
    assert "hunter2" not in str(caught.value)


@pytest.mark.slow
def test_no_example_of_any_format_breaks_the_parser(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("file-formats")
    unreadable: dict[str, str] = {}
    for file in sorted(path for path in root.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000):
        try:
            whole(parse(file.read_bytes(), file.relative_to(root).as_posix()))
        except DocumentUnreadable as error:
            unreadable[file.suffix] = error.remedy
    assert all(unreadable.values())
    images = {".png", ".jpg", ".jpeg", ".heic", ".bmp", ".tiff"}
    assert set(unreadable) <= {".doc", ".eml", ".pdf", ".pptx", ".txt", ".xlsx", *images}


def test_fingerprints_tell_parsers_apart_without_importing_them() -> None:
    assert parser_fingerprint("a.md") != parser_fingerprint("a.docx")
    assert parser_fingerprint("a.mdx") == parser_fingerprint("b/c.md")
    assert "unstructured 0.27.32 md" in parser_fingerprint("a.md")
    assert "pypdfium2" in parser_fingerprint("A.PDF")
    assert parser_fingerprint("a.pdf") != parser_fingerprint("a.pdf", Parsing(ocr="never"))
    assert parser_fingerprint("a.md") == parser_fingerprint("a.md", Parsing(ocr="never", languages=("deu",)))
    assert "deu" in parser_fingerprint("a.png", Parsing(languages=("deu",)))
    assert parse(b"Text that was here.", "a.txt").parser in parser_fingerprint("a.txt")


def test_a_nested_table_is_part_of_its_cell() -> None:
    html = "<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table></td><td>d</td></tr></table>"
    assert table_text(html) == "a b c | d"
