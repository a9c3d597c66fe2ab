"""What counts as a line of a page: only what is seen, once, whole and in plain letters."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.generic import RectangleObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from pipelines.parsing.assembly import clean
from pipelines.parsing.pdf.reader import read_pdf


def drawn(*pages: Callable[[Canvas], None]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(600, 800))
    for page in pages:
        canvas.setFont("Helvetica", 10)
        page(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def text_of(data: bytes) -> str:
    return "\n".join(clean(part.text) for part in read_pdf(data, "l.pdf")[1])


def test_text_outside_the_crop_box_is_left_out() -> None:
    def page(canvas: Canvas) -> None:
        canvas.drawString(60, 700, "What readers see of the page")
        canvas.drawString(60, 30, "What was cut off with its margin")

    reader = PdfReader(io.BytesIO(drawn(page)))
    writer = PdfWriter()
    writer.append(reader)
    writer.pages[0].cropbox = RectangleObject((0, 100, 600, 800))
    cropped = io.BytesIO()
    writer.write(cropped)
    assert text_of(cropped.getvalue()) == "What readers see of the page"


def test_text_printed_twice_for_bold_or_shadow_is_read_once() -> None:
    lines = [f"Line {word} of a long page" for word in "one two three four five six seven eight nine ten eleven twelve".split()]

    def page(canvas: Canvas) -> None:
        for shift in (0, 1):
            for number, line in enumerate(lines):
                canvas.drawString(60 + shift, 700 - 14 * number - shift, line)

    assert text_of(drawn(page)) == " ".join(lines)


def test_the_same_words_at_another_place_are_kept() -> None:
    def page(canvas: Canvas) -> None:
        for down in range(3):
            canvas.drawString(60, 700 - 40 * down, "Not applicable")

    assert text_of(drawn(page)).split("\n") == ["Not applicable"] * 3


def test_what_is_filled_into_a_form_stands_beside_its_label() -> None:
    def page(canvas: Canvas) -> None:
        for down, label in ((0, "Name:"), (40, "Town:")):
            canvas.drawString(60, 700 - down, label)
        canvas.acroForm.choice(name="town", value="Berlin", options=["Berlin", "Paris"], x=100, y=655, width=200, height=18, fontSize=10)
        canvas.acroForm.textfield(name="name", value="Ada Lovelace", x=100, y=695, width=200, height=18, fontSize=10)
        canvas.drawString(60, 600, "Signed by the person named above.")

    assert text_of(drawn(page)).split("\n") == ["Name: Ada Lovelace", "Town: Berlin", "Signed by the person named above."]


def test_a_raised_mark_at_the_start_does_not_change_the_line() -> None:
    def page(canvas: Canvas) -> None:
        for down in range(6):
            if down == 2:
                canvas.setFont("Helvetica", 5)
                canvas.drawString(62, 703.5 - 24, "3")
                canvas.setFont("Helvetica", 10)
            canvas.drawString(66, 700 - 12 * down, f"Line {down} of a paragraph that is told in lines of even length")

    [part] = read_pdf(drawn(page), "l.pdf")[1]
    assert part.kind == "NarrativeText"


def test_a_watermark_across_the_page_is_kept_once() -> None:
    def page(word: str) -> Callable[[Canvas], None]:
        def draw(canvas: Canvas) -> None:
            canvas.drawString(60, 700, f"The text of page {word} is about {word} alone,")
            canvas.saveState()
            canvas.translate(100, 300)
            canvas.rotate(45)
            canvas.setFont("Helvetica", 60)
            canvas.drawString(0, 0, "Preliminary draft")
            canvas.restoreState()
            canvas.drawString(60, 688, f"and it goes on with {word} here.")

        return draw

    text = text_of(drawn(*(page(word) for word in ("rivers", "lakes", "seas"))))
    assert text.count("Preliminary draft") == 1
    assert "about lakes alone, and it goes on with lakes here." in text


def test_chinese_lines_are_joined_without_blanks() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))

    def page(canvas: Canvas) -> None:
        canvas.setFont("STSong-Light", 12)
        canvas.drawString(60, 700, "检索系统把文档分成段落")
        canvas.drawString(60, 684, "并为每个段落建立索引")

    assert text_of(drawn(page)) == "检索系统把文档分成段落并为每个段落建立索引"


def test_ligatures_become_letters(shared_data: Callable[[str], Path]) -> None:
    text = text_of(shared_data("file-formats/pdf/multi-column.pdf").read_bytes())
    assert "efficient" in text
    assert not set(text) & set("ﬀﬁﬂﬃﬄ")
