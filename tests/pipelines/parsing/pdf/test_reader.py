from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from pipelines.parsing.partition import parse
from pipelines.parsing.pdf.reader import read_pdf
from search_index.errors import DocumentUnreadable

Written = tuple[str, int, str]
"""Font, size, text of one line; an empty text is a blank line."""

PLAIN, BOLD = "Helvetica", "Helvetica-Bold"


def pdf(pages: Sequence[Sequence[Written]], title: str = "", password: str = "") -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, encrypt=StandardEncryption(password) if password else None)
    canvas.setTitle(title)
    for page in pages:
        height = 780.0
        for font, size, text in page:
            canvas.setFont(font, size)
            canvas.drawString(60, height, text)
            height -= size * 1.2
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def body(*lines: str) -> list[Written]:
    return [(PLAIN, 10, line) for line in lines]


GAP: Written = (PLAIN, 10, "")


def test_titles_paragraphs_and_pages() -> None:
    page = [
        (BOLD, 20, "Annual report"), GAP,
        *body("The first paragraph of the report goes on over", "two lines of the page."), GAP,
        *body("The second paragraph stands alone on its line."), GAP,
        (BOLD, 10, "Outlook"), *body("We expect that all of it will go well again."),
    ]  # fmt: skip
    document = parse(pdf([page, body("The second page has text as well.")]), "r-1.pdf")
    assert [(e.kind, e.page, e.depth, document.text[e.start : e.end]) for e in document.elements] == [
        ("Title", 1, 0, "Annual report"),
        ("NarrativeText", 1, None, "The first paragraph of the report goes on over two lines of the page."),
        ("NarrativeText", 1, None, "The second paragraph stands alone on its line."),
        ("Title", 1, 1, "Outlook"),
        ("NarrativeText", 1, None, "We expect that all of it will go well again."),
        ("NarrativeText", 2, None, "The second page has text as well."),
    ]
    assert (document.title, document.metadata["pages"], document.mime_type) == ("Annual report", 2, "application/pdf")


def test_paragraphs_of_a_short_letter_are_kept_apart() -> None:
    letter = [
        *body("May 5, 2023"), GAP, *body("To whom it may concern:"), GAP,
        *body("There were many bottles of water and blankets at the", "shelter when we came."), GAP, *body("Best regards,"),
    ]  # fmt: skip
    assert parse(pdf([letter]), "m.pdf").text.split("\n\n") == [
        "May 5, 2023",
        "To whom it may concern:",
        "There were many bottles of water and blankets at the shelter when we came.",
        "Best regards,",
    ]


def test_table_rows_stay_lines() -> None:
    rows = body("In millions 2023 2022", "Net sales of products $ 1,204 $ 987", "Cost of sales (604) (512)", "Gross margin 600 475")
    document = parse(pdf([[*body("The table shows sales and their cost for both of the years."), GAP, *rows]]), "t.pdf")
    [table] = [element for element in document.elements if element.kind == "Table"]
    assert document.text[table.start : table.end].split("\n") == [text for _, _, text in rows]


def test_words_parted_at_line_ends_are_put_together() -> None:
    lines = body(
        "The transformation of long-term debt began. A trans-", "formation takes time, and long-", "term debt takes more. Of the exam-",
        "ples given here none is well known. See Form 10-", "Q.",
    )  # fmt: skip
    text = parse(pdf([lines]), "h.pdf").text
    assert "A transformation takes" in text
    assert "and long-term debt takes" in text
    assert "Of the examples given" in text
    assert text.endswith("Form 10-Q.")


def test_page_numbers_go_and_running_heads_stay_once() -> None:
    pages = [
        [*body("Quarterly report of the Example Company"), GAP, *body(f"Page {word} tells of a matter of its own.")] for word in "abcdef"
    ]
    numbered = [[*page, *[GAP] * 20, *body(str(number)), *body(f"Example Form | {number}")] for number, page in enumerate(pages, 1)]
    text = parse(pdf(numbered), "q.pdf").text
    assert text.count("Quarterly report of the Example Company") == 1
    assert text.count("Example Form") == 1
    assert not [line for line in text.split("\n") if line.strip().isdigit()]
    assert all(f"Page {word} tells" in text for word in "abcdef")


def test_a_cover_does_not_head_the_other_pages() -> None:
    cover: list[Written] = [(BOLD, 30, "Form Ten"), (BOLD, 10, "Part of it")]
    pages = [
        [(BOLD, 12, f"Section {n}"), *body(f"Text {word} is said about it.", f"More {word} was said.")] for n, word in enumerate("abcde")
    ]
    document = parse(pdf([cover, *pages]), "c.pdf")
    depths = {document.text[e.start : e.end]: e.depth for e in document.elements if e.kind == "Title"}
    assert depths == {"Form Ten": 0, "Part of it": 0} | {f"Section {n}": 0 for n in range(5)}


@pytest.mark.parametrize(
    ("said", "path", "title"),
    [
        ("Report of the year", "x.pdf", "Report of the year"),
        ("Microsoft Word - draft.doc", "x.pdf", "On the page"),
        ("0000320193-22-000070", "2022 Q3 AAPL.pdf", "2022 Q3 AAPL"),
        ("", "MED-10.pdf", "On the page"),
    ],
)
def test_the_title_is_the_best_there_is(said: str, path: str, title: str) -> None:
    assert parse(pdf([[(BOLD, 18, "On the page"), GAP, *body("And this is the text below it.")]], said), path).title == title


def test_an_encrypted_file_is_told_from_a_broken_one() -> None:
    with pytest.raises(DocumentUnreadable, match=r"e\.pdf is encrypted"):
        parse(pdf([body("Secret.")], password="known to nobody"), "e.pdf")


def test_a_file_of_empty_pages_is_refused() -> None:
    with pytest.raises(DocumentUnreadable, match="no text"):
        parse(pdf([[]]), "scan.pdf")


def test_a_real_report_keeps_titles_rows_and_pages(shared_data: Callable[[str], Path]) -> None:
    document = parse(shared_data("sec-10-q/docs/2022 Q3 AAPL.pdf").read_bytes(), "2022 Q3 AAPL.pdf")
    assert document.metadata["pages"] == 28
    titles = [document.text[e.start : e.end] for e in document.elements if e.kind == "Title"]
    assert "Note 5 – Debt" in titles
    assert "Net income | $ 19,442 | $ 21,744 | $ 79,082 | $ 74,129" in document.text.split("\n")
    assert any(e.html and "<tr><td>Net income</td><td>$ 19,442</td><td>$ 21,744</td>" in e.html for e in document.elements)
    assert {element.page for element in document.elements} == set(range(1, 29))


def test_the_outline_names_titles_that_fonts_do_not_show_and_says_their_depth() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for number, (head, level) in enumerate([("Rivers of the north", 0), ("Mills and farms", 1), ("Lakes", 0)]):
        canvas.bookmarkPage(str(number))
        canvas.addOutlineEntry(head, str(number), level)
        for height, text in ((780, head), (768, "This is told in the same font as all of the rest."), (756, "It goes on a little.")):
            canvas.drawString(60, height, text)
        canvas.showPage()
    canvas.save()
    document = parse(buffer.getvalue(), "o.pdf")
    titles = [(document.text[e.start : e.end], e.page, e.depth) for e in document.elements if e.kind == "Title"]
    assert titles == [("Rivers of the north", 1, 0), ("Mills and farms", 2, 1), ("Lakes", 3, 0)]


def test_a_broken_page_does_not_cost_the_others() -> None:
    written = PdfWriter()
    written.append(PdfReader(io.BytesIO(pdf([body("The first page."), body("The second page."), body("The third page.")]))))
    data = io.BytesIO()
    written.write(data)
    second = re.search(rb"\d+ 0 R (\d+) 0 R", re.search(rb"/Kids \[([^\]]*)\]", data.getvalue()).group(1)).group(1)  # type: ignore[union-attr]
    start = data.getvalue().index(b"\n" + second + b" 0 obj") + len(second) + 8
    end = data.getvalue().index(b"endobj", start)
    broken = data.getvalue()[:start] + b"null".ljust(end - start) + data.getvalue()[end:]
    _, parts, metadata = read_pdf(broken, "b.pdf")
    assert [(part.text, part.page) for part in parts] == [("The first page.", 1), ("The third page.", 3)]
    assert metadata["broken_pages"] == 1
